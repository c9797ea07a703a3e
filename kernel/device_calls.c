// SPDX-License-Identifier: BSD-2-Clause
/* Interrupt lines and I/O ports for ring-3 drivers. */
#include "kernel/syscall.h"
#include "kernel/assert.h"
#include "kernel/kmem.h"
#include "kernel/notif.h"

/* -- interrupts -- */

struct irq {
    struct object object;
    struct notif *notif; /* a reference; NULL: not bound yet */
    uint64_t bits;
    uint32_t gsi;
    bool is_level;
    bool unacked; /* signalled, irq_ack has not come yet */
    bool again;   /* an edge came meanwhile */
};

#define GSI_COUNT 256u
static struct irq *bound[GSI_COUNT]; /* of the machine: one binding a line */

static void irq_destroy(struct object *object)
{
    struct irq *irq = (struct irq *)object;
    if (irq->notif) {
        irq_line_disable(irq->gsi);
        bound[irq->gsi] = NULL;
        object_put(&irq->notif->object);
    }
    kfree(irq);
}

static const struct object_type irq_type = {OBJECT_IRQ, "irq", irq_destroy};

void irq_line_fired(uint32_t gsi)
{
    struct irq *irq = gsi < GSI_COUNT ? bound[gsi] : NULL;
    if (!irq) {
        irq_line_mask(gsi);
        return;
    }
    /* An edge that comes to a masked IO-APIC entry is lost, so an edge line is only masked once
       there is something to remember. SDM / 82093AA, 3.2.4 */
    if (irq->is_level || irq->unacked)
        irq_line_mask(gsi);
    if (irq->unacked) {
        irq->again = true;
        return;
    }
    irq->unacked = true;
    notif_signal(irq->notif, irq->bits);
}

static int irq_create(struct thread *self, uint32_t gsi, uint32_t flags, struct notif *notif,
                      uint64_t bits, struct irq **out)
{
    if (bound[gsi])
        return LEAT_EBUSY;
    struct irq *irq = object_new(&irq_type, sizeof(*irq), self->domain->quota, 1);
    int error = irq ? irq_line_enable(gsi, flags) : LEAT_ENOMEM;
    if (error != LEAT_OK) {
        if (irq)
            object_put(&irq->object);
        return error;
    }
    object_get(&notif->object);
    irq->notif = notif;
    irq->bits = bits;
    irq->gsi = gsi;
    irq->is_level = irq_line_is_level(gsi);
    bound[gsi] = irq;
    *out = irq;
    return LEAT_OK;
}

SYSCALL(irq_bind)
{
    uint64_t gsi = args[1], flags = args[2], bits = args[4];
    struct object *notif HELD = NULL;
    struct irq *irq;
    if ((flags & ~(uint64_t)(LEAT_IRQ_LEVEL | LEAT_IRQ_ACTIVE_LOW)) || bits == 0 ||
        (bits & ~NOTIF_VALID_BITS))
        return LEAT_EINVAL;
    if (gsi >= GSI_COUNT || !irq_line_exists((uint32_t)gsi))
        return LEAT_ENOENT;
    int error = syscall_get(self, args[3], OBJECT_NOTIF, LEAT_RIGHT_WAIT, &notif);
    if (error == LEAT_OK)
        error = irq_create(self, (uint32_t)gsi, (uint32_t)flags, notif_of(notif), bits, &irq);
    return error != LEAT_OK
               ? error
               : syscall_give(self, &irq->object, LEAT_RIGHT_CONTROL | LEAT_RIGHT_GRANT);
}

SYSCALL(irq_ack)
{
    struct irq *irq = (struct irq *)object;
    if (irq->unacked) {
        irq->unacked = irq->again;
        if (irq->again)
            notif_signal(irq->notif, irq->bits);
        irq->again = false;
        irq_line_unmask(irq->gsi);
    }
    return LEAT_OK;
}

/* -- ports -- */

struct ports {
    struct object object;
    uint32_t first, count;
};

static void ports_destroy(struct object *object)
{
    kfree(object);
}

static const struct object_type ports_type = {OBJECT_PORTS, "ports", ports_destroy};

SYSCALL(ports_create)
{
    uint64_t first = args[1], count = args[2];
    if (first > 0xffff || count == 0 || count > 0x10000 - first)
        return LEAT_EINVAL;
    struct ports *ports = object_new(&ports_type, sizeof(*ports), self->domain->quota, 1);
    if (!ports)
        return LEAT_ENOMEM;
    ports->first = (uint32_t)first;
    ports->count = (uint32_t)count;
    return syscall_give(self, &ports->object, LEAT_RIGHT_CONTROL | LEAT_RIGHT_GRANT);
}

static int check_port(const struct object *object, uint64_t port, uint64_t width)
{
    const struct ports *ports = (const struct ports *)object;
    if (width != 1 && width != 2 && width != 4)
        return LEAT_EINVAL;
    return port < ports->first || port - ports->first >= ports->count ||
                   width > ports->count - (port - ports->first)
               ? LEAT_ERANGE
               : LEAT_OK;
}

SYSCALL(port_read)
{
    int error = check_port(object, args[1], args[2]);
    return error != LEAT_OK ? error : (int64_t)port_in((uint16_t)args[1], (unsigned)args[2]);
}

SYSCALL(port_write)
{
    int error = check_port(object, args[1], args[2]);
    if (error == LEAT_OK)
        port_out((uint16_t)args[1], (unsigned)args[2], (uint32_t)args[3]);
    return error;
}
