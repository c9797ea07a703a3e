// SPDX-License-Identifier: BSD-2-Clause
#include "services/supervisor/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <leat/net.h>
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/map.h"
#include "lib/sys.h"
#include "services/supervisor/choice.h"
#include "services/supervisor/files.h"
#include "services/supervisor/identity.h"
#include "services/supervisor/keys.h"
#include "services/supervisor/link.h"
#include "services/supervisor/machine.h"
#include "services/supervisor/profiles.h"
#include "services/supervisor/prompt.h"
#include "services/supervisor/report.h"
#include "services/supervisor/screen.h"
#include "services/supervisor/services.h"
#include "services/supervisor/timeline.h"
#include "services/supervisor/vm.h"

#define QUOTA (24ull << 20) /* its heap, and page tables for files and channels */

/* After so many deaths in a row it is started again only once a minute. */
#define DEATHS 10u
#define DEATH_NS 60000000000ull
#define PAUSE_NS 100000000ull /* before it is started again */
#define MOST_DOUBLED 6u /* what cannot be used is asked for again after 1, 2, 4 ... 64 minutes */

static struct {
    const struct leat_config *config;
    client_configured_fn configured;
    struct identity identity;
    struct process *process; /* NULL: does not run */
    struct attachment net;   /* net's end of its channel */
    struct attachment log;   /* the console's */
    leat_handle_t area_mem;
    struct leat_client_area *area;
    struct leat_loop_timer timer; /* it is time to start it again */
    struct leat_loop_timer again; /* it is time to ask for something else to run */
    struct pace deaths;
    unsigned useless; /* how often in a row what came could not be used */
    bool is_configured, is_stopping;
} client;

struct process *client_process(void)
{
    return client.is_configured ? client.process : NULL;
}

struct leat_client_area *client_area(void)
{
    return client.area;
}

void client_notice(const char *title, const char *text)
{
    const char *lines[] = {text};

    leat_log("%s: %s", title, text);
    screen_notice(title, lines, 1, 0);
}

/* -- what it says -- */

static void notice(const struct leat_ctl *message)
{
    const char *lines[] = {message->text};
    uint64_t seconds = message->arg[1];

    if (message->text[0] == 0) {
        screen_close();
        return;
    }
    screen_notice("Leat", lines, 1,
                  seconds > LEAT_SCREEN_SECONDS ? LEAT_SCREEN_SECONDS : (unsigned)seconds);
}

static void give_memory(struct process *process, const struct leat_ctl *message)
{
    struct leat_ctl answer = {.op = LEAT_CTL_ATTACH, .arg = {message->arg[2]}};
    const char *why = files_make(process, message->text, message->arg[1], &answer.entry.va);

    if (why != NULL) {
        leat_log("no memory for the server's file '%.63s', %llu KiB: %s", message->text,
                 (unsigned long long)message->arg[1] >> 10, why);
        process_send_text(process, LEAT_CTL_DETACH, "", message->arg[2], 0);
        return;
    }
    link_name(&answer.entry, "file", message->text);
    answer.entry.size = message->arg[1];
    process_send(process, &answer);
}

static void wipe(void *at, size_t size)
{
    explicit_bzero(at, size);
}

static void take_config(struct process *process, uint64_t size)
{
    const char *why = "it is larger than 192 KiB, or memory is short";
    char *copy;

    if (client.is_configured) {
        return;
    }
    files_finish(process);
    copy = size <= LEAT_CLIENT_CONFIG_BYTES ? malloc(size + 1) : NULL;
    if (copy != NULL) {
        memcpy(copy, client.area->config, size);
        timeline_mark("configuration");
        why = client.configured(copy, size);
        wipe(copy, size);
        free(copy);
    }
    wipe(client.area->config, sizeof(client.area->config));
    client.is_configured = why == NULL;
    if (why != NULL) { /* `restart client` begins again, with the files and with the menu */
        files_forget();
        choice_undo();
        leat_loop_timer_set(&supervisor_loop, &client.again,
                            leat_clock_ns() + (DEATH_NS << client.useless));
        client.useless += client.useless < MOST_DOUBLED;
        client_notice("What the server has given to run cannot be used", why);
    }
}

