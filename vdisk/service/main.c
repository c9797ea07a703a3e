// SPDX-License-Identifier: BSD-2-Clause
/*
 * The vdisk service: the streaming engine between block channels (to vmms) and the net channel.
 *
 * All work is done in one place, `pump`, which the loop calls before each sleep; the notification's
 * bits only wake it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/channel.h"
#include "lib/clock.h"
#include "lib/ctl.h"
#include "lib/log.h"
#include "lib/splitmix.h"
#include "lib/start.h"
#include "lib/sys.h"
#include "vdisk/service/answer.h"
#include "vdisk/service/channel.h"
#include "vdisk/service/config.h"
#include "vdisk/tls/cpu_random.h"
#include "vdisk/service/keys.h"
#include "vdisk/service/local_disk.h"
#include "vdisk/service/profiles.h"
#include "vdisk/service/rounds.h"
#include "vdisk/net/secure_conn.h"
#include "vdisk/tls/sha256.h"

#define MAX_DISKS 32u
#define DEFAULT_CACHE_BYTES (64ull << 20)
#define DEFAULT_OVERLAY_BYTES (16ull << 20) /* of a disk for which nobody has reckoned one */
#define STOP_NS 10000000000ull              /* how long LEAT_CTL_STOP waits for unflushed writes */

struct attached {
    bool is_used;
    bool is_waiting; /* for the decision whether there is a local store */
    uint64_t cookie;
    struct leat_start_entry entry;
    struct channel channel;
    struct answer_disk answer;
    char text[sizeof((struct leat_ctl *)0)->text]; /* of the ATTACH message */
    char status[280];                              /* as last told to the supervisor */
};

static struct {
    struct leat_loop loop;
    struct leat_loop_timer timer, answer_timer;
    struct answer answer;
    struct vdisk *engine;
    struct net_conns net;
    struct leat_start_entry net_entry;
    struct attached *disks[MAX_DISKS];
    bool profile_is_under_way; /* the supervisor has not taken it yet */
    bool has_store;            /* the engine knows whether there is one */
    struct rounds rounds;
    uint64_t next_round_ns; /* not before; 0: at once */
    uint64_t stop_ns;       /* not 0: the service ends, at this time at the latest */
    uint64_t random;
} service;

/* -- the platform -- */

static uint64_t platform_now(void *ctx)
{
    (void)ctx;
    return leat_clock_ns();
}

static void *platform_connect(void *ctx, const char *host, uint16_t port,
                              const struct vdisk_conn_events *events, void *owner)
{
    (void)ctx;
    return secure_conn_open(&service.net, host, port, events, owner);
}

static void platform_close(void *ctx, void *conn)
{
    (void)ctx;
    secure_conn_close(conn);
}

static size_t platform_send(void *ctx, void *conn, const void *data, size_t size)
{
    (void)ctx;
    return secure_conn_send(conn, data, size);
}

static size_t platform_receive(void *ctx, void *conn, void *data, size_t size)
{
    (void)ctx;
    return secure_conn_receive(conn, data, size);
}

/* splitmix64 over a state that the time stamp counter stirs: good enough for jitter. */
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

static const struct vdisk_platform platform = {
    NULL,          platform_now,     platform_connect, platform_close,
    platform_send, platform_receive, platform_random,  platform_log,
    tls_sha256,
};

/* -- disks -- */

static void signal_entry(void *ctx)
{
    leat_signal_peer(ctx);
}

static void woken(void *ctx)
{
    (void)ctx; /* pump runs before the next sleep anyway */
}

struct args_source {
    const char *text; /* of the ATTACH message */
    const char *name;
};

/* The message's own lines first, then what the service was started with. */
static const char *get_arg(void *ctx, const char *key, char *buf, size_t size)
{
    const struct args_source *source = ctx;
    char full[128];
    if (leat_arg_find(source->text, strlen(source->text), key, buf, size))
        return buf;
    snprintf(full, sizeof full, "disk.%s.%s", source->name, key);
    return leat_start_arg(full, buf, size);
}

static void tell(const char *name, const char *what)
{
    char line[280];
    snprintf(line, sizeof line, "disk '%s': failed: %s", name, what);
    leat_log("%s", line);
    leat_ctl_send(LEAT_CTL_STATUS, line, 0, 0);
}

