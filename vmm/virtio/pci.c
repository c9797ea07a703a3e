// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/virtio/pci.h"

#include <string.h>
#include "vmm/virtio/pci_regs.h"

/* -- interrupts -- */

/* MSI-X if it is on, else INTx until the driver reads the interrupt status: virtio 1.2, 4.1.5. */
static void interrupt(struct virtio_pci *pci, uint16_t vector, uint8_t cause)
{
    if (pci_msix_enabled(&pci->msix)) {
        pci_msix_raise(&pci->msix, vector);
        return;
    }
    pci->isr |= cause;
    pci_intx_set(&pci->function, true);
}

static void interrupt_queue(void *transport, unsigned queue)
{
    struct virtio_pci *pci = transport;
    interrupt(pci, pci->queue_vectors[queue], ISR_QUEUE);
}

static void interrupt_config(void *transport)
{
    struct virtio_pci *pci = transport;
    interrupt(pci, pci->config_vector, ISR_CONFIG);
}

static void report(void *transport, const char *why)
{
    struct virtio_pci *pci = transport;
    if (pci->hooks.report)
        pci->hooks.report(pci->hooks.ctx, why);
}

/* -- doorbells -- */

static uint64_t doorbell_read(void *device, uint64_t offset, unsigned width)
{
    (void)device, (void)offset, (void)width;
    return 0;
}

/* The way of a doorbell that the kernel did not take. Any value rings: the port says which queue.
 */
static void doorbell_write(void *device, uint64_t offset, unsigned width, uint64_t value)
{
    struct virtio_pci *pci = device;
    (void)width, (void)value;
    if (offset % DOORBELL_STRIDE == 0)
        virtio_notify(pci->device, (unsigned)(offset / DOORBELL_STRIDE));
}

/* Announces the doorbells that should work now, and takes back the others. */
static void update_doorbells(void *transport)
{
    struct virtio_pci *pci = transport;
    struct virtio_device *dev = pci->device;
    uint64_t base;
    bool is_mapped = pci_bar_base(&pci->function, DOORBELL_BAR, &base);
    uint32_t wanted = 0;
    for (unsigned i = 0; i < dev->queue_count; i++)
        if (is_mapped && virtio_is_running(dev) && dev->queues[i].is_enabled)
            wanted |= 1u << i;
    uint16_t port = is_mapped ? (uint16_t)base : 0;
    for (unsigned i = 0; i < dev->queue_count; i++) {
        uint32_t bit = 1u << i;
        if ((pci->doorbells & bit) && (!(wanted & bit) || port != pci->doorbell_port) &&
            pci->hooks.doorbell_clear)
            pci->hooks.doorbell_clear(pci->hooks.ctx,
                                      (uint16_t)(pci->doorbell_port + DOORBELL_STRIDE * i), i);
    }
    uint32_t kept = port == pci->doorbell_port ? pci->doorbells : 0;
    for (unsigned i = 0; i < dev->queue_count; i++)
        if ((wanted & ~kept & (1u << i)) && pci->hooks.doorbell_set)
            pci->hooks.doorbell_set(pci->hooks.ctx, (uint16_t)(port + DOORBELL_STRIDE * i), i);
    pci->doorbells = wanted;
    pci->doorbell_port = port;
}

static const struct virtio_transport_ops transport_ops = {
    .interrupt_queue = interrupt_queue,
    .interrupt_config = interrupt_config,
    .changed = update_doorbells,
    .report = report,
};

/* -- structures in BAR 4 -- */

static uint32_t isr_read(struct virtio_pci *pci)
{
    uint8_t isr = pci->isr;
    pci->isr = 0;
    pci_intx_set(&pci->function, false);
    return isr;
}

