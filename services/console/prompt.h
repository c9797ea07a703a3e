// SPDX-License-Identifier: BSD-2-Clause
/*
 * Leat's prompt: the line that is typed, and the command that runs. It stands on the last line of what is shown, and
 * gives way to each line that comes.
 */
#ifndef CONSOLE_PROMPT_H
#define CONSOLE_PROMPT_H

#include <leat/types.h>

struct prompt_place { /* who has it on his screen */
    void (*show)(const char *bytes, size_t count);
    bool (*is_wanted)(bool has_text);   /* does it stand there now? has_text: something is typed */
    bool (*run_here)(const char *line); /* true: the command was the console's own */
};

void prompt_init(const struct prompt_place *place);
void prompt_show(void);
void prompt_hide(void);
void prompt_type(uint8_t byte);

/* The last line of an answer is there: true if a command was running. */
bool prompt_end_command(void);

#endif
