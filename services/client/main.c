// SPDX-License-Identifier: BSD-2-Clause
/*
 * The process that speaks with leatd: client/ between the supervisor (include/leat/client.h) and the network channel.
 *
 * All work is done in one place, `pump`, which the loop calls before each sleep; the notification's bits only wake it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <leat/client.h>

#include "client/client.h"
#include "lib/channel.h"
#include "lib/clock.h"
#include "lib/ctl.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/splitmix.h"
#include "lib/start.h"
#include "services/client/conn.h"
#include "services/client/keys.h"
#include "vdisk/tls/cpu_random.h"
#include "vdisk/tls/sha256.h"

#define MAX_FILES 192u /* three of each entry of an offer */

struct file {
    uint64_t asked_bytes;
    struct leat_start_entry entry; /* va 0: not there */
};

static struct {
    struct leat_loop loop;
    struct leat_loop_timer timer;
    struct net_conns net;
    struct leat_start_entry net_entry;
    struct keys keys;
    struct client *client;
    struct leat_client_area *area;
    struct file files[MAX_FILES]; /* by number - 1 */
    bool has_config;
    uint64_t random;
} service;

/* -- the platform -- */

static uint64_t platform_now(void *ctx)
{
    (void)ctx;
    return leat_clock_ns();
}

/* As vdisk's: good enough for jitter. */
static uint64_t platform_random(void *ctx)
{
    (void)ctx;
    return splitmix64_mix(service.random += SPLITMIX64_STEP ^ leat_rdtsc());
}

static void platform_log(void *ctx, const char *line)
{
    (void)ctx;
    leat_log("%s", line);
}

static void platform_sha256(const void *data, size_t size, uint8_t out[32])
{
    tls_sha256("", 0, data, size, out);
}

static const struct client_platform platform = {
    NULL,         platform_now, conn_open,       conn_state,   conn_send,
    conn_receive, conn_close,   platform_random, platform_log, platform_sha256,
};

time_t tls_wall_clock(time_t *now)
{
    time_t s = (time_t)leat_wall_clock_s();
    if (now)
        *now = s;
    return s;
}

/* -- what the client gives -- */

static void tell(enum leat_client_event event, const char *text, uint64_t value, uint64_t number)
{
    const uint64_t arg[4] = {event, value, number};
    if (leat_ctl_send_all(LEAT_CTL_CLIENT, text, arg) != LEAT_OK)
        leat_fatal("the supervisor does not take what the client has to say");
}

/* The log has each once, however often it is said again. */
static void on_notice(void *ctx, const char *text, uint64_t wait_s)
{
    static char last[sizeof((struct leat_ctl *)0)->text];
    (void)ctx;
    if (text[0] && strncmp(text, last, sizeof last - 1) != 0)
        leat_log("%s", text);
    snprintf(last, sizeof last, "%s", text);
    tell(LEAT_CLIENT_NOTICE, text, wait_s, 0);
}

static void on_offer(void *ctx, const struct leat_client_offer *offer)
{
    (void)ctx;
    service.area->offer = *offer;
    tell(LEAT_CLIENT_OFFER, "", 0, 0);
}

static void on_memory(void *ctx, const char *name, uint64_t size, uint64_t number)
{
    (void)ctx;
    service.files[number - 1].asked_bytes = size;
    tell(LEAT_CLIENT_MEMORY, name, size, number);
}

static void on_config(void *ctx, const char *text, size_t size)
{
    struct client_saved saved;
    (void)ctx;
    client_save(service.client, &saved);
    memcpy(service.area->state, &saved, sizeof saved);
    memcpy(service.area->config, text, size);
    service.has_config = true;
    tell(LEAT_CLIENT_CONFIG, "", size, 0);
}

static void on_ended(void *ctx, const char *why)
{
    (void)ctx;
    tell(LEAT_CLIENT_ENDED, why, 0, 0);
}

/* The supervisor starts the process again. */
static void on_start_again(void *ctx, const char *why)
{
    (void)ctx;
    leat_fatal("the start begins again: %s", why);
}

