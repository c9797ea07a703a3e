// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/platform/acpi_tables.h"

#include <string.h>

#include "dsdt.hex" /* made from dsdt.asl by iasl at build time */
#include "lib/assert.h"
#include "vmm/layout.h"
#include "vmm/platform/acpi_pm.h"

#define OEM "LEAT  "
#define OEM_TABLE "LEATVM  "
#define CMOS_CENTURY 0x32
#define RESET_PORT 0xcf9
#define RESET_VALUE 6 /* SYS_RST, RST_CPU */

struct header { /* 5.2.6 */
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision;
    char creator[4];
    uint32_t creator_revision;
} __attribute__((packed));

struct rsdp { /* 5.2.5.3 */
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt, length;
    uint64_t xsdt;
    uint8_t extended_checksum, reserved[3];
} __attribute__((packed));

struct gas { /* 5.2.3.2, generic address structure */
    uint8_t space, bits, offset, access;
    uint64_t address;
} __attribute__((packed));

struct fadt { /* 5.2.9 */
    struct header header;
    uint32_t facs, dsdt;
    uint8_t reserved0, profile;
    uint16_t sci_irq;
    uint32_t smi_command;
    uint8_t acpi_enable, acpi_disable, s4bios, pstate;
    uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer, gpe0, gpe1;
    uint8_t pm1_event_bytes, pm1_control_bytes, pm2_control_bytes, pm_timer_bytes;
    uint8_t gpe0_bytes, gpe1_bytes, gpe1_base, cst;
    uint16_t c2_latency, c3_latency, flush_size, flush_stride;
    uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
    uint16_t boot_flags;
    uint8_t reserved1;
    uint32_t flags;
    struct gas reset;
    uint8_t reset_value;
    uint16_t arm_flags;
    uint8_t minor;
    uint64_t x_facs, x_dsdt;
    struct gas x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control, x_pm2_control,
        x_pm_timer, x_gpe0, x_gpe1, sleep_control, sleep_status;
    uint64_t hypervisor;
} __attribute__((packed));

_Static_assert(sizeof(struct header) == 36 && sizeof(struct rsdp) == 36 &&
                   sizeof(struct fadt) == 276,
               "table sizes of ACPI 6.4");

#define BOOT_LEGACY_DEVICES (1u << 0) /* 5.2.9.3; without bit 1 there is no i8042 to probe for */
#define BOOT_NO_VGA (1u << 2)
#define FLAG_WBINVD (1u << 0) /* table 5.10 */
#define FLAG_C1 (1u << 2)
#define FLAG_NO_SLEEP_BUTTON (1u << 5)
#define FLAG_TIMER_32BIT (1u << 8)
#define FLAG_RESET (1u << 10)

struct build {
    uint8_t *to;
    uint64_t base;
    size_t used;
};

static void *take(struct build *b, size_t bytes, size_t align, uint64_t *at)
{
    b->used = (b->used + align - 1) & ~(align - 1);
    LEAT_ASSERT(b->used + bytes <= ACPI_TABLES_BYTES);
    void *p = b->to + b->used;
    *at = b->base + b->used;
    b->used += bytes;
    return p;
}

static uint8_t sum(const void *p, size_t bytes)
{
    const uint8_t *b = p;
    uint8_t total = 0;
    while (bytes--)
        total = (uint8_t)(total + *b++);
    return total;
}

static void finish(struct header *h, const char *signature, size_t length, uint8_t revision)
{
    memcpy(h->signature, signature, 4);
    h->length = (uint32_t)length;
    h->revision = revision;
    memcpy(h->oem, OEM, 6);
    memcpy(h->oem_table, OEM_TABLE, 8);
    h->oem_revision = 1;
    memcpy(h->creator, "LEAT", 4);
    h->creator_revision = 1;
    h->checksum = (uint8_t)-sum(h, length);
}

