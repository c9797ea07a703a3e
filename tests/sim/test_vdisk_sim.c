// SPDX-License-Identifier: BSD-2-Clause
/*
 * Shows that whatever the network, the server and the local disk do, no disk returns a byte that
 * nobody wrote, loses a write that was flushed, or lets a request hang: random guests against a
 * model, power cuts at any moment, one history for each seed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/vdisk_sim.h"
#include "vdisk/engine.h"

#define OPERATIONS 30u
#define MAX_STEPS 3000000u
#define MAX_TIME_NS (7200000ull * SIM_MS)

struct sim_machine sim_machine;
static struct vdisk_limits limits;
static uint64_t lost_ns;        /* when the store was taken away */
static struct verity_root root; /* of the image, if it has one */
static uint64_t power_cuts, store_formats, disk_bytes;

/* The image has a hash tree, and the server lies. */
static void choose_lies(struct sim_profile *p)
{
    uint64_t kind = sim_random() % 4;
    p->has_root = true;
    p->lie_data = kind == 1 ? 30 : kind == 2 ? 3 : 0;
    p->lie_tree = kind == 1 ? 0 : kind == 2 ? 3 : 30;
    p->lie_other = sim_random() % 2 ? 20 : 0;
    if (sim_random() % 16 == 0) /* nobody tells the truth */
        p->lie_data = p->lie_tree = 1000;
}

static void choose_profile(void)
{
    uint64_t kind = sim_random() % 8;
    struct sim_profile p = {.delay_ms = (uint32_t)(sim_random() % 40),
                            .think_ms = (uint32_t)(sim_random() % 60),
                            .structured = sim_random() % 2,
                            .has_fua = sim_random() % 2,
                            .has_flush = sim_random() % 8 != 0,
                            .has_trim = sim_random() % 4 != 0,
                            .has_multi_conn = sim_random() % 2,
                            .is_sparse = sim_random() % 2,
                            .min_block = sim_random() % 4 ? 1 : 4096,
                            .max_block = sim_random() % 2 ? 32u << 20 : 64u << 10};
    p.has_status = p.structured && sim_random() % 2;
    p.cut = kind == 1 || kind == 7 ? 15 : 0;
    p.corrupt = kind == 2 ? 15 : 0;
    p.truncate = kind == 3 || kind == 7 ? 10 : 0;
    p.silent = kind == 4 ? 8 : 0;
    p.restart = kind == 5 || kind == 6 || kind == 7 ? 20 : 0;
    p.server_error = sim_random() % 8 == 0 ? 20 : 0;
    p.duplicate = kind == 2 ? 10 : 0;
    sim_profile = p;
    if (sim_random() % 4 == 0)
        choose_lies(&sim_profile);
}

/* -- running -- */

static bool step(uint64_t engine_when)
{
    return sim_machine.has_store ? sim_store_step(engine_when) : sim_step(engine_when);
}

/* Another image may come only when the engine has seen enough of the first to notice. */
static void look_at_samples(void)
{
    uint8_t content[CONTENT_BYTES];
    struct vdisk_disk *d = sim_machine.disks[0].disk;
    sim_server_may_change = d && identity_content(d->export, content);
}

bool sim_run(bool (*is_done)(void), uint64_t commands, const char *what)
{
    uint64_t begin = sim_now();
    for (uint32_t steps = 0;; steps++) {
        uint64_t when = vdisk_run(sim_machine.engine);
        if (is_done())
            return true;
        if (store_disk.commands >= commands)
            return false;
        if (!step(when) || steps == MAX_STEPS || sim_now() - begin > MAX_TIME_NS)
            sim_fail("%s: a request hangs", what);
        look_at_samples();
    }
}

static bool is_drained(void)
{
    return vdisk_is_drained(sim_machine.engine);
}

/* -- the machine -- */

static void forget_models(void)
{
    for (unsigned i = 0; i < sim_machine.disk_count; i++) {
        sim_model_free(sim_machine.disks[i].model);
        sim_machine.disks[i].model = sim_model_new(sim_machine.sectors);
    }
}

static bool is_layered(void)
{
    return sim_machine.disks[0].config.mode == VDISK_SERVER;
}

static bool is_local(void)
{
    return sim_machine.disks[0].config.mode == VDISK_LOCAL;
}

