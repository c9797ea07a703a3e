// SPDX-License-Identifier: BSD-2-Clause
/*
 * The first process: hands out the machine to the others, starts them, and watches over them. What
 * is missing is said in one line each, and the rest goes on.
 */
#include <string.h>

#include "lib/clock.h"
#include "lib/config/config.h"
#include "lib/config/glibc_shim.h"
#include "lib/log.h"
#include "lib/sys.h"
#include "services/supervisor/keys.h"
#include "services/supervisor/local_menu.h"
#include "services/supervisor/machine.h"
#include "services/supervisor/mitigate.h"
#include "services/supervisor/process.h"
#include "services/supervisor/prompt.h"
#include "services/supervisor/screen.h"
#include "services/supervisor/services.h"
#include "services/supervisor/storage.h"
#include "services/supervisor/vm.h"

/* Of the supervisor, at most: so many at once, and one each so many nanoseconds. */
#define WAKES 2000u
#define WAKE_NS 500000ull

int main(void);

static struct leat_config config;

/* Without a usable leat.conf there is nothing to run, but the prompt and the log are there. */
static bool read_config(void)
{
    const struct leat_boot_module *module = machine_module(LEAT_MODULE_CONFIG, NULL);
    struct leat_config_error error;
    const uint8_t *text;
    const char *why;

    if (module == NULL) {
        if (machine_boot_info()->problem[0] == 0) {
            leat_log("leat.conf is missing: put it beside leat.efi");
        }
        return false;
    }
    text = machine_module_map(module);
    if (text == NULL && module->size != 0) {
        leat_log("leat.conf cannot be mapped");
        return false;
    }
    why = leat_config_init();
    if (why != NULL) {
        leat_log("leat.conf cannot be read: %s", why);
        return false;
    }
    if (leat_config_parse((const char *)text, module->size, &config, &error) != 0) {
        leat_log("%s", error.text);
        memset(&config, 0, sizeof(config));
        return false;
    }
    return true;
}

int main(void)
{
    struct pace wakes = {.step_ns = WAKE_NS, .burst = WAKES};
    bool can_run;

    machine_init();
    process_init();
    prompt_init();
    screen_init();
    can_run = machine_report();
    if (read_config()) {
        services_start_console(&config);
        services_start_net(&config);
        storage_start(&config);
        services_start_vdisk(&config);
    } else {
        services_start_console(&config);
    }
    keys_wipe(&config);
    mitigate_start(&config);
    vm_init(&config, can_run);
    vm_autostart();
    local_menu_show(&config);
    leat_loop_run_paced(&supervisor_loop, &wakes);
}
