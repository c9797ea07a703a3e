// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <leat/start.h>

#define MAX_WORDS 4
#define WORD_BYTES 32

const char *const command_help[] = {
    "vms                    the VMs: state, memory, CPU time, exits, what they wait for",
    "vm N stop              press VM N's power button (N: number or name)",
    "vm N start|reset|kill  start it; restart it at once; end it at once",
    "vm N show              its vCPUs: registers, exits, the last ones one by one",
    "disks                  the disks: state, mode, size, server, traffic, times",
    "disks live | json      a table that is drawn anew each second (q: back); all figures",
    "mem                    where the memory is",
    "cpus                   who uses the CPUs: over the next second, and in all",
    "log                    Leat's messages so far",
    "restart storage|client end the service of the local disks, or the one that speaks with leatd, "
    "and start it again",
    "poweroff, reboot       stop the machine, VMs and all",
    "Ctrl-] then 1-9: that VM's console; l: this prompt; a: everything; ?: more",
    NULL,
};

/* Words between blanks; more than fit, or one too long, makes the count 0 and sets *is_odd. */
static unsigned split(const char *line, char words[MAX_WORDS][WORD_BYTES], bool *is_odd)
{
    unsigned count = 0;

    *is_odd = false;
    for (;;) {
        size_t length;

        line += strspn(line, " \t");
        length = strcspn(line, " \t");
        if (length == 0) {
            return count;
        }
        if (count == MAX_WORDS || length >= WORD_BYTES) {
            *is_odd = true;
            return 0;
        }
        memcpy(words[count], line, length);
        words[count++][length] = 0;
        line += length;
    }
}

static enum command_kind vm_action(const char *word)
{
    static const struct {
        const char *word;
        enum command_kind kind;
    } actions[] = {
        {"stop", COMMAND_VM_STOP}, {"start", COMMAND_VM_START}, {"reset", COMMAND_VM_RESET},
        {"kill", COMMAND_VM_KILL}, {"show", COMMAND_VM_SHOW},
    };

    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(word, actions[i].word) == 0) {
            return actions[i].kind;
        }
    }
    return COMMAND_WRONG;
}

static enum command_kind single(const char *word)
{
    static const struct {
        const char *word;
        enum command_kind kind;
    } commands[] = {
        {"vms", COMMAND_VMS},       {"mem", COMMAND_MEM}, {"cpus", COMMAND_CPUS},
        {"help", COMMAND_HELP},     {"?", COMMAND_HELP},  {"poweroff", COMMAND_POWER_OFF},
        {"reboot", COMMAND_REBOOT},
    };

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(word, commands[i].word) == 0) {
            return commands[i].kind;
        }
    }
    return COMMAND_WRONG;
}

static enum command_kind service(const char *word)
{
    if (strcmp(word, "storage") == 0) {
        return COMMAND_RESTART;
    }
    return strcmp(word, "client") == 0 ? COMMAND_RESTART_CLIENT : COMMAND_WRONG;
}

/* The console asks for "disks table COLUMNS ROWS". False: that is none of these. */
static bool disks_query(char words[MAX_WORDS][WORD_BYTES], unsigned count, uint64_t *query)
{
    *query = LEAT_QUERY_STATE;
    if (count == 1) {
        return true;
    }
    if (count == 2 && (strcmp(words[1], "json") == 0 || strcmp(words[1], "--json") == 0)) {
        *query = LEAT_QUERY_JSON;
        return true;
    }
    if (count != 4 || strcmp(words[1], "table") != 0) {
        return false;
    }
    *query = LEAT_QUERY(LEAT_QUERY_TABLE, strtoul(words[2], NULL, 10), strtoul(words[3], NULL, 10));
    return true;
}

void command_parse(const char *line, struct command *command)
{
    char words[MAX_WORDS][WORD_BYTES];
    bool is_odd;
    unsigned count = split(line, words, &is_odd);

    memset(command, 0, sizeof(*command));
    command->kind = COMMAND_WRONG;
    if (is_odd) {
        snprintf(command->why, sizeof(command->why), "too long to be a command; try 'help'");
    } else if (count == 0) {
        command->kind = COMMAND_NONE;
    } else if (strcmp(words[0], "vm") == 0) {
        command->kind = count == 3 ? vm_action(words[2]) : COMMAND_WRONG;
        if (count >= 2) {
            memcpy(command->vm, words[1], sizeof(command->vm));
        }
        snprintf(command->why, sizeof(command->why), "usage: vm N stop|start|reset|kill|show");
    } else if (strcmp(words[0], "disks") == 0) {
        command->kind = disks_query(words, count, &command->query) ? COMMAND_DISKS : COMMAND_WRONG;
        snprintf(command->why, sizeof(command->why), "usage: disks [live|json]");
    } else if (strcmp(words[0], "restart") == 0) {
        command->kind = count == 2 ? service(words[1]) : COMMAND_WRONG;
        snprintf(command->why, sizeof(command->why), "usage: restart storage|client");
    } else {
        command->kind = count == 1 ? single(words[0]) : COMMAND_WRONG;
        snprintf(command->why, sizeof(command->why), "unknown command '%s'; try 'help'", words[0]);
    }
}