/* The vmm must learn that this disk never comes. */
static void refuse(const struct leat_start_entry *entry, const char *why)
{
    tell(entry->name, why);
    if (entry->va && entry->size >= sizeof(struct leat_blk_channel)) {
        struct leat_blk_info *info = &((struct leat_blk_channel *)entry->va)->info;
        snprintf(info->why, sizeof info->why, "failed: %s", why);
        __atomic_store_n(&info->state, LEAT_BLK_FAILED, __ATOMIC_RELEASE);
        leat_signal_peer(entry);
    }
}

static struct attached **free_place(void)
{
    for (unsigned i = 0; i < MAX_DISKS; i++)
        if (!service.disks[i])
            return &service.disks[i];
    return NULL;
}

/* No other disk shows the same image now. */
static bool is_alone(const struct attached *a)
{
    for (unsigned i = 0; i < MAX_DISKS; i++) {
        const struct attached *b = service.disks[i];
        if (b && b != a && b->is_used &&
            profiles_same_image(vdisk_config_of(a->channel.disk), vdisk_config_of(b->channel.disk)))
            return false;
    }
    return true;
}

/* The profile that the service has kept, or the file that leat.conf names. */
static void begin_profile(struct attached *a, struct args_source *source)
{
    char name[64] = "";
    const struct leat_start_entry *file = NULL;
    if (!is_alone(a))
        return;
    if (get_arg(source, "profile_file", name, sizeof name))
        file = leat_start_find("file", name);
    bool is_there = file && file->va;
    const char *why = profiles_begin(a->channel.disk, is_there ? (const void *)file->va : NULL,
                                     is_there ? file->size : 0);
    if (why)
        leat_log("disk '%s': profile_file %s: %s", a->entry.name, name, why);
}

static struct attached *new_disk(const struct leat_start_entry *entry, uint64_t cookie)
{
    struct attached **place = free_place();
    struct attached *a = place ? calloc(1, sizeof *a) : NULL;
    if (!a)
        return NULL;
    a->entry = *entry;
    a->entry.name[sizeof a->entry.name - 1] = 0;
    a->cookie = cookie;
    *place = a;
    return a;
}

static void start_disk(struct attached *a)
{
    struct args_source source = {a->text, a->entry.name};
    struct disk_args args = {get_arg, &source, keys_find};
    struct vdisk_config config;
    char why[200];
    a->is_waiting = false;
    if (!a->entry.va || a->entry.size < sizeof(struct leat_blk_channel))
        tell(a->entry.name, "its channel is too small");
    else if (disk_config(&args, a->entry.name, &config, why, sizeof why))
        refuse(&a->entry, why);
    else if (config.mode == VDISK_LOCAL && !local_disk_store())
        refuse(&a->entry,
               "mode = local needs a store on a local disk; the log says why there is none");
    else if (leat_loop_on(&service.loop, a->entry.my_bits, woken, NULL) != LEAT_OK ||
             channel_begin(&a->channel, service.engine, &config, (void *)a->entry.va, signal_entry,
                           &a->entry) != LEAT_OK)
        refuse(&a->entry, "vdisk has no memory for it");
    else
        a->is_used = true;
    if (a->is_used)
        begin_profile(a, &source);
}

static void attach(const struct leat_start_entry *entry, uint64_t cookie, const char *text)
{
    struct attached *a = new_disk(entry, cookie);
    if (!a) {
        refuse(entry, "vdisk has no memory or place for one more disk");
        return;
    }
    snprintf(a->text, sizeof a->text, "%s", text);
    a->is_waiting = !service.has_store;
    if (!a->is_waiting)
        start_disk(a);
}

/* The engine learns of the store before any disk. */
static void take_store(void)
{
    if (service.has_store || !local_disk_is_decided())
        return;
    service.has_store = true;
    if (local_disk_store())
        vdisk_use_store(service.engine, local_disk_store());
    for (unsigned i = 0; i < MAX_DISKS; i++)
        if (service.disks[i] && service.disks[i]->is_waiting)
            start_disk(service.disks[i]);
}

static void detach(uint64_t cookie)
{
    for (unsigned i = 0; i < MAX_DISKS; i++) {
        struct attached *a = service.disks[i];
        if (!a || a->cookie != cookie)
            continue;
        if (a->is_used && is_alone(a))
            profiles_end(a->channel.disk, a->entry.name);
        if (a->is_used)
            channel_end(&a->channel);
        leat_loop_off(&service.loop, a->entry.my_bits);
        leat_channel_release(&a->entry);
        free(a);
        service.disks[i] = NULL;
    }
}