static void send_report(const char *text, size_t size)
{
    if (client.process != NULL && size < sizeof(client.area->report)) {
        memcpy(client.area->report, text, size + 1);
        process_send_text(client.process, LEAT_CTL_REPORT, "", size, 0);
    }
}

static void on_event(struct process *process, const struct leat_ctl *message)
{
    switch (message->arg[0]) {
    case LEAT_CLIENT_NOTICE:
        notice(message);
        break;
    case LEAT_CLIENT_OFFER:
        if (!client.is_configured) {
            timeline_mark("server");
            choice_offer(process, &client.area->offer);
        }
        break;
    case LEAT_CLIENT_MEMORY:
        if (!client.is_configured) { /* the VMs may need what is left */
            give_memory(process, message);
        }
        break;
    case LEAT_CLIENT_CONFIG:
        take_config(process, message->arg[1]);
        break;
    case LEAT_CLIENT_ENDED:
        client_notice("The server has ended this machine's session", message->text);
        break;
    case LEAT_CLIENT_PROFILE:
        profiles_taken();
        break;
    case LEAT_CLIENT_BUSY:
        vm_show_disk_status(message->text);
        break;
    case LEAT_CLIENT_REPORT:
        report_make(send_report);
        break;
    default:
        break;
    }
}

static void on_message(struct process *process, const struct leat_ctl *message)
{
    if (message->op == LEAT_CTL_CLIENT && process == client.process) {
        on_event(process, message);
    } else if (message->op == LEAT_CTL_REPLY) {
        prompt_reply(process, message);
    }
}

/* -- its life -- */

/* What other processes have of its channels. */
static void part(void)
{
    struct attachment *ends[] = {&client.net, &client.log};

    for (unsigned i = 0; i < 2; i++) {
        if (ends[i]->process != NULL) {
            process_send_text(ends[i]->process, LEAT_CTL_DETACH, "", ends[i]->cookie, 0);
        }
    }
    client.log.process = NULL; /* its bits are shared: nothing has to come back */
}

/* When it is started again; 0: never. */
static uint64_t say_death(const struct leat_domain_status *status)
{
    uint64_t now = leat_clock_ns();
    char how[120];
    bool at_once;

    if (client.is_stopping) {
        prompt_stop_goes_on();
        return 0;
    }
    at_once = pace_take(&client.deaths, now);
    process_describe_death(status, how, sizeof(how));
    leat_log("service 'client' has died: %s; it is started again%s", how,
             at_once ? "" : " in a minute, as it has died too often");
    return now + (at_once ? PAUSE_NS : DEATH_NS);
}

static void on_death(struct process *process, const struct leat_domain_status *status)
{
    uint64_t again_ns = say_death(status);

    prompt_forget_process(process);
    part();
    client.process = NULL;
    profiles_client_died();
    files_drop();
    if (!client.is_configured) {
        choice_forget();
        memset(client.area, 0, sizeof(*client.area));
    }
    leat_loop_timer_set(&supervisor_loop, &client.timer, again_ns);
}

static bool give_area(struct process *p)
{
    struct leat_start_entry *entry = process_entry(p, "offer", "");

    if (entry == NULL) {
        return false;
    }
    entry->size = (sizeof(*client.area) + LEAT_PAGE_SIZE - 1) & ~(LEAT_PAGE_SIZE - 1);
    entry->va = process_map(p, client.area_mem, entry->size, LEAT_PROT_READ | LEAT_PROT_WRITE);
    return entry->va != 0;
}

static bool join_net(struct process *p)
{
    struct leat_start_entry theirs = {0}, ours = {0};
    struct process *net = services_net();
    uint64_t cookie = link_cookie();

    link_name(&theirs, "net", "client");
    link_name(&ours, "net", "net");
    if (net == NULL ||
        link_processes(net, 0, &theirs, p, 0, &ours, sizeof(struct leat_net_channel)) != LEAT_OK) {
        return false;
    }
    client.net = (struct attachment){net, cookie, theirs.my_bits};
    return link_deliver(net, &theirs, cookie) == LEAT_OK && link_deliver(p, &ours, 0) == LEAT_OK;
}

