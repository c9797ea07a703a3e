// SPDX-License-Identifier: BSD-2-Clause
/*
 * leat-fair: one engine, several disks of several tenants, each kept busy in its own way, on one
 * server. Prints one line of JSON: how late the host let it run (watch.h), and for each disk the bytes
 * that it got, how long its requests took, and of a boot how long it waited in all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/fair/watch.h"
#include "vdisk/leat_nbd/sockets.h"
#include "vdisk/profile/profile.h"
#include "vdisk/vdisk.h"

#define MOST_DISKS 8u
#define MOST_FLYING 64u
#define MOST_TIMES 100000u
#define SECOND_NS 1000000000ull

static const char usage[] =
    "usage: leat-fair SETTLE SECONDS SOCKET-PATH EXPORT:KIND:WEIGHT[:TENANT] ...\n"
    "  KIND  bulk    64 reads of 64 KiB at a time\n"
    "        small   one read of 4 KiB at a time, with pauses of 5 ms\n"
    "        write   16 writes of 64 KiB at a time\n"
    "        stream  no requests: a boot profile of 1 GiB\n"
    "        boot    after SETTLE seconds: a boot profile of 8 MiB, and one\n"
    "                read of 16 KiB at a time of just that\n"
    "The first SETTLE seconds do not count.\n";

static const struct kind {
    const char *name;
    uint32_t flying, bytes, op;
    uint64_t pause_ns;
    uint32_t runs; /* of its boot profile: of 256 KiB each, 1 MiB apart */
} kinds[] = {{"bulk", 64, 65536, LEAT_BLK_READ, 0, 0},
             {"small", 1, 4096, LEAT_BLK_READ, 5000000, 0},
             {"write", 16, 65536, LEAT_BLK_WRITE, 0, 0},
             {"stream", 0, 4096, LEAT_BLK_READ, 0, 4096},
             {"boot", 1, 16384, LEAT_BLK_READ, 0, 32}};

static struct load {
    const struct kind *kind;
    struct vdisk_config config;
    struct vdisk_disk *disk;
    uint64_t size_bytes, got_bytes, pause_until_ns[MOST_FLYING];
    bool is_busy[MOST_FLYING];
    struct vdisk_request requests[MOST_FLYING];
    uint64_t began_ns[MOST_FLYING];
    uint32_t count, times_us[MOST_TIMES];
    uint64_t booted; /* bytes that a boot has asked for */
    bool has_profile;
} loads[MOST_DISKS];

static struct vdisk *engine;
static uint64_t count_from_ns, seed = 88172645463325252ull;
static uint8_t data[65536];

static uint64_t now_ns(void)
{
    return sockets_platform.now_ns(NULL);
}