static struct answer_disk *disk_to_answer_for(void *ctx, unsigned number)
{
    (void)ctx;
    for (unsigned i = 0; i < MAX_DISKS; i++) {
        struct attached *a = service.disks[i];
        if (!a || number--)
            continue;
        a->answer.name = a->entry.name;
        a->answer.disk = a->is_used ? a->channel.disk : NULL;
        a->answer.why = a->is_waiting ? "waits for the local disk" : "failed: see the log";
        return &a->answer;
    }
    return NULL;
}

static void send_answer(void *ctx, const char *line, uint64_t number, bool is_last)
{
    (void)ctx;
    leat_ctl_send(LEAT_CTL_REPLY, line, number, is_last);
}

static void pause_answer(bool has_more)
{
    uint64_t when = has_more ? leat_clock_ns() + ANSWER_PAUSE_NS : 0;
    leat_loop_timer_set(&service.loop, &service.answer_timer, when);
}

static void go_on_answering(void *ctx)
{
    (void)ctx;
    pause_answer(answer_go_on(&service.answer, leat_clock_ns()));
}

static void answer_query(const struct leat_ctl *message)
{
    char line[sizeof message->text];
    if (LEAT_QUERY_WHAT(message->arg[1]) == LEAT_QUERY_STATE && local_disk_line(line, sizeof line))
        leat_ctl_send(LEAT_CTL_REPLY, line, message->arg[0], 0);
    answer_begin(&service.answer, message->arg[0], message->arg[1], leat_clock_ns());
    pause_answer(service.answer.is_on);
}

/* Up to whoever has the machine's server: one at a time, through memory that the supervisor reads. */
static void send_profile(void)
{
    const struct leat_start_entry *entry = leat_start_find("profile", NULL);
    const char *name;
    size_t size;
    if (!entry || !entry->va || service.profile_is_under_way)
        return;
    size = profiles_unsent((void *)entry->va, entry->size, &name);
    service.profile_is_under_way =
        size && leat_ctl_send(LEAT_CTL_PROFILE, name, size, 0) == LEAT_OK;
}

static void on_ctl(const struct leat_ctl *message)
{
    switch (message->op) {
    case LEAT_CTL_ATTACH:
        if (!strncmp(message->entry.role, "disk", sizeof message->entry.role))
            attach(&message->entry, message->arg[0], message->text);
        else if (!strncmp(message->entry.role, "store", sizeof message->entry.role) &&
                 !local_disk_attach(&message->entry))
            leat_channel_release(&message->entry);
        break;
    case LEAT_CTL_DETACH:
        if (!local_disk_detach(message->arg[0], message->arg[1] != 0))
            detach(message->arg[0]);
        leat_ctl_send(LEAT_CTL_DETACHED, NULL, message->arg[0], 0);
        break;
    case LEAT_CTL_QUERY:
        answer_query(message);
        break;
    case LEAT_CTL_PROFILE:
        service.profile_is_under_way = false;
        break;
    case LEAT_CTL_STOP:
        vdisk_drain(service.engine);
        service.stop_ns = leat_clock_ns() + STOP_NS;
        break;
    default:
        break;
    }
}

/* -- the one place -- */

static void report_status(struct attached *a)
{
    char line[sizeof a->status];
    vdisk_status_line(a->channel.disk, line, sizeof line);
    if (!strcmp(line, a->status))
        return;
    memcpy(a->status, line, sizeof line);
    leat_ctl_send(LEAT_CTL_STATUS, line, a->cookie, 0);
}

static void stop_when_drained(void)
{
    uint64_t now_ns = leat_clock_ns();
    if (vdisk_is_drained(service.engine))
        exit(0);
    if (now_ns < service.stop_ns) {
        leat_loop_timer_set(&service.loop, &service.timer, now_ns + STOP_NS / 100);
        return;
    }
    leat_log("stopping with writes that the server has not flushed");
    exit(1);
}

/* Requests, answers or bytes since the last flush. */
static bool has_moved(void)
{
    bool has = net_conns_have_moved(&service.net) || local_disk_has_moved();
    for (unsigned i = 0; i < MAX_DISKS && !has; i++) {
        const struct attached *a = service.disks[i];
        has = a && a->is_used && a->channel.is_touched;
    }
    return has;
}