/* The local disk is lost while the machine runs. */
static void lose_store(void *ctx, uint64_t life)
{
    (void)ctx;
    if (life != sim_machine.disks[0].life)
        return;
    sim_machine.has_lost_store = is_local() || sim_machine.spills;
    lost_ns = sim_now();
    vdisk_use_store(sim_machine.engine, NULL);
    sim_store_cut();
}

/* A local disk that lies: blocks under the image's name, or its tree's, that are not of it. */
static void poison(struct store *s)
{
    uint8_t name[CONTENT_BYTES], block[VERITY_BLOCK_BYTES];
    bool is_tree = sim_random() % 2;
    uint64_t unit = sim_profile.min_block;
    uint64_t bytes =
        is_tree ? (sim_tree_bytes() + unit - 1) / unit * unit : sim_machine.sectors * SIM_SECTOR;
    for (unsigned i = 0; i < sizeof name; i++)
        name[i] = root.hash[i] ^ (is_tree ? 0xff : 0);
    struct store_object *o = store_image(s, name, bytes);
    for (unsigned n = 40; o && n; n--) {
        memset(block, (int)(sim_random() % 4), sizeof block);
        store_put(o, sim_random() % (bytes / sizeof block), 1, block);
    }
    if (o)
        store_release(o);
}

static void power_on(void)
{
    struct store *store = NULL;
    sim_machine.has_lost_store = false;
    if (sim_machine.has_store) {
        store = sim_store_open();
        if (!is_layered() &&
            (sim_store_is_new() || !is_local())) { /* its metadata have gone, which was seen */
            forget_models();
            store_formats += sim_store_is_new();
        }
        if (sim_profile.has_root && sim_random() % 2)
            poison(store);
    }
    sim_machine.engine = vdisk_create(&sim_platform, &limits);
    vdisk_use_store(sim_machine.engine, store);
    for (unsigned i = 0; i < sim_machine.disk_count; i++) {
        struct vdisk_config *c = &sim_machine.disks[i].config;
        c->has_root = sim_profile.has_root;
        c->root = root;
        if (c->has_content) /* it is the image's, and who changes that says so */
            c->content[1] = (uint8_t)(sim_version + 128 * sim_server_was_changed());
        sim_disk_attach(&sim_machine.disks[i]);
    }
}

static void power_cut(void)
{
    struct vdisk_counters counters;
    for (unsigned i = 0; i < sim_machine.disk_count; i++) {
        if (sim_machine.disks[i].disk) {
            vdisk_counters_of(sim_machine.disks[i].disk, &counters);
            disk_bytes += counters.disk_bytes;
            vdisk_detach(sim_machine.disks[i].disk);
        }
        sim_machine.disks[i].disk = NULL;
        sim_machine.disks[i].life++;
    }
    sim_guests_forget();
    vdisk_destroy(sim_machine.engine);
    sim_machine.engine = NULL;
    if (sim_machine.has_store)
        sim_store_cut();
    if (is_layered()) /* the server's too: what is read from now on stays */
        sim_clients_crash();
    power_cuts++;
}

/* Everything becomes durable at last, when there is no trouble. */
static void drain(void)
{
    sim_faults_on = false;
    vdisk_drain(sim_machine.engine);
    sim_run(is_drained, UINT64_MAX, "after the faults");
    for (unsigned i = 0; i < sim_machine.disk_count; i++)
        if (sim_machine.disks[i].config.mode != VDISK_RAM && !store_disk.errors &&
            !sim_machine.has_lost_store)
            sim_model_flushed(sim_machine.disks[i].model, sim_tick());
}

static void check_server(void)
{
    sim_server_crash(false);
    for (unsigned i = 0; i < sim_machine.disk_count; i++)
        for (uint64_t s = 0; s < sim_machine.sectors && !sim_server_was_changed(); s++) {
            uint64_t tag = sim_server_tag(s);
            if (is_layered())
                sim_model_check_durable(sim_machine.disks[i].model, s, sim_client_tag(i, s));
            if (sim_machine.disks[i].config.mode == VDISK_PRIVATE)
                sim_model_check_durable(sim_machine.disks[i].model, s, tag);
            else if (tag != sim_initial_tag(s))
                sim_fail("sector %llu of the server's image has changed, which no disk writes to",
                         (unsigned long long)s);
        }
}

/* -- seeds -- */