static void on_profile_taken(void *ctx, size_t size)
{
    (void)ctx;
    tell(LEAT_CLIENT_PROFILE, "", size, 0);
}

static void on_want_report(void *ctx)
{
    (void)ctx;
    tell(LEAT_CLIENT_REPORT, "", 0, 0);
}

static void on_progress(void *ctx, const char *text)
{
    (void)ctx;
    tell(LEAT_CLIENT_NOTICE, text, 0, 0);
}

static void on_busy(void *ctx, const char *text)
{
    (void)ctx;
    tell(LEAT_CLIENT_BUSY, text, 0, 0);
}

static const struct client_output output = {
    NULL,           on_notice,        on_offer,       on_memory,   on_config, on_ended,
    on_start_again, on_profile_taken, on_want_report, on_progress, on_busy,
};

/* -- the supervisor -- */

static struct file *file_of(uint64_t number)
{
    return number && number <= MAX_FILES ? &service.files[number - 1] : NULL;
}

static void attach(const struct leat_start_entry *entry, uint64_t number)
{
    struct file *file = file_of(number);
    if (strncmp(entry->role, "file", sizeof entry->role) != 0 || !file || file->entry.va) {
        leat_channel_release(entry);
        return;
    }
    file->entry = *entry;
    bool fits = entry->va && file->asked_bytes && entry->size >= file->asked_bytes;
    client_memory(service.client, number, fits ? (void *)entry->va : NULL);
}

/* The answer to a request for memory that there is none of, or the end of a file. */
static void detach(uint64_t number)
{
    struct file *file = file_of(number);
    if (file && file->entry.va) {
        if (!service.has_config)
            leat_fatal("a file's memory was taken away while it was being filled");
        leat_channel_release(&file->entry);
        file->entry.va = 0;
    } else {
        client_memory(service.client, number, NULL);
    }
    leat_ctl_send(LEAT_CTL_DETACHED, NULL, number, 0);
}

static void take_report(uint64_t size)
{
    static char text[LEAT_CLIENT_REPORT_BYTES];
    size = size < sizeof text ? size : sizeof text;
    memcpy(text, service.area->report, size);
    client_report(service.client, text, size);
}

static void take_profile(uint64_t size)
{
    char disk[sizeof service.area->profile_disk];
    memcpy(disk, service.area->profile_disk, sizeof disk);
    disk[sizeof disk - 1] = 0;
    client_profile(service.client, disk, service.area->profile, size);
}

static void on_ctl(const struct leat_ctl *message)
{
    switch (message->op) {
    case LEAT_CTL_ATTACH:
        attach(&message->entry, message->arg[0]);
        break;
    case LEAT_CTL_DETACH:
        detach(message->arg[0]);
        break;
    case LEAT_CTL_CHOOSE:
        client_choose(service.client, message->arg[0]);
        break;
    case LEAT_CTL_REPORT:
        take_report(message->arg[0]);
        break;
    case LEAT_CTL_PROFILE:
        take_profile(message->arg[0]);
        break;
    case LEAT_CTL_QUERY:
        leat_ctl_send(LEAT_CTL_REPLY, client_describe(service.client), message->arg[0], 1);
        break;
    case LEAT_CTL_STOP:
        client_stop(service.client);
        break;
    default:
        break;
    }
}

/* -- the one place -- */

static void woken(void *ctx)
{
    (void)ctx; /* pump runs before the next sleep anyway */
}

static void signal_net(void *ctx)
{
    leat_signal_peer(ctx);
}

/* What net says of a network that is not there. */
static void say_why_not(void)
{
    static char said[sizeof service.net.channel->info.why];
    const struct leat_net_info *info = &service.net.channel->info;
    char why[sizeof said];
    if (info->state == LEAT_NET_UP)
        return;
    memcpy(why, info->why, sizeof why);
    why[sizeof why - 1] = 0;
    if (!why[0] || !strcmp(why, said))
        return;
    strcpy(said, why);
    client_network_waits(service.client, why);
}

