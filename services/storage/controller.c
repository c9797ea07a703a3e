// SPDX-License-Identifier: BSD-2-Clause
#include "services/storage/controller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/block/mmio.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/start.h"
#include "lib/sys.h"

#define WAIT_BIT (1ull << LEAT_OWN_BITS_LAST) /* nobody signals it: waiting for it is sleeping */
#define SLEEP_LEAST_US 20u                    /* less is not worth two system calls */

static const struct block_driver *const drivers[] = {
    &block_driver_ata,
    &block_driver_ahci,
    &block_driver_nvme,
    &block_driver_virtio_blk,
};

/* NULL: the access does not lie in the region as a whole. */
static const struct controller_region *region_of(const struct controller *c, unsigned region,
                                                 uint32_t offset, unsigned bytes)
{
    const struct controller_region *r = region < BLOCK_REGION_COUNT ? &c->regions[region] : NULL;

    return r && offset < r->bytes && bytes <= r->bytes - offset ? r : NULL;
}

static uint64_t read_register(void *context, unsigned region, uint32_t offset, unsigned bytes)
{
    const struct controller_region *r = region_of(context, region, offset, bytes);

    if (!r)
        leat_fatal("a storage driver reads registers that its controller does not have");
    if (!r->va)
        return (uint64_t)leat_port_read(r->ports, r->first_port + offset, bytes);
    return block_mmio_read(r->va + offset, bytes);
}

static void write_register(void *context, unsigned region, uint32_t offset, unsigned bytes,
                           uint64_t value)
{
    const struct controller_region *r = region_of(context, region, offset, bytes);

    if (!r)
        leat_fatal("a storage driver writes registers that its controller does not have");
    if (r->va)
        block_mmio_write(r->va + offset, bytes, value);
    else
        leat_port_write(r->ports, r->first_port + offset, bytes, (uint32_t)value);
}

static uint32_t region_bytes(void *context, unsigned region)
{
    const struct controller *c = context;

    return region < BLOCK_REGION_COUNT ? c->regions[region].bytes : 0;
}

static uint32_t config_read(void *context, uint32_t offset)
{
    const struct controller *c = context;

    return offset / 4 < CONTROLLER_CONFIG_WORDS ? c->config[offset / 4] : UINT32_MAX;
}

static void delay_us(void *context, uint32_t us)
{
    uint64_t end_ns = leat_clock_ns() + us * 1000ull;

    (void)context;
    if (us >= SLEEP_LEAST_US)
        leat_notif_wait(leat_start_notif(), WAIT_BIT, end_ns);
    while (leat_clock_ns() < end_ns)
        __builtin_ia32_pause();
}

static uint64_t now_ns(void *context)
{
    (void)context;
    return leat_clock_ns();
}

static void log_line(void *context, const char *line)
{
    const struct controller *c = context;

    leat_log("%s: %s", c->name, line);
}

static const char *argument(const char *key, unsigned number, char *buf, size_t size)
{
    char full[24];

    snprintf(full, sizeof full, "%s.%u", key, number);
    return leat_start_arg(full, buf, size);
}

static void take_regions(struct controller *c, const char *role, const char *name)
{
    for (const struct leat_start_entry *e = leat_start_next(role, NULL); e;
         e = leat_start_next(role, e)) {
        if (strcmp(e->name, name) || e->arg[1] >= BLOCK_REGION_COUNT)
            continue;
        c->regions[e->arg[1]] = (struct controller_region){
            .va = (volatile uint8_t *)e->va,
            .ports = e->handle,
            .first_port = (uint32_t)e->arg[0],
            .bytes = (uint32_t)e->size,
        };
    }
}

static void take_irqs(struct controller *c, const char *name)
{
    for (const struct leat_start_entry *e = leat_start_next("irq", NULL); e;
         e = leat_start_next("irq", e)) {
        if (!strcmp(e->name, name) && c->irq_count < CONTROLLER_IRQS)
            c->irqs[c->irq_count++] = (struct controller_irq){e->handle, e->my_bits};
    }
}

static void take_config(struct controller *c, unsigned number)
{
    char text[CONTROLLER_CONFIG_WORDS * 8 + 1] = "", word[9] = "";

    argument("config", number, text, sizeof text);
    for (unsigned i = 0; i < CONTROLLER_CONFIG_WORDS; i++) {
        memcpy(word, text + i * 8, 8);
        c->config[i] = (uint32_t)strtoul(word, NULL, 16);
    }
}

bool controller_find(struct controller *c, unsigned number)
{
    char driver[16], flag[4], name[8];

    memset(c, 0, sizeof *c);
    if (!argument("driver", number, driver, sizeof driver) ||
        !argument("place", number, c->place, sizeof c->place))
        return false;
    snprintf(c->name, sizeof c->name, "%s %s", driver, c->place);
    for (size_t i = 0; i < sizeof drivers / sizeof drivers[0]; i++)
        if (!strcmp(drivers[i]->name, driver))
            c->driver = drivers[i];
    if (!c->driver) {
        leat_log("%s: the service has no driver of that name", c->name);
        return false;
    }
    c->is_polled = argument("polled", number, flag, sizeof flag) && flag[0] == '1';
    c->platform = (struct block_platform){c,           read_register, write_register, region_bytes,
                                          config_read, delay_us,      now_ns,         log_line};
    snprintf(name, sizeof name, "%u", number);
    take_regions(c, "mmio", name);
    take_regions(c, "ports", name);
    take_irqs(c, name);
    take_config(c, number);
    return true;
}

bool controller_start(struct controller *c, struct controller_dma *dma)
{
    const struct block_dma area = {dma->va, dma->hpa, c->driver->dma_bytes};
    int error;

    c->state = calloc(1, c->driver->state_bytes);
    if (!c->state || area.size > dma->size) {
        leat_log("%s: no memory for it; its disks are not looked at", c->name);
        return false;
    }
    dma->va += area.size;
    dma->hpa += area.size;
    dma->size -= area.size;
    c->is_started = true;
    error = c->driver->start(c->state, &c->platform, &area);
    if (error != LEAT_OK)
        leat_log("%s: it does not start (error %d); its disks are not looked at", c->name, error);
    return error == LEAT_OK;
}

void controller_stop(struct controller *c)
{
    if (c->is_started)
        c->driver->stop(c->state);
    c->is_started = false;
}

void controller_ack(const struct controller *c)
{
    for (unsigned i = 0; i < c->irq_count; i++)
        leat_irq_ack(c->irqs[i].handle);
}
