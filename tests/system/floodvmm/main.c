// SPDX-License-Identifier: BSD-2-Clause
/*
 * A vmm that its guest has broken: in a VM whose name is one of the table below it floods whatever it has a channel to,
 * for ever, in the place of a guest. In any other VM it is the vmm as it is.
 */
#include <string.h>

#include <leat/blk.h>
#include <leat/console.h>
#include "lib/ctl.h"
#include "lib/loop.h"
#include "lib/ring.h"
#include "lib/start.h"
#include "lib/sys.h"

int main(void);
int vmm_main(void); /* vmm/main.c */

static void signal_entry(const struct leat_start_entry *entry)
{
    leat_notif_signal(entry->peer, entry->peer_bits);
}

/* Signals alone, to all that it can signal. */
static void signals(void)
{
    static const char *const roles[] = {"disk", "console", "log", "ctl"};

    for (;;)
        for (unsigned i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
            signal_entry(leat_start_find(roles[i], NULL));
}

static void only_disk(void)
{
    for (;;)
        signal_entry(leat_start_find("disk", NULL));
}

static void only_console(void)
{
    for (;;)
        signal_entry(leat_start_find("console", NULL));
}

static void print(const char *role)
{
    const struct leat_start_entry *entry = leat_start_find(role, NULL);
    struct leat_console_channel *channel = (void *)entry->va;
    struct leat_ring_end out;
    char line[64];

    memset(line, '#', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    leat_ring_join(&out, channel->output, LEAT_CONSOLE_RING_BYTES, 1, true);
    for (;;) {
        leat_ring_write(&out, line, sizeof(line));
        signal_entry(entry);
    }
}

static void prints(void)
{
    print("console");
}

static void logs(void)
{
    print("log");
}

static const struct {
    const char *name;
    void (*run)(void);
} floods[] = {
    {"signals", signals}, {"disk", only_disk}, {"console", only_console},
    {"prints", prints},   {"logs", logs},
};

static void ignore(const struct leat_ctl *message)
{
    (void)message;
}

static void say_begun(void)
{
    static const char text[] = "ATTACK\n";
    const struct leat_start_entry *entry = leat_start_find("console", NULL);
    struct leat_console_channel *channel = (void *)entry->va;
    struct leat_ring_end out;

    leat_ring_join(&out, channel->output, LEAT_CONSOLE_RING_BYTES, 1, true);
    leat_ring_write(&out, text, sizeof(text) - 1);
    signal_entry(entry);
    leat_ctl_send(LEAT_CTL_VM_EVENT, "", LEAT_VM_RUNNING, 0);
}

int main(void)
{
    static struct leat_loop loop;
    char name[64] = "";

    leat_start_arg("name", name, sizeof(name));
    for (unsigned i = 0; i < sizeof(floods) / sizeof(floods[0]); i++) {
        if (strcmp(name, floods[i].name) != 0)
            continue;
        leat_loop_init(&loop, leat_start_notif());
        leat_ctl_init(&loop, ignore);
        say_begun();
        floods[i].run();
    }
    return vmm_main();
}