static bool pump(void *ctx)
{
    (void)ctx;
    local_disk_run();
    take_store();
    net_conns_run(&service.net);
    bool may_sleep = !secure_conns_run();
    if (net_conns_came_up(&service.net))
        vdisk_network_up(service.engine);
    for (unsigned i = 0; i < MAX_DISKS; i++)
        if (service.disks[i] && service.disks[i]->is_used)
            channel_serve(&service.disks[i]->channel);
    uint64_t when = vdisk_run(service.engine);
    bool has_worked = !may_sleep || has_moved();
    service.next_round_ns = rounds_next(&service.rounds, has_worked, leat_clock_ns());
    for (unsigned i = 0; i < MAX_DISKS; i++) {
        struct attached *a = service.disks[i];
        if (!a || !a->is_used)
            continue;
        if (a->channel.has_changed) {
            report_status(a);
            profiles_keep(a->channel.disk, a->entry.name);
        }
        channel_flush(&a->channel);
        may_sleep &= channel_may_sleep(&a->channel);
    }
    send_profile();
    local_disk_flush();
    may_sleep &= local_disk_may_sleep();
    net_conns_flush(&service.net);
    may_sleep &= net_conns_may_sleep(&service.net);
    leat_loop_timer_set(&service.loop, &service.timer, when == UINT64_MAX ? 0 : when);
    if (service.stop_ns)
        stop_when_drained();
    return !may_sleep;
}

static _Noreturn void serve(void)
{
    int64_t nobody = leat_notif_create(); /* whom nobody can signal */
    rounds_init(&service.rounds);
    leat_loop_idle(&service.loop, pump, NULL);
    for (;;) {
        if (nobody > 0 && service.next_round_ns)
            leat_notif_wait((leat_handle_t)nobody, 1, service.next_round_ns);
        leat_loop_step(&service.loop);
    }
}

static void start_net(void)
{
    const struct leat_start_entry *entry = leat_start_find("net", NULL);
    if (!entry || entry->size < sizeof(struct leat_net_channel))
        leat_fatal("vdisk was given no network channel: no disk can be reached");
    service.net_entry = *entry;
    net_conns_init(&service.net, (void *)entry->va, signal_entry, &service.net_entry);
    leat_loop_on(&service.loop, entry->my_bits, woken, NULL);
}

/* The library's date is the machine's clock, as guests' is. */
time_t tls_wall_clock(time_t *now)
{
    time_t s = (time_t)leat_wall_clock_s();
    if (now)
        *now = s;
    return s;
}

static void start_keys(void)
{
    static struct tls_random_source source;
    const struct leat_start_entry *entry = leat_start_find("keys", NULL);
    if (!entry || !entry->va)
        return;
    cpu_random_find(&source);
    keys_take((void *)entry->va, entry->size,
              &(struct keys_world){&source, leat_wall_clock_s(), LEAT_BUILD_TIME});
}

static uint64_t number_arg(const char *key, uint64_t otherwise)
{
    char text[32];
    uint64_t value;
    if (!leat_start_arg(key, text, sizeof text))
        return otherwise;
    if (parse_number(text, UINT64_MAX, &value))
        return value;
    leat_log("%s=%s is not a number; %llu is used", key, text, (unsigned long long)otherwise);
    return otherwise;
}

int main(void)
{
    struct vdisk_limits limits = {.cache_bytes = number_arg("cache", DEFAULT_CACHE_BYTES)};
    limits.overlay_bytes = number_arg("overlay", DEFAULT_OVERLAY_BYTES);
    limits.log_bytes = number_arg("unflushed", 8ull << 20);
    limits.connections = (uint32_t)number_arg("connections", 1);
    limits.silence_ns = number_arg("silence", 30) * 1000000000ull;
    leat_loop_init(&service.loop, leat_start_notif());
    leat_loop_timer(&service.loop, &service.timer, woken, NULL);
    leat_loop_timer(&service.loop, &service.answer_timer, go_on_answering, NULL);
    service.answer.disk = disk_to_answer_for;
    service.answer.send = send_answer;
    service.engine = vdisk_create(&platform, &limits);
    if (!service.engine)
        leat_fatal("no memory for a cache of %llu MiB: make cache= smaller",
                   (unsigned long long)(limits.cache_bytes >> 20));
    start_net();
    const struct store_platform clock = {NULL, platform_now, platform_random, NULL, platform_log};
    local_disk_begin(&service.loop, woken, &clock);
    start_keys();
    if (leat_ctl_init(&service.loop, on_ctl) != LEAT_OK)
        leat_fatal("vdisk was given no control channel");
    for (const struct leat_start_entry *e = leat_start_next("disk", NULL); e;
         e = leat_start_next("disk", e))
        attach(e, 0, "");
    serve();
}
