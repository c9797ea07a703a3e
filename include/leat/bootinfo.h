// SPDX-License-Identifier: BSD-2-Clause
/*
 * What boot hands to the kernel, and the kernel maps read-only for the supervisor.
 *
 * One page-aligned block of LEAT_BOOT_INFO_PAGES pages. Modules lie page-aligned and contiguous in
 * memory of type LEAT_MEMORY_MODULE. Strings are UTF-8 and NUL-terminated.
 *
 * Entry to the kernel: long mode, interrupts off, the 8259s masked and at vectors 0x20 to 0x2f, COM1 (if there is one)
 * at 115200 baud, 8N1, FIFOs on, no interrupts; RDI = physical address of struct leat_boot_info. Boot
 * has made page tables that map (a) all memory below 4 GiB and every range of the memory map one to one,
 * (b) the kernel's ELF segments at their linked addresses (0xffffffff80000000 and up), with their
 * rights. They lie in LEAT_MEMORY_KERNEL memory and stay: other CPUs wait on them (struct leat_boot_parking).
 * The kernel builds its own. The stack is 16 KiB of boot memory.
 */
#ifndef LEAT_BOOTINFO_H
#define LEAT_BOOTINFO_H

#include <leat/types.h>

#define LEAT_BOOT_MAGIC 0x746f6f625f74656cull
#define LEAT_BOOT_VERSION 2
#define LEAT_BOOT_INFO_PAGES 8
#define LEAT_BOOT_MAX_RANGES 256
#define LEAT_BOOT_MAX_MODULES 128
#define LEAT_BOOT_MAX_CPUS 64
#define LEAT_BOOT_MAX_IOAPICS 8
#define LEAT_BOOT_MAX_OVERRIDES 16
#define LEAT_BOOT_MAX_SEGMENTS 8

enum leat_memory_type {
    LEAT_MEMORY_FREE = 1,     /* usable at once */
    LEAT_MEMORY_BOOT = 2,     /* boot's stack, this block: free when the kernel is done */
    LEAT_MEMORY_KERNEL = 3,   /* the kernel's own image, boot's page tables */
    LEAT_MEMORY_MODULE = 4,   /* modules; never handed out as free memory */
    LEAT_MEMORY_RESERVED = 5, /* firmware runtime, ACPI NVS, MMIO: not to be touched as RAM */
    LEAT_MEMORY_ACPI = 6,     /* ACPI tables: readable */
};

struct leat_memory_range {
    uint64_t base_hpa, size; /* sorted by base, page-aligned, not overlapping */
    uint32_t type;           /* enum leat_memory_type */
    uint32_t reserved;
};

enum leat_module_kind {
    LEAT_MODULE_SERVICE = 1, /* an ELF64 program of the bundle: "supervisor", "net", "vmm" ... */
    LEAT_MODULE_CONFIG = 2,  /* leat.conf, whole, as read */
    LEAT_MODULE_FILE = 3,    /* a file that leat.conf names: kernel, initrd; name as written there */
    LEAT_MODULE_DATA = 4,    /* other data of the bundle: "font.psf" */
    LEAT_MODULE_KEY = 5,     /* a file with a key or certificates that leat.conf names: the supervisor wipes it */
};

struct leat_boot_module {
    char name[64];
    uint32_t kind;
    uint32_t reserved;
    uint64_t base_hpa, size; /* size in bytes, the last page's rest is zero */
};

/*
 * The key that the machine keeps in its firmware, for leat.conf's [leatd] without one of its own: the content of a module
 * LEAT_MODULE_KEY of this name, which no file of leat.conf can have. It is no field of struct leat_boot_info because the
 * kernel keeps a copy of that; a module is wiped by the supervisor, like every other of its kind, once it has been
 * given to the process that needs it.
 */
#define LEAT_BOOT_CLIENT_KEY ":client-key"

struct leat_boot_client_key {
    uint8_t key[32];
    uint32_t is_kept; /* 0: the firmware could not keep it. The next start has another: do not enrol with it */
    uint32_t is_new;  /* made by this start */
};

/* A program that boot has checked and laid out in memory; ascending, no two segments on one page. */
struct leat_boot_program {
    uint64_t entry_va;
    uint32_t count;
    uint32_t reserved;
    struct leat_boot_segment {
        uint64_t va, hpa, size; /* whole pages */
        uint32_t prot;          /* enum leat_prot; never WRITE and EXEC */
        uint32_t reserved;
    } segments[LEAT_BOOT_MAX_SEGMENTS];
};

