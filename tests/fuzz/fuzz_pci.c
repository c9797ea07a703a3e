// SPDX-License-Identifier: BSD-2-Clause
/* Any accesses to configuration space, BARs and ports: what is on the buses is what the BARs say.
 */
#include "tests/unit/virtio_fake.h"

#include <stdlib.h>
#include <string.h>
#include "fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fake fake;

static const uint64_t places[] = {
    LAYOUT_ECAM,    LAYOUT_ECAM + (FAKE_SLOT << 15), 0xd0000000, LAYOUT_PCI_MMIO,
    0x800000000ull, LAYOUT_PCI_MMIO + 0x1000,        0xfee00000, 0};

static void check_bars(void)
{
    const struct pci_function *f = fake.vm.pci->functions[FAKE_SLOT];
    unsigned mapped[2] = {0, 0};
    for (unsigned i = 0; i < PCI_BARS; i++)
        mapped[f->bars[i].kind == PCI_BAR_IO] += f->bars[i].is_mapped;
    if (fake.vm.ports.count != 2 + mapped[1] || fake.vm.mmio.count != 1 + mapped[0])
        abort();
    for (unsigned i = 1; i < fake.vm.mmio.count; i++) {
        const struct bus_range *r = &fake.vm.mmio.ranges[i];
        if (r[-1].base + r[-1].size > r->base)
            abort();
    }
    for (unsigned i = 0; i < 24; i++)
        if (fake.line[i] > 1 || (fake.line[i] && i != LAYOUT_PCI_INTX_GSI(FAKE_SLOT, 0)))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    if (!fake.ram) {
        fake_init(&fake, 65536, 512, 0x1e);
        if (virtio_disk_attach(&fake.vm, &fake.entry, FAKE_SLOT, 2))
            abort();
    }
    vm_reset_devices(&fake.vm);
    memset(fake.msi_count, 0, sizeof(fake.msi_count));
    struct virtio_pci *pci = fake.vm.pci->functions[FAKE_SLOT]->owner;
    while (in.size) {
        unsigned action = (unsigned)fuzz_take(&in, 1), width = 1u << ((action >> 4) & 3);
        unsigned port_width = width > 4 ? 4 : width;
        switch (action & 15) {
        case 0:
        case 1:
        case 2: {
            unsigned offset = (unsigned)fuzz_take(&in, 1);
            cfg_write(&fake, action & 128 ? 0 : FAKE_SLOT, offset, port_width,
                      (uint32_t)fuzz_take(&in, 4));
            break;
        }
        case 3:
            (void)cfg_read(&fake, action >> 4, (unsigned)fuzz_take(&in, 1), port_width);
            break;
        case 4:
        case 5: {
            uint64_t at = places[fuzz_take(&in, 1) % 8] + fuzz_take(&in, 2);
            bus_write(&fake.vm.mmio, at, width, fuzz_take(&in, width));
            break;
        }
        case 6:
            (void)bus_read(&fake.vm.mmio, places[fuzz_take(&in, 1) % 8] + fuzz_take(&in, 2), width);
            break;
        case 7: {
            uint64_t port = fuzz_take(&in, 2);
            bus_write(&fake.vm.ports, port, port_width, fuzz_take(&in, port_width));
            break;
        }
        case 8:
            bus_write(&fake.vm.ports, 0xcf8 + (action >> 7) * 4, port_width,
                      fuzz_take(&in, port_width));
            break;
        case 9:
            (void)bus_read(&fake.vm.ports, fuzz_take(&in, 2), port_width);
            break;
        case 10:
            pci_msix_raise(&pci->msix, action >> 4);
            break;
        case 11:
            pci_intx_set(&pci->function, action & 16);
            break;
        case 12: /* a BAR to one of the places, decoding on */
            cfg_write(&fake, FAKE_SLOT, 0x10 + 4 * ((action >> 4) % 6), 4,
                      (uint32_t)places[fuzz_take(&in, 1) % 8]);
            cfg_write(&fake, FAKE_SLOT, 4, 2, 7);
            break;
        case 13:
            vm_reset_devices(&fake.vm);
            break;
        default:
            device_run(&fake);
        }
        check_bars();
    }
    return 0;
}
