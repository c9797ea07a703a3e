/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine as the drivers see it: one scan of PCI, registers, time, memory. */
#include "tests/system/blocktest/blocktest.h"

#include <string.h>

#include "drivers/block/mmio.h"

#define CONFIG_ADDRESS 0xcf8 /* PCI local bus specification 3.0, 3.2.2.3.2 */
#define CONFIG_DATA 0xcfc
#define PCI_COMMAND 0x04
#define COMMAND_ALL 7u /* I/O, memory, bus master */
#define PCI_CLASS 0x08
#define PCI_HEADER 0x0c
#define PCI_BAR0 0x10
#define MANY_FUNCTIONS (1u << 23)

static uint64_t next_free = MEMORY_AT;

void *take_memory(uint64_t bytes)
{
    bytes = (bytes + 4095) & ~4095ull;
    if (bytes > MEMORY_END - next_free)
        die("no more memory");
    void *at = (void *)next_free;
    next_free += bytes;
    memset(at, 0, bytes);
    return at;
}

static void choose(const struct controller *c, unsigned offset)
{
    out32(CONFIG_ADDRESS, 1u << 31 | (uint32_t)c->bus << 16 | (uint32_t)c->device << 11 |
                              (uint32_t)c->function << 8 | offset);
}
static uint32_t config_get(const struct controller *c, unsigned offset)
{
    choose(c, offset);
    return in32(CONFIG_DATA);
}
static void config_put(const struct controller *c, unsigned offset, uint32_t value)
{
    choose(c, offset);
    out32(CONFIG_DATA, value);
}

/* -- the drivers' platform -- */

static uint64_t reg_read(void *context, unsigned region, uint32_t offset, unsigned bytes)
{
    struct controller *c = context;
    uint64_t at = c->regions[region].base + offset;
    if (offset + bytes > c->regions[region].bytes)
        die("%s reads beyond region %u: %x", c->match->driver, (uint64_t)region, (uint64_t)offset);
    if (c->regions[region].is_port)
        return bytes == 1   ? in8((uint16_t)at)
               : bytes == 2 ? in16((uint16_t)at)
                            : in32((uint16_t)at);
    return block_mmio_read((const volatile void *)at, bytes);
}

static void reg_write(void *context, unsigned region, uint32_t offset, unsigned bytes,
                      uint64_t value)
{
    struct controller *c = context;
    uint64_t at = c->regions[region].base + offset;
    if (offset + bytes > c->regions[region].bytes)
        die("%s writes beyond region %u: %x", c->match->driver, (uint64_t)region, (uint64_t)offset);
    if (c->regions[region].is_port) {
        if (bytes == 1)
            out8((uint16_t)at, (uint8_t)value);
        else if (bytes == 2)
            out16((uint16_t)at, (uint16_t)value);
        else
            out32((uint16_t)at, (uint32_t)value);
        return;
    }
    block_mmio_write((volatile void *)at, bytes, value);
}

static uint32_t region_bytes(void *context, unsigned region)
{
    return ((struct controller *)context)->regions[region].bytes;
}

static uint32_t config_read(void *context, uint32_t offset)
{
    return config_get(context, offset);
}

uint64_t now_ns(void *context)
{
    (void)context;
    return rdtsc() * 1000000 / tsc_per_ms();
}

static void delay_us(void *context, uint32_t us)
{
    uint64_t end = now_ns(context) + us * 1000ull;
    while (now_ns(context) < end)
        pause();
}

static void log_line(void *context, const char *line)
{
    (void)context;
    say("LOG %s", line);
}

struct block_platform platform_of(struct controller *controller)
{
    return (struct block_platform){controller,  reg_read, reg_write, region_bytes,
                                   config_read, delay_us, now_ns,    log_line};
}

/* -- the scan -- */

static void find_bars(struct controller *c)
{
    for (unsigned bar = 0; bar < 6; bar++) {
        unsigned at = PCI_BAR0 + 4 * bar;
        uint32_t value = config_get(c, at);
        config_put(c, at, UINT32_MAX);
        uint32_t mask = config_get(c, at);
        config_put(c, at, value);
        bool is_port = value & 1, is_wide = !is_port && (value & 6) == 4;
        uint32_t fixed = is_port ? 3 : 15;
        if (mask && (value & ~fixed)) {
            c->regions[bar].is_port = is_port;
            c->regions[bar].base = (is_port ? 0xffff : UINT32_MAX) & value & ~fixed;
            c->regions[bar].bytes = (is_port ? 0xffffu : UINT32_MAX) & (~(mask & ~fixed) + 1);
        }
        if (is_wide && config_get(c, at + 4))
            c->regions[bar].bytes = 0; /* above 4 GiB */
        bar += is_wide;
    }
}

static bool take(struct controller *c, const struct block_driver *const *drivers, unsigned count)
{
    uint32_t ids = config_get(c, 0);
    struct block_pci_id id = {(uint16_t)ids, (uint16_t)(ids >> 16), config_get(c, PCI_CLASS) >> 8};
    c->match = block_match_find(&id);
    if (!c->match)
        return false;
    for (unsigned i = 0; i < count; i++)
        if (strcmp(drivers[i]->name, c->match->driver) == 0)
            c->driver = drivers[i];
    if (!c->driver)
        die("no driver is called %s", c->match->driver);
    config_put(c, PCI_COMMAND,
               config_get(c, PCI_COMMAND) & 0xfff8); /* off, while the sizes are asked */
    find_bars(c);
    if (has_word("no-bus-master") && c->regions[4].is_port)
        c->regions[4].bytes = 0;
    config_put(c, PCI_COMMAND, (config_get(c, PCI_COMMAND) & 0xffff) | COMMAND_ALL);
    for (unsigned i = 0; i < 4; i++) {
        c->regions[BLOCK_REGION_PORTS + i].is_port = true;
        c->regions[BLOCK_REGION_PORTS + i].base = c->match->ports[i].first;
        c->regions[BLOCK_REGION_PORTS + i].bytes = c->match->ports[i].count;
    }
    say("CONTROLLER %s %x:%x", c->match->driver, (uint64_t)id.vendor, (uint64_t)id.device);
    return true;
}

unsigned find_controllers(struct controller *to, unsigned room,
                          const struct block_driver *const *drivers, unsigned count)
{
    unsigned found = 0;
    for (unsigned at = 0; at < 256 * 8 && found < room;
         at++) { /* bus 0, and what firmware put on bus 1 */
        struct controller c = {
            .bus = (uint8_t)(at >> 8), .device = at >> 3 & 31, .function = at & 7};
        if (c.bus > 1)
            break;
        if ((config_get(&c, 0) & 0xffff) == 0xffff)
            continue;
        if (take(&c, drivers, count))
            to[found++] = c;
        if (c.function == 0 && !(config_get(&c, PCI_HEADER) & MANY_FUNCTIONS))
            at |= 7;
    }
    return found;
}