static uint64_t chance(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static void changed(void *owner)
{
    (void)owner;
}

static void request_done(struct vdisk_request *r, int status)
{
    struct load *l = r->owner;
    size_t i = (size_t)(r - l->requests);
    uint64_t now = now_ns();
    if (status != LEAT_OK) {
        fprintf(stderr, "leat-fair: a request ended with %d\n", status);
        exit(1);
    }
    l->is_busy[i] = false;
    l->pause_until_ns[i] = now + l->kind->pause_ns;
    if (now < count_from_ns)
        return;
    l->got_bytes += r->length;
    if (l->count < MOST_TIMES)
        l->times_us[l->count++] = (uint32_t)((now - l->began_ns[i]) / 1000);
}

#define RUN_BYTES (256u << 10)
#define RUN_APART (1u << 20)

static bool is_boot(const struct load *l)
{
    return l->kind->runs && l->kind->flying;
}

/* Somewhere on the disk, so that nothing helps but the link; a boot: the next of its profile. */
static uint64_t next_offset(struct load *l)
{
    if (!is_boot(l))
        return chance() % (l->size_bytes / l->kind->bytes) * l->kind->bytes;
    uint64_t at = l->booted;
    l->booted += l->kind->bytes;
    return at / RUN_BYTES * RUN_APART + at % RUN_BYTES;
}

static void put_profile(struct load *l)
{
    struct profile p = {.size_bytes = l->size_bytes, .boots = 1};
    for (uint64_t i = 0; i < l->kind->runs; i++)
        profile_add(&p, i * (RUN_APART / 4096), RUN_BYTES / 4096, (uint32_t)i, 1);
    size_t size = profile_encoded_bytes(&p);
    void *file = malloc(size);
    profile_encode(&p, file);
    const char *why = vdisk_profile_put(l->disk, file, size);
    if (why)
        fprintf(stderr, "leat-fair: %s\n", why);
    free(file);
    profile_free(&p);
    l->has_profile = true;
}

/* A boot begins when the others are at work, and ends. */
static bool has_something_to_do(struct load *l, uint64_t now)
{
    if (!is_boot(l))
        return true;
    if (now >= count_from_ns && !l->has_profile)
        put_profile(l);
    return l->has_profile && l->booted < (uint64_t)l->kind->runs * RUN_BYTES;
}

/* Returns when it wants to go on. */
static uint64_t keep_busy(struct load *l)
{
    uint64_t now = now_ns(), when = UINT64_MAX;
    for (uint32_t i = 0; i < l->kind->flying; i++) {
        if (l->is_busy[i] || !has_something_to_do(l, now))
            continue;
        if (now < l->pause_until_ns[i]) {
            when = l->pause_until_ns[i] < when ? l->pause_until_ns[i] : when;
            continue;
        }
        l->requests[i] = (struct vdisk_request){.op = l->kind->op,
                                                .offset = next_offset(l),
                                                .length = l->kind->bytes,
                                                .data = data,
                                                .done = request_done,
                                                .owner = l};
        l->is_busy[i] = true;
        l->began_ns[i] = now;
        vdisk_submit(l->disk, &l->requests[i]);
    }
    return when;
}

static void wait_for_news(uint64_t when)
{
    struct pollfd fds[SOCKETS_MAX];
    int n = sockets_poll_set(fds);
    uint64_t now = now_ns(), most = now + SECOND_NS / 10;
    when = when < most ? when : most;
    int ms = when <= now ? 0 : (int)((when - now + 999999) / 1000000);
    poll(fds, (nfds_t)n, sockets_have_news() ? 0 : ms);
    sockets_deliver(fds, n);
}

static void parse(struct load *l, const char *host, char *text)
{
    const char *name = strtok(text, ":"), *kind = strtok(NULL, ":"), *weight = strtok(NULL, ":");
    const char *tenant = strtok(NULL, ":");
    for (size_t i = 0; weight && i < sizeof kinds / sizeof kinds[0]; i++)
        if (!strcmp(kind, kinds[i].name))
            l->kind = &kinds[i];
    if (!l->kind || strlen(host) >= sizeof l->config.host) {
        fputs(usage, stderr);
        exit(2);
    }
    strcpy(l->config.host, host);
    snprintf(l->config.name, sizeof l->config.name, "%s", tenant ? tenant : name);
    snprintf(l->config.export_name, sizeof l->config.export_name, "%s", name);
    l->config.is_read_only = l->kind->op == LEAT_BLK_READ;
    l->config.link_weight = (uint32_t)atoi(weight);
}

static uint64_t streamed_bytes(const struct load *l)
{
    struct vdisk_figures figures;
    vdisk_figures_of(l->disk, &figures);
    return figures.profile_there;
}

static uint64_t run_once(unsigned disks, bool is_busy)
{
    uint64_t when = vdisk_run(engine);
    for (unsigned i = 0; is_busy && i < disks; i++) {
        uint64_t its = keep_busy(&loads[i]);
        when = its < when ? its : when;
    }
    if (is_busy) { /* what has been submitted leaves now */
        uint64_t again = vdisk_run(engine);
        when = again < when ? again : when;
    }
    return when;
}

static void keep_all_busy(unsigned disks, uint64_t end_ns)
{
    while (now_ns() < end_ns)
        wait_for_news(run_once(disks, true));
}

static bool are_known(unsigned disks)
{
    bool all = true;
    for (unsigned i = 0; i < disks; i++) {
        struct leat_blk_info info;
        vdisk_info(loads[i].disk, &info);
        if (info.state == LEAT_BLK_FAILED)
            exit(1); /* the reason has been logged */
        loads[i].size_bytes = info.size_bytes;
        all &= info.size_bytes != 0;
    }
    return all;
}

/* A server may not like it when somebody leaves whom it still answers. */
static void finish(unsigned disks)
{
    for (unsigned i = 0; i < disks; i++)
        for (uint32_t k = 0; k < loads[i].kind->flying; k++)
            while (loads[i].is_busy[k])
                wait_for_news(run_once(disks, false));
    for (uint64_t end_ns = now_ns() + SECOND_NS; now_ns() < end_ns;) /* read-ahead */
        wait_for_news(run_once(disks, false));
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void print(unsigned disks)
{
    struct watch_lapses lapses = watch_lapses();
    printf("{\"late_us\": %llu, \"longest_us\": %llu, \"disks\": [",
           (unsigned long long)lapses.all_us, (unsigned long long)lapses.longest_us);
    for (unsigned i = 0; i < disks; i++) {
        struct load *l = &loads[i];
        uint64_t waited_us = 0;
        for (uint32_t k = 0; k < l->count; k++)
            waited_us += l->times_us[k];
        qsort(l->times_us, l->count, sizeof l->times_us[0], by_size);
        uint32_t last = l->count ? l->count - 1 : 0;
        printf("%s{\"disk\": \"%s\", \"bytes\": %llu, \"requests\": %u, \"half_us\": %u, "
               "\"most_us\": %u, \"waited_us\": %llu}",
               i ? ", " : "", l->config.export_name, (unsigned long long)l->got_bytes, l->count,
               l->times_us[last / 2], l->times_us[(uint64_t)last * 99 / 100],
               (unsigned long long)waited_us);
    }
    puts("]}");
}

int main(int argc, char **argv)
{
    struct vdisk_limits limits = {.cache_bytes = 512u << 20, .connections = 1};
    unsigned disks = argc > 4 ? (unsigned)argc - 4 : 0;
    if (!disks || disks > MOST_DISKS) {
        fputs(usage, stderr);
        return 2;
    }
    watch_begin();
    engine = vdisk_create(&sockets_platform, &limits);
    for (unsigned i = 0; i < disks; i++) {
        parse(&loads[i], argv[3], argv[i + 4]);
        loads[i].disk = vdisk_attach(engine, &loads[i].config, changed, NULL);
    }
    while (!are_known(disks))
        wait_for_news(run_once(disks, false));
    for (unsigned i = 0; i < disks; i++)
        if (!loads[i].kind->flying)
            put_profile(&loads[i]);
    count_from_ns = now_ns() + (uint64_t)atoi(argv[1]) * SECOND_NS;
    keep_all_busy(disks, count_from_ns);
    for (unsigned i = 0; i < disks; i++)
        loads[i].got_bytes = loads[i].kind->flying ? 0 : 0 - streamed_bytes(&loads[i]);
    keep_all_busy(disks, count_from_ns + (uint64_t)atoi(argv[2]) * SECOND_NS);
    for (unsigned i = 0; i < disks; i++)
        loads[i].got_bytes += loads[i].kind->flying ? 0 : streamed_bytes(&loads[i]);
    print(disks);
    finish(disks);
    return 0;
}
