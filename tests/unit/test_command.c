// SPDX-License-Identifier: BSD-2-Clause
/* What is typed at the prompt: commands are understood, all else is answered, nothing overruns. */
#include "services/supervisor/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <leat/start.h>

static struct command parse(const char *line)
{
    struct command command;

    command_parse(line, &command);
    return command;
}

static void commands_are_understood(void **state)
{
    (void)state;
    assert_int_equal(parse("").kind, COMMAND_NONE);
    assert_int_equal(parse("  \t ").kind, COMMAND_NONE);
    assert_int_equal(parse("vms").kind, COMMAND_VMS);
    assert_int_equal(parse("  mem ").kind, COMMAND_MEM);
    assert_int_equal(parse("disks").kind, COMMAND_DISKS);
    assert_int_equal(parse("cpus").kind, COMMAND_CPUS);
    assert_int_equal(parse("help").kind, COMMAND_HELP);
    assert_int_equal(parse("restart storage").kind, COMMAND_RESTART);
    assert_int_equal(parse("restart client").kind, COMMAND_RESTART_CLIENT);
    assert_int_equal(parse("restart").kind, COMMAND_WRONG);
    assert_int_equal(parse("restart net").kind, COMMAND_WRONG);
    assert_int_equal(parse("poweroff").kind, COMMAND_POWER_OFF);
    assert_int_equal(parse("reboot").kind, COMMAND_REBOOT);
}

static void disks_carry_what_is_asked(void **state)
{
    (void)state;
    assert_int_equal(parse("disks").query, LEAT_QUERY_STATE);
    assert_int_equal(parse("disks json").query, LEAT_QUERY_JSON);
    assert_int_equal(parse("disks --json").query, LEAT_QUERY_JSON);
    assert_int_equal(parse("disks table 80 22").query, LEAT_QUERY(LEAT_QUERY_TABLE, 80, 22));
    assert_int_equal(LEAT_QUERY_ROWS(parse("disks table 80 22").query), 22);
    assert_int_equal(parse("disks table 99999999999999999999999 x").kind, COMMAND_DISKS);
    assert_int_equal(parse("disks table 80").kind, COMMAND_WRONG);
    assert_int_equal(parse("disks xml").kind, COMMAND_WRONG);
    assert_string_equal(parse("disks xml").why, "usage: disks [live|json]");
}

static void vm_commands_carry_the_vm(void **state)
{
    struct command command = parse("vm  web-1   stop");

    (void)state;
    assert_int_equal(command.kind, COMMAND_VM_STOP);
    assert_string_equal(command.vm, "web-1");
    assert_int_equal(parse("vm 2 start").kind, COMMAND_VM_START);
    assert_int_equal(parse("vm 2 reset").kind, COMMAND_VM_RESET);
    assert_int_equal(parse("vm 2 kill").kind, COMMAND_VM_KILL);
    assert_int_equal(parse("vm web show").kind, COMMAND_VM_SHOW);
}

static void wrong_lines_are_answered(void **state)
{
    char line[300];

    (void)state;
    assert_int_equal(parse("vm").kind, COMMAND_WRONG);
    assert_int_equal(parse("vm 1").kind, COMMAND_WRONG);
    assert_int_equal(parse("vm 1 dance").kind, COMMAND_WRONG);
    assert_int_equal(parse("vms now").kind, COMMAND_WRONG);
    assert_string_equal(parse("halt").why, "unknown command 'halt'; try 'help'");
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = 0;
    assert_int_equal(parse(line).kind, COMMAND_WRONG);
    memset(line, 'x', sizeof(line));
    for (size_t i = 1; i < sizeof(line); i += 2) {
        line[i] = ' ';
    }
    line[sizeof(line) - 1] = 0;
    assert_int_equal(parse(line).kind, COMMAND_WRONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_understood),
        cmocka_unit_test(disks_carry_what_is_asked),
        cmocka_unit_test(vm_commands_carry_the_vm),
        cmocka_unit_test(wrong_lines_are_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
