// SPDX-License-Identifier: BSD-2-Clause
/*
 * The first process: hands out the machine to the others, starts them, and watches over them. What
 * is missing is said in one line each, and the rest goes on.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/config/config.h"
#include "lib/config/glibc_shim.h"
#include "lib/log.h"
#include "lib/sys.h"
#include "services/supervisor/choice.h"
#include "services/supervisor/client.h"
#include "services/supervisor/fits.h"
#include "services/supervisor/keys.h"
#include "services/supervisor/local_menu.h"
#include "services/supervisor/machine.h"
#include "services/supervisor/mitigate.h"
#include "services/supervisor/process.h"
#include "services/supervisor/prompt.h"
#include "services/supervisor/report.h"
#include "services/supervisor/screen.h"
#include "services/supervisor/services.h"
#include "services/supervisor/storage.h"
#include "services/supervisor/timeline.h"
#include "services/supervisor/vm.h"

/* Of the supervisor, at most: so many at once, and one each so many nanoseconds. */
#define WAKES 2000u
#define WAKE_NS 500000ull

int main(void);

static struct leat_config config;

static struct {
    const char *text; /* leat.conf, in the memory that boot has loaded it to */
    uint64_t size;
    bool can_run; /* this machine has what VMs need */
} own;

static bool parse_own(struct leat_config_error *error)
{
    return leat_config_parse(own.text, own.size, &config, error) == 0;
}

/* Without a usable leat.conf there is nothing to run, but the prompt and the log are there. */
static bool read_config(void)
{
    const struct leat_boot_module *module = machine_module(LEAT_MODULE_CONFIG, NULL);
    struct leat_config_error error;
    const char *why;

    if (module == NULL) {
        if (machine_boot_info()->problem[0] == 0) {
            leat_log("leat.conf is missing: put it beside leat.efi");
        }
        return false;
    }
    own.text = (const char *)machine_module_map(module);
    own.size = module->size;
    if (own.text == NULL && own.size != 0) {
        leat_log("leat.conf cannot be mapped");
        return false;
    }
    why = leat_config_init();
    if (why != NULL) {
        leat_log("leat.conf cannot be read: %s", why);
        return false;
    }
    if (!parse_own(&error)) {
        leat_log("%s", error.text);
        memset(&config, 0, sizeof(config));
        return false;
    }
    return true;
}

/* All is known: the disks, and then the VMs. */
static void start_vms(void)
{
    services_start_vdisk(&config);
    keys_wipe(&config);
    mitigate_start(&config);
    vm_init(&config, own.can_run);
    vm_autostart();
}

/* The console of the VM that was chosen, unless leat.conf says what is shown. */
static void show_chosen(void)
{
    const char *name = config.console_line != 0 ? config.console_view : choice_name();
    int index = vm_find(name);

    if (index >= 0) {
        screen_close_to_vm((unsigned)index + 1);
    } else {
        screen_close();
    }
}

/* NULL, or why none of the VMs that a server has given can be started. */
static const char *why_none_runs(void)
{
    uint64_t free_bytes = machine_free_bytes();
    uint64_t taken = services_least_bytes(&config);

    if (config.vm_count == 0) {
        return "nothing that was chosen can be started: Leat's log says why";
    }
    return machine_why_no_vms() != NULL
               ? machine_why_no_vms()
               : fits_why_none(&config, free_bytes > taken ? free_bytes - taken : 0);
}

/* What a server has given stands behind leat.conf, on lines of its own. */
static const char *take_given(const char *given, size_t size)
{
    static struct leat_config_error error;
    char *joined = own.size + size <= LEAT_CONFIG_MAX_BYTES ? malloc(own.size + size + 1) : NULL;
    const char *why;
    bool is_good;

    if (joined == NULL) {
        return "with leat.conf it is larger than 256 KiB, or memory is short";
    }
    memcpy(joined, own.text, own.size);
    memcpy(joined + own.size, given, size);
    is_good = leat_config_parse_joined(joined, own.size + size, own.size, &config, &error) == 0;
    explicit_bzero(joined, own.size + size);
    free(joined);
    if (!is_good) {
        struct leat_config_error none;

        parse_own(&none); /* as it was */
        return error.text;
    }
    why = why_none_runs();
    if (why != NULL) {
        struct leat_config_error none;

        parse_own(&none);
        return why;
    }
    start_vms();
    show_chosen();
    return NULL;
}

int main(void)
{
    struct pace wakes = {.step_ns = WAKE_NS, .burst = WAKES};
    bool has_config;

    machine_init();
    timeline_init();
    process_init();
    prompt_init();
    screen_init();
    report_init();
    own.can_run = machine_report();
    has_config = read_config();
    services_start_console(&config);
    if (has_config) {
        services_start_net(&config);
        storage_start(&config);
    }
    if (has_config && config.leatd.line != 0) {
        client_start(&config, take_given);
    } else {
        start_vms();
        local_menu_show(&config);
    }
    leat_loop_run_paced(&supervisor_loop, &wakes);
}