static void look_at_network(void)
{
    static const uint8_t none[6];
    uint8_t mac[6];
    if (!net_conns_came_up(&service.net)) {
        say_why_not();
        return;
    }
    memcpy(mac, service.net.channel->info.mac, sizeof mac);
    if (memcmp(mac, none, sizeof mac) != 0)
        client_set_mac(service.client, mac);
    client_network_up(service.client);
}

static bool pump(void *ctx)
{
    (void)ctx;
    net_conns_run(&service.net);
    bool may_sleep = !secure_conns_run();
    look_at_network();
    uint64_t when = client_run(service.client);
    net_conns_flush(&service.net);
    may_sleep &= net_conns_may_sleep(&service.net);
    leat_loop_timer_set(&service.loop, &service.timer, when == UINT64_MAX ? 0 : when ? when : 1);
    if (client_is_over(service.client))
        exit(0);
    return !may_sleep;
}

/* -- the start -- */

static void start_net(void)
{
    const struct leat_start_entry *entry = leat_start_find("net", NULL);
    if (!entry || entry->size < sizeof(struct leat_net_channel))
        leat_fatal("the client was given no network channel: no server can be asked");
    service.net_entry = *entry;
    net_conns_init(&service.net, (void *)entry->va, signal_net, &service.net_entry);
    leat_loop_on(&service.loop, entry->my_bits, woken, NULL);
}

static void start_area(void)
{
    const struct leat_start_entry *entry = leat_start_find("offer", NULL);
    if (!entry || entry->size < sizeof(struct leat_client_area))
        leat_fatal("the client was given no area for what is offered");
    service.area = (void *)entry->va;
}

static void start_keys(void)
{
    static struct tls_random_source source;
    char enrol[CLIENT_PSK_BYTES];
    const struct leat_start_entry *entry = leat_start_find("keys", NULL);
    cpu_random_find(&source);
    client_enrol_psk(&platform, enrol);
    const char *why = keys_begin(&service.keys, entry ? (void *)entry->va : NULL,
                                 entry ? entry->size : 0, enrol, &source);
    if (why) {
        on_notice(NULL, why, 0);
        leat_fatal("no server can be asked: %s", why);
    }
    conns_begin(&service.net, &service.keys);
}

static void start_client(void)
{
    static struct client_config config;
    struct client_saved saved;
    char text[600], flag[8];
    const char *why;
    if (!leat_start_arg("servers", text, sizeof text) || !client_take_servers(&config, text))
        leat_fatal("the client was told no server");
    strcpy(config.psk, service.keys.psk);
    config.may_enrol = leat_start_arg("enrol", flag, sizeof flag) && flag[0] == '1';
    leat_start_arg("version", config.version, sizeof config.version);
    leat_start_arg("product", config.product, sizeof config.product);
    service.client = client_create(&config, &platform, &output, &why);
    if (!service.client) {
        on_notice(NULL, why, 0);
        leat_fatal("no server can be asked: %s", why);
    }
    if (!leat_start_arg("goes_on", flag, sizeof flag) || flag[0] != '1')
        return;
    service.has_config = true;
    memcpy(&saved, service.area->state, sizeof saved);
    if (!client_go_on(service.client, &saved)) {
        on_notice(NULL, "The session cannot be renewed any more: restart the machine.", 0);
        leat_fatal("the session cannot be gone on with: what was kept of it makes no sense");
    }
}

_Static_assert(sizeof(struct client_saved) <= LEAT_CLIENT_STATE_BYTES, "it has its place");

int main(void)
{
    leat_loop_init(&service.loop, leat_start_notif());
    leat_loop_timer(&service.loop, &service.timer, woken, NULL);
    if (leat_ctl_init(&service.loop, on_ctl) != LEAT_OK)
        leat_fatal("the client was given no control channel");
    start_net();
    start_area();
    start_keys();
    start_client();
    leat_loop_idle(&service.loop, pump, NULL);
    leat_loop_run(&service.loop);
}