/* One access of at most 4 bytes, as the driver made it. */
static uint32_t region_read(struct virtio_pci *pci, uint64_t offset, unsigned width)
{
    if (offset < COMMON_OFFSET + COMMON_BYTES)
        return virtio_common_read(pci, (unsigned)(offset - COMMON_OFFSET), width);
    if (offset == ISR_OFFSET)
        return isr_read(pci);
    if (offset >= CONFIG_OFFSET)
        return virtio_config_read(pci->device, (unsigned)(offset - CONFIG_OFFSET), width);
    return 0;
}

static void region_write(struct virtio_pci *pci, uint64_t offset, unsigned width, uint32_t value)
{
    if (offset < COMMON_OFFSET + COMMON_BYTES)
        virtio_common_write(pci, (unsigned)(offset - COMMON_OFFSET), width, value);
    else if (offset >= CONFIG_OFFSET)
        virtio_config_write(pci->device, (unsigned)(offset - CONFIG_OFFSET), width, value);
}

/* Fields of 64 bits may be accessed in halves (4.1.3.1), so a quadword is two doublewords. */
static uint64_t bar_read(void *device, uint64_t offset, unsigned width)
{
    uint64_t low = region_read(device, offset, width > 4 ? 4 : width);
    return width > 4 ? low | (uint64_t)region_read(device, offset + 4, 4) << 32 : low;
}

static void bar_write(void *device, uint64_t offset, unsigned width, uint64_t value)
{
    region_write(device, offset, width > 4 ? 4 : width, (uint32_t)value);
    if (width > 4)
        region_write(device, offset + 4, 4, (uint32_t)(value >> 32));
}

/* -- the configuration access capability: virtio 1.2, 4.1.4.9 -- */

struct access {
    unsigned bar, width;
    uint64_t offset;
};

/* What the guest has set there, if it is an access that we can make. */
static bool get_access(const struct virtio_pci *pci, struct access *access)
{
    unsigned cap = pci->access_cap;
    access->bar = pci_config_get(&pci->function, cap + CAP_BAR, 1);
    access->offset = pci_config_get(&pci->function, cap + CAP_OFFSET, 4);
    access->width = pci_config_get(&pci->function, cap + CAP_LENGTH, 4);
    if (access->width != 1 && access->width != 2 && access->width != 4)
        return false;
    if (access->offset % access->width)
        return false;
    uint64_t size = access->bar == DOORBELL_BAR    ? DOORBELL_BAR_BYTES
                    : access->bar == STRUCTURE_BAR ? STRUCTURE_BAR_BYTES
                                                   : 0;
    return access->offset + access->width <= size;
}

static bool is_access_data(const struct virtio_pci *pci, unsigned offset, unsigned width)
{
    unsigned data = pci->access_cap + CAP_DATA;
    return offset < data + 4 && offset + width > data;
}

static void before_read(void *owner, unsigned offset, unsigned width)
{
    struct virtio_pci *pci = owner;
    struct access access;
    if (!is_access_data(pci, offset, width) || !get_access(pci, &access))
        return;
    uint32_t value =
        access.bar == STRUCTURE_BAR ? region_read(pci, access.offset, access.width) : 0;
    pci_config_set(&pci->function, pci->access_cap + CAP_DATA, access.width, value);
}

static void written(void *owner, unsigned offset, unsigned width)
{
    struct virtio_pci *pci = owner;
    struct access access;
    if (!is_access_data(pci, offset, width) || !get_access(pci, &access))
        return;
    uint32_t value = pci_config_get(&pci->function, pci->access_cap + CAP_DATA, access.width);
    if (access.bar == STRUCTURE_BAR)
        region_write(pci, access.offset, access.width, value);
    else
        doorbell_write(pci, access.offset, access.width, value);
}

/* -- the function -- */

static void clear_driver_state(struct virtio_pci *pci)
{
    pci->isr = 0;
    pci->offered_select = pci->features_select = 0;
    pci->queue_select = 0;
    pci->config_vector = VIRTIO_NO_VECTOR;
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++)
        pci->queue_vectors[i] = VIRTIO_NO_VECTOR;
}

