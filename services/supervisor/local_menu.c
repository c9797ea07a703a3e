// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/local_menu.h"

#include "lib/log.h"
#include "services/supervisor/machine.h"
#include "services/supervisor/screen.h"
#include "services/supervisor/vm.h"

static struct {
    unsigned count;
    unsigned vms[LEAT_CONFIG_MAX_VMS]; /* of each entry */
} menu;
_Static_assert(LEAT_CONFIG_MAX_VMS <= LEAT_SCREEN_ENTRIES, "all VMs have room in the menu");

static void chosen(void *context, unsigned index, bool by_timeout)
{
    unsigned vm = menu.vms[index];
    char answer[128];

    (void)context;
    vm_start(vm, answer, sizeof(answer));
    leat_log("menu: %s%s", answer, by_timeout ? " (nobody chose)" : "");
    screen_close_to_vm(vm + 1);
}

void local_menu_show(const struct leat_config *config)
{
    const char *labels[LEAT_CONFIG_MAX_VMS];

    if (!config->has_menu) {
        return;
    }
    if (machine_why_no_vms() != NULL) {
        const char *const lines[] = {machine_why_no_vms(), "", "Ctrl-] l leads to Leat's log."};

        screen_notice("No VM can be started on this machine", lines, 3, 0);
        return;
    }
    for (unsigned i = 0; i < config->vm_count; i++) {
        const struct leat_config_vm *vm = &config->vms[i];

        if (!vm->autostart) {
            labels[menu.count] = vm->label[0] != 0 ? vm->label : vm->name;
            menu.vms[menu.count++] = i;
        }
    }
    screen_menu("Which VM is to start?", labels, menu.count, 0, config->menu_s, chosen, NULL);
}