/* Sometimes so large that the tree has three levels, sometimes one block. */
static uint64_t whole_blocks(uint64_t sectors)
{
    uint64_t count = sim_random() % 40 ? sectors - sectors % 8 : 16384 * 8 + 8;
    if (sim_random() % 40 == 0)
        count = 8;
    return sim_profile.min_block > 4096 ? (count + 127) / 128 * 128 : count;
}

/* Each client has an export of its own, of which the server says in one way or the other, or not at all,
   what is in the client's layer. */
static void choose_layers(struct sim_profile *p)
{
    p->lie_other =
        0; /* lies are told of the image alone: what a client has written has no hashes */
    p->has_depth = sim_random() % 8;
    p->by_holes = sim_random() % 4 == 0;
    if (sim_random() % 4)
        p->structured = p->has_status = true;
}

static void choose_machine(uint64_t seed)
{
    struct sim_machine *m = &sim_machine;
    memset(m, 0, sizeof *m);
    static const enum vdisk_mode modes[2][5] = {
        {VDISK_PRIVATE, VDISK_PRIVATE, VDISK_PRIVATE, VDISK_RAM, VDISK_SERVER},
        {VDISK_PRIVATE, VDISK_RAM, VDISK_RAM, VDISK_LOCAL, VDISK_SERVER}};
    m->has_store = seed % 2;
    enum vdisk_mode mode = modes[m->has_store][sim_random() % 5];
    if (mode == VDISK_SERVER)
        choose_layers(&sim_profile);
    m->spills = m->has_store && mode == VDISK_RAM && sim_random() % 4;
    m->sectors = (sim_random() % 2 ? 12288 : 512) + (sim_random() % 2 ? 8 : 0);
    if (sim_random() % 6 == 0) {
        sim_profile.min_block = 64u << 10;
        m->sectors -= m->sectors % 128;
    }
    if (sim_profile.has_root)
        m->sectors = whole_blocks(m->sectors);
    else if (sim_profile.min_block == 1)
        m->sectors += sim_random() % 8;
    bool may_change = mode != VDISK_PRIVATE && mode != VDISK_SERVER;
    if (may_change && sim_profile.restart && sim_random() % 3 == 0 && !sim_profile.has_root) {
        sim_profile.unit_grows = 300;
        m->sectors -= m->sectors % 128;
    }
    limits = (struct vdisk_limits){
        .cache_bytes = 2u << 20,
        .connections = 1 + (uint32_t)(seed / 2 % 4),
        .overlay_bytes = m->spills ? (96u + sim_random() % 400) << 10 : 64u << 20,
        .fill_rate = sim_random() % 3 ? 0 : 1000 + sim_random() % 1000000,
        .quiet_ns = (1 + sim_random() % 500) * SIM_MS,
        .log_bytes = sim_random() % 2 ? 128u << 10 : 0};
    m->gives_up = sim_random() % 8 == 0 || sim_profile.lie_data == 1000;
    m->disk_count = mode == VDISK_PRIVATE ? 1 : SIM_DISKS;
    m->guest_count = 1 + (unsigned)(sim_random() % SIM_GUESTS);
    if (may_change && sim_profile.restart && sim_random() % 2 && !sim_profile.has_root)
        sim_profile.other_image = 300;
    bool has_content = mode == VDISK_LOCAL ? sim_random() % 2 : m->has_store;
    for (unsigned i = 0; i < m->disk_count; i++) {
        struct vdisk_config *c = &m->disks[i].config;
        c->mode = mode;
        c->is_read_only = sim_profile.has_root && mode == VDISK_PRIVATE;
        snprintf(c->name, sizeof c->name, "vm%u/root", i);
        snprintf(c->host, sizeof c->host, "server");
        snprintf(c->export_name, sizeof c->export_name, "e");
        c->port = 10809;
        snprintf(c->client_export, sizeof c->client_export, "c%u", i);
        c->below_is_hole = sim_profile.by_holes;
        c->more_count = seed / 2 % 3;
        c->give_up_ns = m->gives_up ? 3000 * SIM_MS : 0;
        c->has_content = has_content;
        c->content[0] = 0x77;
        c->rates.iops = seed / 2 % 5 ? 0 : 20 + seed % 211;
        c->tenant_rates.bandwidth = seed / 2 % 7 ? 0 : (1 + seed % 101) << 14;
        if (seed / 2 % 2) /* else each is a tenant of its own */
            snprintf(c->tenant, sizeof c->tenant, "lab");
    }
}