static void function_reset(void *owner)
{
    virtio_pci_driver_reset(owner);
}

void virtio_pci_driver_reset(struct virtio_pci *pci)
{
    clear_driver_state(pci);
    pci_intx_set(&pci->function, false);
    virtio_device_reset(pci->device);
}

static const struct pci_function_ops function_ops = {
    .before_read = before_read,
    .written = written,
    .bars_changed = update_doorbells,
    .reset = function_reset,
};

/* Appends a struct virtio_pci_cap (4.1.4), with extra_bytes (0 or 4) of extra behind it. */
static unsigned add_cap(struct virtio_pci *pci, uint8_t type, uint8_t bar, uint32_t offset,
                        uint32_t bytes, unsigned extra_bytes, uint32_t extra)
{
    uint8_t length = (uint8_t)(CAP_BYTES + extra_bytes);
    uint8_t body[CAP_BYTES - 2 + 4] = {length, type, bar}; /* without id and next */
    memcpy(body + CAP_OFFSET - 2, &offset, 4);
    memcpy(body + CAP_LENGTH - 2, &bytes, 4);
    memcpy(body + CAP_DATA - 2, &extra, 4);
    return pci_capability_add(&pci->function, PCI_CAP_VENDOR, body, length);
}

int virtio_pci_init(struct virtio_pci *pci, struct virtio_device *device, struct pci_host *host,
                    unsigned slot, const struct virtio_pci_identity *identity,
                    const struct virtio_pci_hooks *hooks)
{
    memset(pci, 0, sizeof(*pci));
    pci->device = device;
    pci->hooks = *hooks;
    clear_driver_state(pci);
    const struct pci_identity id = {
        .vendor = VIRTIO_PCI_VENDOR,
        .device = (uint16_t)(VIRTIO_PCI_DEVICE_BASE + identity->virtio_id),
        .subsystem_vendor = VIRTIO_PCI_VENDOR,
        .subsystem = VIRTIO_PCI_SUBSYSTEM,
        .class_code = identity->class_code,
        .revision = 1,
        .has_intx = true,
    };
    struct pci_function *f = &pci->function;
    pci_function_init(f, identity->name, &id, &function_ops, pci);
    pci_bar_add(f, DOORBELL_BAR, PCI_BAR_IO, DOORBELL_BAR_BYTES, doorbell_read, doorbell_write,
                pci);
    pci_msix_init(&pci->msix, f, MSIX_BAR, 1 + device->queue_count);
    pci_bar_add(f, STRUCTURE_BAR, PCI_BAR_MEMORY_64, STRUCTURE_BAR_BYTES, bar_read, bar_write, pci);
    add_cap(pci, CAP_TYPE_COMMON, STRUCTURE_BAR, COMMON_OFFSET, COMMON_BYTES, 0, 0);
    add_cap(pci, CAP_TYPE_NOTIFY, DOORBELL_BAR, 0, DOORBELL_STRIDE * device->queue_count, 4,
            DOORBELL_STRIDE);
    add_cap(pci, CAP_TYPE_ISR, STRUCTURE_BAR, ISR_OFFSET, 1, 0, 0);
    add_cap(pci, CAP_TYPE_DEVICE, STRUCTURE_BAR, CONFIG_OFFSET, device->config_size, 0, 0);
    pci->access_cap = add_cap(pci, CAP_TYPE_ACCESS, 0, 0, 0, 4, 0);
    pci_config_allow(f, pci->access_cap + CAP_BAR, 1, 0xff);
    pci_config_allow(f, pci->access_cap + CAP_OFFSET, 4, 0xffffffff);
    pci_config_allow(f, pci->access_cap + CAP_LENGTH, 4, 0xffffffff);
    pci_config_allow(f, pci->access_cap + CAP_DATA, 4, 0xffffffff);
    int error = pci_host_plug(host, f, slot);
    if (!error)
        virtio_device_join(device, &transport_ops, pci);
    return error;
}
