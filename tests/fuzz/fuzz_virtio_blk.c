// SPDX-License-Identifier: BSD-2-Clause
/*
 * A driver that does anything and a server that answers anything: the disk touches nothing but
 * guest memory, never asks the server for what the disk has not (the fake server aborts on that),
 * and always ends.
 */
#include "tests/unit/virtio_fake.h"

#include <stdlib.h>
#include <string.h>
#include "fuzz_input.h"

#define RAM_BYTES 0x60000u
#define DATA 0x20000u
#define DISK_BYTES 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fake fake;
static struct driver driver;
static uint8_t *ram; /* its own allocation, so that a step outside is seen */

static void settle(void)
{
    for (unsigned i = 0; i < 300; i++) {
        server_run(&fake);
        device_run(&fake);
    }
}

static void start_over(void)
{
    vm_reset_devices(&fake.vm);
    fake.fail_next = 0;
    fake.channel->info.state = LEAT_BLK_READY;
    fake.channel->info.size_bytes = DISK_BYTES;
    settle();
    memset(ram, 0, RAM_BYTES);
}

static void request(struct fuzz_input *in)
{
    static const uint32_t types[] = {0, 1, 4, 8, 11, 13, 99, 0};
    if (!driver.common || !driver.queues[0].size || driver.queues[0].free_count < 4)
        return;
    unsigned choice = (unsigned)fuzz_take(in, 1);
    uint64_t sector = fuzz_take(in, 1);
    uint32_t length = (uint32_t)fuzz_take(in, 2) << (choice & 8 ? 9 : 0);
    if (choice & 16)
        sector = fuzz_take(in, 8);
    driver_blk(&driver, 0, types[choice & 7], sector, 0x8000 + (choice >> 5) * 512, DATA, length);
    if (choice & 32)
        driver_ring(&driver, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    if (!ram) {
        fake_init(&fake, DISK_BYTES, 512, 0x1e);
        ram = malloc(RAM_BYTES);
        fake.vm.memory.count = 0;
        guest_memory_add(&fake.vm.memory, gpa(0), RAM_BYTES, ram);
        if (virtio_disk_attach(&fake.vm, &fake.entry, FAKE_SLOT, 2))
            abort();
    }
    start_over();
    memset(&driver, 0, sizeof(driver));
    if (size && (data[0] & 1))
        driver_start(&driver, &fake, data[0] & 2 ? UINT64_MAX : ~(3ull << 28), 16);
    else
        driver_enable_pci(&driver, &fake);
    fuzz_take(&in, 1);
    while (in.size) {
        unsigned action = (unsigned)fuzz_take(&in, 1), width = 1u << ((action >> 4) & 3);
        switch (action & 15) {
        case 0:
        case 1: {
            uint64_t at = fuzz_take(&in, 3) % (RAM_BYTES - 8), value = fuzz_take(&in, width);
            memcpy(ram + at, &value, width);
            break;
        }
        case 2: { /* a field of one of the first descriptors or rings of queue 0 */
            uint64_t at = 0x10000 + (fuzz_take(&in, 1) << ((action & 64) ? 0 : 4)),
                     value = fuzz_take(&in, width);
            memcpy(ram + at + (action & 128 ? 0x6000 : 0), &value, width);
            break;
        }
        case 3:
        case 4: {
            unsigned offset = (unsigned)fuzz_take(&in, 1);
            bus_write(&fake.vm.mmio, driver.common + offset % 0x40, width, fuzz_take(&in, width));
            break;
        }
        case 5:
            (void)bus_read(&fake.vm.mmio, driver.common + fuzz_take(&in, 2) % 0x300, width);
            break;
        case 6:
            bus_write(&fake.vm.mmio, driver.config + fuzz_take(&in, 1) % 64, width,
                      fuzz_take(&in, width));
            break;
        case 7:
            driver_ring(&driver, fuzz_take(&in, 1) % 4);
            break;
        case 8:
        case 9:
            request(&in);
            break;
        case 10:
            server_take(&fake);
            if (fake.held_count)
                server_answer(&fake, (action >> 4) % fake.held_count);
            break;
        case 11:
            device_run(&fake);
            break;
        case 12:
            fake.fail_next = action >> 4;
            fake.channel->info.state = (uint32_t)fuzz_take(&in, 1) % 5;
            fake.channel->info.size_bytes = DISK_BYTES - (action & 16 ? 100 : 0);
            break;
        case 13: /* the driver puts any head into the ring */
            ram[0x16004 + 2 * (ram[0x16002] % 16)] = (uint8_t)fuzz_take(&in, 1);
            ram[0x16002]++;
            driver_ring(&driver, 0);
            break;
        case 14:
            cfg_write(&fake, FAKE_SLOT, (unsigned)fuzz_take(&in, 1) & ~3u, 4,
                      (uint32_t)fuzz_take(&in, 4));
            break;
        default:
            driver_start(&driver, &fake, UINT64_MAX, (uint16_t)(1u << (action >> 4) % 9));
        }
    }
    return 0;
}