/* A disk that was still to be opened when the store was lost waits for another, for ever. */
static bool is_cycle_done(void)
{
    bool is_over = sim_machine.has_lost_store && sim_now() > lost_ns + 60000 * SIM_MS;
    return is_over || sim_guests_are_done();
}

static void run_cycle(bool has_power_cuts)
{
    struct sim_machine *m = &sim_machine;
    uint64_t commands = UINT64_MAX;
    if (has_power_cuts && sim_random() % 4)
        commands = store_disk.commands + 1 + sim_random() % 800;
    sim_faults_on = true;
    sim_guests_start(OPERATIONS);
    for (unsigned i = 0; i < m->disk_count; i++)
        if (sim_random() % 6 == 0)
            sim_disk_detach_soon(&m->disks[i]);
    if (m->has_store && sim_random() % 8 == 0)
        sim_at(sim_random() % 2000 * SIM_MS, lose_store, NULL, m->disks[0].life);
    if (sim_run(is_cycle_done, commands, "with faults") && sim_random() % 2)
        drain();
}

static void run_seed(uint64_t seed)
{
    sim_world_init(seed);
    choose_profile();
    choose_machine(seed);
    struct sim_machine *m = &sim_machine;
    sim_server_init(m->sectors);
    if (sim_profile.has_root)
        sim_tree_init(m->sectors, &root);
    memset(&store_disk, 0, sizeof store_disk);
    if (m->has_store)
        sim_store_init();
    m->may_fill = store_disk.range_bytes < 2 * m->disk_count * m->sectors * SIM_SECTOR + (2u << 20);
    for (unsigned i = 0; i < m->disk_count; i++)
        m->disks[i].model = sim_model_new(m->sectors);
    sim_clients_init(is_layered() ? m->disk_count : 0, m->sectors);
    for (unsigned i = 0; i < m->disk_count && is_layered(); i++)
        sim_client_fill(i, m->disks[i].model);
    sim_guests_init();
    power_on();
    bool has_power_cuts =
        is_layered() || (m->has_store && m->disks[0].config.mode != VDISK_PRIVATE);
    for (uint64_t cycles = has_power_cuts ? 1 + sim_random() % 3 : 1; cycles; cycles--) {
        run_cycle(has_power_cuts);
        if (!has_power_cuts)
            continue;
        power_cut();
        if (!is_local() && !is_layered() && !sim_server_was_changed() && sim_random() % 4 == 0) {
            sim_version++;
            sim_server_new_image();
            if (sim_profile.has_root) {
                sim_tree_end();
                sim_tree_init(m->sectors, &root);
            }
        }
        sim_faults_on = false;
        power_on();
        for (unsigned i = 0; i < m->disk_count && (is_local() || is_layered()); i++)
            (sim_server_was_changed() ? sim_disk_verify_other : sim_disk_verify)(&m->disks[i]);
        if (sim_server_was_changed())
            break;
    }
    check_server();
    power_cut();
    for (unsigned i = 0; i < m->disk_count; i++)
        sim_model_free(m->disks[i].model);
    if (m->has_store)
        sim_store_end();
    sim_server_end();
    sim_clients_end();
    sim_tree_end();
    sim_world_end();
}

int main(int argc, char **argv)
{
    uint64_t first = 1, count = 1000;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--seed") && i + 1 < argc) {
            first = strtoull(argv[++i], NULL, 0);
            count = 1;
        } else if (!strcmp(argv[i], "--seeds") && i + 1 < argc) {
            count = strtoull(argv[++i], NULL, 0);
        } else if (!strcmp(argv[i], "--from") && i + 1 < argc) {
            first = strtoull(argv[++i], NULL, 0);
        } else if (!strcmp(argv[i], "--verbose")) {
            sim_verbose = true;
        } else {
            fprintf(stderr, "usage: %s [--seed N | --from N --seeds N] [--verbose]\n", argv[0]);
            return 2;
        }
    }
    for (uint64_t seed = first; seed < first + count; seed++)
        run_seed(seed);
    printf("%llu seeds, no failure; %llu power cuts, %llu stores lost to a bad disk, %llu MiB read "
           "from the local disk\n",
           (unsigned long long)count, (unsigned long long)power_cuts,
           (unsigned long long)store_formats, (unsigned long long)disk_bytes >> 20);
    return 0;
}