static struct gas io(uint32_t port, uint8_t bytes)
{
    uint8_t access = bytes == 1 ? 1 : bytes == 2 ? 2 : 3;
    return (struct gas){.space = 1, .bits = bytes * 8, .access = access, .address = port};
}

static uint64_t build_facs(struct build *b)
{
    uint64_t at;
    uint8_t *facs = take(b, 64, 64, &at); /* 5.2.10; has no checksum */
    memcpy(facs, "FACS", 4);
    facs[4] = 64;
    facs[32] = 2;
    return at;
}

static uint64_t build_dsdt(struct build *b)
{
    uint64_t at;
    void *p = take(b, sizeof(dsdt_aml_code), 16, &at);
    memcpy(p, dsdt_aml_code, sizeof(dsdt_aml_code));
    return at;
}

static uint64_t build_fadt(struct build *b, uint64_t facs, uint64_t dsdt)
{
    uint64_t at;
    struct fadt *f = take(b, sizeof(*f), 16, &at);
    f->facs = (uint32_t)facs;
    f->dsdt = (uint32_t)dsdt;
    f->profile = 4; /* enterprise server */
    f->sci_irq = LAYOUT_SCI_IRQ;
    f->pm1a_event = LAYOUT_PM_BASE;
    f->pm1a_control = LAYOUT_PM_BASE + 4;
    f->pm_timer = LAYOUT_PM_BASE + 8;
    f->pm1_event_bytes = 4;
    f->pm1_control_bytes = 2;
    f->pm_timer_bytes = 4;
    f->c2_latency = 0xfff; /* above 100 and 1000 us: no C2, no C3 */
    f->c3_latency = 0xfff;
    f->century = CMOS_CENTURY;
    f->boot_flags = BOOT_LEGACY_DEVICES | BOOT_NO_VGA;
    f->flags = FLAG_WBINVD | FLAG_C1 | FLAG_NO_SLEEP_BUTTON | FLAG_TIMER_32BIT | FLAG_RESET;
    f->reset = io(RESET_PORT, 1);
    f->reset_value = RESET_VALUE;
    f->minor = 4;
    f->x_facs = 0; /* the 32-bit field holds it */
    f->x_dsdt = dsdt;
    f->x_pm1a_event = io(LAYOUT_PM_BASE, 4);
    f->x_pm1a_control = io(LAYOUT_PM_BASE + 4, 2);
    f->x_pm_timer = io(LAYOUT_PM_BASE + 8, 4);
    finish(&f->header, "FACP", sizeof(*f), 6);
    return at;
}

static uint8_t *madt_override(uint8_t *p, uint8_t irq, uint32_t gsi, uint16_t flags)
{
    *p++ = 2; /* interrupt source override: 5.2.12.5 */
    *p++ = 10;
    *p++ = 0;
    *p++ = irq;
    memcpy(p, &gsi, 4);
    memcpy(p + 4, &flags, 2);
    return p + 6;
}

/* 5.2.12 */
static uint64_t build_madt(struct build *b, unsigned cpus)
{
    const size_t length = sizeof(struct header) + 8 + cpus * 8 + 12 + 2 * 10 + 6;
    uint64_t at;
    struct header *h = take(b, length, 16, &at);
    uint8_t *p = (uint8_t *)(h + 1);
    const uint32_t lapic = (uint32_t)LAYOUT_LAPIC, pc_compatible = 1;
    memcpy(p, &lapic, 4);
    memcpy(p + 4, &pc_compatible, 4);
    p += 8;
    for (unsigned i = 0; i < cpus; i++) { /* processor local APIC, enabled */
        const uint8_t entry[8] = {0, 8, (uint8_t)i, (uint8_t)i, 1, 0, 0, 0};
        memcpy(p, entry, 8);
        p += 8;
    }
    const uint32_t ioapic[2] = {(uint32_t)LAYOUT_IOAPIC, 0};
    const uint8_t ioapic_head[4] = {1, 12, 0, 0};
    memcpy(p, ioapic_head, 4);
    memcpy(p + 4, ioapic, 8);
    p += 12;
    p = madt_override(p, 0, 2, 0); /* the PIT; bus default: edge, high */
    p = madt_override(p, LAYOUT_SCI_IRQ, LAYOUT_SCI_IRQ, 0xd); /* the SCI: level, active high */
    const uint8_t nmi[6] = {4, 6, 0xff, 0, 0, 1};              /* NMI at LINT1 of every CPU */
    memcpy(p, nmi, 6);
    finish(h, "APIC", length, 5);
    return at;
}

