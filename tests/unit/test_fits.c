// SPDX-License-Identifier: BSD-2-Clause
/* A machine is told apart that has no memory for any of the VMs that it is to start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "services/supervisor/fits.h"

#define MIB (1ull << 20)

static struct leat_config config;

static void add(const char *name, uint64_t memory_mib, unsigned cpus, bool autostart)
{
    struct leat_config_vm *vm = &config.vms[config.vm_count++];

    strcpy(vm->name, name);
    vm->memory_bytes = memory_mib * MIB;
    vm->cpus = cpus;
    vm->disk_count = 1;
    vm->autostart = autostart;
}

static void one_that_fits_is_enough(void **state)
{
    (void)state;
    memset(&config, 0, sizeof(config));
    assert_null(fits_why_none(&config, 0));
    add("by-hand", 1 << 20, 1, false);
    assert_null(fits_why_none(&config, 0));
    add("huge", 1 << 20, 16, true);
    add("large", 4096, 1, true);
    assert_string_equal(
        fits_why_none(&config, 851 * MIB),
        "'large' needs 4142 MiB of memory (4096 MiB for the guest), and this machine has 851 MiB "
        "for VMs: give it less, or start something else.");
    assert_non_null(fits_why_none(&config, 4142 * MIB - 1));
    assert_null(fits_why_none(&config, 4142 * MIB));
}

static void more_takes_more(void **state)
{
    (void)state;
    memset(&config, 0, sizeof(config));
    add("a", 256, 1, true);
    add("b", 256, 2, true);
    assert_true(fits_vm_bytes(&config.vms[0]) >
                config.vms[0].memory_bytes + fits_vmm_bytes(&config.vms[0]));
    assert_true(fits_vm_bytes(&config.vms[1]) > fits_vm_bytes(&config.vms[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_fits_is_enough),
        cmocka_unit_test(more_takes_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