static void give_arguments(struct process *p)
{
    process_argument(p, "servers=%s", client.config->leatd.servers);
    process_argument(p, "uuid=%s", client.identity.uuid);
    process_argument(p, "version=%s", LEAT_VERSION);
    if (machine_boot_info()->product[0] != 0) {
        process_argument(p, "product=%.63s", machine_boot_info()->product);
    }
    if (client.identity.may_enrol) {
        process_argument(p, "enrol=1");
    }
    if (client.is_configured) {
        process_argument(p, "goes_on=1");
    }
}

static bool build(void)
{
    struct process *p = process_create("client", "client", QUOTA, LEAT_PRIO_SERVICE);

    if (p == NULL) {
        return false;
    }
    p->on_message = on_message;
    p->on_death = on_death;
    services_attach_log(p, &client.log);
    give_arguments(p);
    if (!give_area(p) || !keys_give_text(p, client.identity.key) || !join_net(p) ||
        process_run(p) != LEAT_OK) {
        process_discard(p);
        part();
        return false;
    }
    client.process = p;
    profiles_client_came();
    return true;
}

static bool make_area(void)
{
    uint64_t size = (sizeof(*client.area) + LEAT_PAGE_SIZE - 1) & ~(LEAT_PAGE_SIZE - 1);

    client.area = leat_map_pages(size, 0, &client.area_mem);
    return client.area != NULL;
}

static void on_timer(void *context)
{
    (void)context;
    if (client.net.process != NULL) { /* net has not let go yet */
        leat_loop_timer_set(&supervisor_loop, &client.timer, leat_clock_ns() + PAUSE_NS);
    } else if (!build()) {
        leat_log("service 'client' cannot be started again; it is tried again in a minute");
        leat_loop_timer_set(&supervisor_loop, &client.timer, leat_clock_ns() + DEATH_NS);
    }
}

static void ask_again(void *context)
{
    (void)context;
    if (!client.is_configured) {
        client_restart();
    }
}

void client_start(const struct leat_config *config, client_configured_fn configured)
{
    const char *why;

    client.config = config;
    client.configured = configured;
    client.deaths = (struct pace){.step_ns = DEATH_NS, .burst = DEATHS};
    leat_loop_timer(&supervisor_loop, &client.timer, on_timer, NULL);
    leat_loop_timer(&supervisor_loop, &client.again, ask_again, NULL);
    why = identity_read(config, &client.identity);
    if (why != NULL) {
        client_notice("This machine has no key for its server", why);
    } else if (!services_has_net()) {
        client_notice("This machine's server cannot be reached",
                      "there is no network card that Leat knows");
    } else if (!make_area() || !build()) {
        client_notice("This machine's server cannot be asked", "service 'client' does not start");
    }
}

bool client_stop(void)
{
    if (client.process == NULL || client.is_stopping) {
        return false;
    }
    client.is_stopping = process_send_text(client.process, LEAT_CTL_STOP, "", 0, 0) == LEAT_OK;
    return client.is_stopping;
}

bool client_restart(void)
{
    if (client.process != NULL) {
        leat_domain_kill(client.process->domain, 0);
    } else if (client.area != NULL && !client.is_stopping) { /* it waits for its next start */
        leat_loop_timer_set(&supervisor_loop, &client.timer, leat_clock_ns());
    } else {
        return false;
    }
    return true;
}

bool client_detached(const struct process *net, uint64_t cookie)
{
    if (client.net.process == NULL || client.net.process != net || client.net.cookie != cookie) {
        return false;
    }
    process_return_bits(client.net.process, client.net.bits);
    client.net.process = NULL;
    return true;
}

void client_forget(const struct process *service)
{
    if (client.net.process == service) {
        client.net.process = NULL;
    }
    if (client.log.process == service) {
        client.log.process = NULL;
    }
}