/* ACPI's MADT. Without one: no CPU is named, and one IO-APIC is where a PC has it. */
struct leat_boot_interrupts {
    uint32_t cpu_count, ioapic_count, override_count;
    uint32_t apic_ids[LEAT_BOOT_MAX_CPUS]; /* of enabled CPUs */
    struct leat_boot_ioapic {
        uint32_t hpa, gsi_base;
    } ioapics[LEAT_BOOT_MAX_IOAPICS];
    struct leat_boot_override { /* of an ISA interrupt */
        uint32_t gsi;
        uint8_t isa;
        uint8_t polarity; /* 0: as the bus has it; 1 active high; 3 active low */
        uint8_t trigger;  /* 0: as the bus has it; 1 edge; 3 level */
        uint8_t reserved;
    } overrides[LEAT_BOOT_MAX_OVERRIDES];
};

/*
 * The other CPUs. Boot has started them; each waits in 64-bit mode with interrupts off, on boot's page tables, for the
 * entry of its slot to be set (after the rest), then jumps there.
 */
struct leat_boot_parking {
    uint32_t count; /* CPUs that have come; those from LEAT_BOOT_MAX_CPUS on have no slot and stay halted */
    uint32_t reserved;
    struct leat_boot_slot {
        uint64_t entry_va, rsp, rdi, rsi;
    } cpus[LEAT_BOOT_MAX_CPUS];
};

/* ACPI's FADT and \_S5: how the machine is switched off and started anew. All 0: nobody says. */
struct leat_boot_power {
    uint64_t reset_address;
    uint16_t pm1a_control, pm1b_control, smi_command; /* I/O ports; 0: none */
    uint8_t acpi_enable;                              /* to smi_command */
    uint8_t has_s5, s5_types[2];                      /* sleep types for PM1a and PM1b */
    uint8_t can_reset, reset_space, reset_value;      /* reset_space: 0 memory, 1 I/O port */
    uint8_t reserved[3];
};

struct leat_framebuffer { /* UEFI 2.10, 12.9: GOP with a linear frame buffer; base_hpa 0: none */
    uint64_t base_hpa, size;
    uint32_t width, height, pixels_per_scan_line;
    uint32_t red_mask, green_mask, blue_mask;
};

struct leat_boot_info {
    uint64_t magic;
    uint32_t version;
    uint32_t reserved;
    uint64_t kernel_base_hpa, kernel_size; /* the loaded image, contiguous, from its lowest address on */
    uint64_t tsc_hz;                       /* TSC ticks in a second */
    uint8_t smbios_uuid[16];               /* SMBIOS type 1, as stored; all zero: none */
    char product[64];                      /* SMBIOS type 1, printable ASCII; empty: none */
    struct leat_framebuffer framebuffer;
    struct leat_boot_interrupts interrupts;
    uint64_t parking_hpa; /* struct leat_boot_parking, in BOOT memory below 1 MiB; 0: the other CPUs are left alone */
    struct leat_boot_power power;
    struct leat_boot_program supervisor;
    int64_t wall_clock_s;     /* UTC seconds since 1970, from the firmware; 0: unknown */
    uint64_t tsc_at_start;    /* RDTSC when leat.efi was entered */
    uint64_t tsc_at_exit;     /* RDTSC when boot services were left */
    char boot_device[64];     /* how leat.efi was started, for the log: "disk", "pxe", "http" */
    char problem[256];        /* not empty: what boot could not do, for the supervisor to show (a missing
                                 leat.conf, a file it names that is not there) */
    uint32_t range_count, module_count;
    struct leat_memory_range ranges[LEAT_BOOT_MAX_RANGES];
    struct leat_boot_module modules[LEAT_BOOT_MAX_MODULES];
};

_Static_assert(sizeof(struct leat_boot_info) <= LEAT_BOOT_INFO_PAGES * 4096, "boot info fits");

/* The bundle inside leat.efi: header, entries, then the files, each at a multiple of 4096. */
#define LEAT_BUNDLE_MAGIC 0x6c646e625f74656cull

struct leat_bundle_entry {
    char name[48];
    uint32_t kind;  /* enum leat_module_kind; the kernel itself: LEAT_BUNDLE_KERNEL */
    uint32_t crc32; /* IEEE 802.3, as UEFI's CalculateCrc32 and zlib's crc32 */
    uint64_t offset, size;
};
#define LEAT_BUNDLE_KERNEL 0

struct leat_bundle {
    uint64_t magic;
    uint64_t size;  /* of the whole bundle */
    uint32_t count;
    uint32_t crc32; /* of this header (with this field 0) and all entries */
    struct leat_bundle_entry entries[];
};

#endif