/*
 * The processors as devices: Scope (\_SB) { Device (C000) { Name (_HID, "ACPI0007") Name (_UID, 0) }
 * ... } in the byte code of 20.2; a package length of two bytes has its low nibble in the first.
 */
#define CPU_DEVICE_BYTES 29u
static uint64_t build_ssdt(struct build *b, unsigned cpus)
{
    static const char device[CPU_DEVICE_BYTES] = /* ends in the number 0 */
        "\x5b\x82\x1b"
        "C000"
        "\x08_HID\x0d"
        "ACPI0007\0"
        "\x08_UID\x0a";
    const size_t scope = 2 + 5 + cpus * CPU_DEVICE_BYTES;
    const size_t length = sizeof(struct header) + 1 + scope;
    uint64_t at;
    struct header *h = take(b, length, 16, &at);
    uint8_t *p = (uint8_t *)(h + 1);
    const uint8_t head[3] = {0x10, (uint8_t)(0x40 | (scope & 15)), (uint8_t)(scope >> 4)};
    memcpy(p, head, sizeof(head));
    memcpy(p + sizeof(head), "\\_SB_", 5);
    p += sizeof(head) + 5;
    for (unsigned i = 0; i < cpus; i++, p += CPU_DEVICE_BYTES) {
        memcpy(p, device, sizeof(device));
        p[5] = (uint8_t)('0' + i / 10);
        p[6] = (uint8_t)('0' + i % 10);
        p[CPU_DEVICE_BYTES - 1] = (uint8_t)i; /* the MADT's processor UID */
    }
    finish(h, "SSDT", length, 2);
    return at;
}

/* PCI firmware specification 3.0, 4.1.2 */
static uint64_t build_mcfg(struct build *b)
{
    const size_t length = sizeof(struct header) + 8 + 16;
    const uint64_t ecam = LAYOUT_ECAM;
    uint64_t at;
    struct header *h = take(b, length, 16, &at);
    memcpy((uint8_t *)(h + 1) + 8, &ecam, 8); /* segment 0, buses 0 to 0 */
    finish(h, "MCFG", length, 1);
    return at;
}

void acpi_tables_build(uint8_t *to, gpa_t base, unsigned cpu_count)
{
    struct build b = {to, base.raw, 0};
    uint64_t at, xsdt_at, tables[4];
    memset(to, 0, ACPI_TABLES_BYTES);
    struct rsdp *rsdp = take(&b, sizeof(*rsdp), 16, &at);
    struct header *xsdt = take(&b, sizeof(*xsdt) + sizeof(tables), 16, &xsdt_at);
    uint64_t facs = build_facs(&b);
    tables[0] = build_fadt(&b, facs, build_dsdt(&b));
    tables[1] = build_madt(&b, cpu_count);
    tables[2] = build_mcfg(&b);
    tables[3] = build_ssdt(&b, cpu_count);
    memcpy(xsdt + 1, tables, sizeof(tables));
    finish(xsdt, "XSDT", sizeof(*xsdt) + sizeof(tables), 1);

    memcpy(rsdp->signature, "RSD PTR ", 8);
    memcpy(rsdp->oem, OEM, 6);
    rsdp->revision = 2;
    rsdp->length = sizeof(*rsdp);
    rsdp->xsdt = xsdt_at;
    rsdp->checksum = (uint8_t)-sum(rsdp, 20);
    rsdp->extended_checksum = (uint8_t)-sum(rsdp, sizeof(*rsdp));
}
