// SPDX-License-Identifier: BSD-2-Clause
/*
 * Inside boot/: the parts of leat.efi and what they share. All of it runs on the boot CPU in UEFI's
 * boot environment, single-threaded.
 *
 * The way of a boot, file by file: main -> bundle (check) -> program (kernel, supervisor) -> files
 * (leat.conf and what it names, from a source; identity) -> machine (acpi, SMBIOS, screen, clock, tsc) -> paging -> memmap
 * (leave boot services) -> cpus (the other ones) -> enter.S.
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include <efi.h>

#include <leat/bootinfo.h>

/* One run of pages that boot has allocated, with what the kernel is to think of it. */
struct boot_range {
    uint64_t base, size;
    uint32_t type; /* enum leat_memory_type */
};
#define BOOT_MAX_RANGES (LEAT_BOOT_MAX_MODULES + 64)

struct boot {
    EFI_HANDLE image;
    EFI_SYSTEM_TABLE *system;
    EFI_BOOT_SERVICES *services;
    struct leat_boot_info *info;
    struct leat_boot_program kernel;
    uint64_t page_root; /* physical address of the PML4 */
    uint64_t stack_top;
    unsigned range_count;
    struct boot_range ranges[BOOT_MAX_RANGES]; /* own allocations */
};

/* -- say.c: text for people, on the firmware's console and on COM1 -- */

/* What goes to COM1 directly is left out when the firmware's own console ends there already. */
void say_start(struct boot *boot);
void say_set_up_serial(void); /* COM1 as bootinfo.h promises it */
void say_serial(const char *text);

/* One line, made of strings: say(boot, "a", "b"). While boot services are there. */
#define say(boot, ...) say_parts(boot, (const char *const[]){__VA_ARGS__, NULL})
void say_parts(struct boot *boot, const char *const parts[]);
/* Says "Leat cannot start: ...", waits for a key (10 s at most), returns to the firmware. */
#define say_fatal(boot, ...) say_fatal_parts(boot, (const char *const[]){__VA_ARGS__, NULL})
_Noreturn void say_fatal_parts(struct boot *boot, const char *const parts[]);
/* Sets info->problem if it is empty, and says it. Leat starts all the same. */
#define say_problem(boot, ...) say_problem_parts(boot, (const char *const[]){__VA_ARGS__, NULL})
void say_problem_parts(struct boot *boot, const char *const parts[]);

/* -- alloc.c -- */

/* Zeroed pages for `size` bytes, at a multiple of `align` (a power of two, 4096 at least). Fatal
   with a line that names `what` when there is not enough memory. */
void *boot_allocate(struct boot *boot, uint64_t size, uint64_t align, uint32_t type,
                    const char *what);
/* Adds a module and its pages; returns where its bytes go. name is cut at 63 bytes. */
void *boot_add_module(struct boot *boot, const char *name, enum leat_module_kind kind,
                      uint64_t size);

/* -- bundle.c: the files inside leat.efi -- */

/* Checks magic, sizes, names and every CRC; fatal if anything is wrong. */
void bundle_check(struct boot *boot);
/* The kernel's file. */
const uint8_t *bundle_kernel(uint64_t *size);
/* Loads the supervisor, makes modules of all other files. */
void bundle_load(struct boot *boot);

/* -- files.c: leat.conf and the files that it names; problems are not fatal -- */
void files_load(struct boot *boot);

/* -- program.c: copies a program's segments to where they run; fatal unless it is sound -- */
void program_load_kernel(struct boot *boot, const uint8_t *file, uint64_t size);
void program_load_supervisor(struct boot *boot, const uint8_t *file, uint64_t size);

/* -- machine.c: fills the rest of boot_info -- */
void machine_describe(struct boot *boot);
void machine_hand_over(void); /* devices as bootinfo.h promises them; after boot services */

/* -- acpi.c: fills interrupts and power of boot_info; NULL: no tables -- */
void acpi_describe(struct boot *boot, const void *rsdp);

/* -- tsc.c: TSC ticks in a second; takes 75 ms. Fatal if nothing tells. -- */
uint64_t tsc_measure(struct boot *boot);

/* -- paging.c: boot->page_root, from the memory map as it is now -- */
void paging_build(struct boot *boot);

/* -- cpus.c: starts the other CPUs and lets them wait for the kernel -- */
void cpus_prepare(struct boot *boot); /* while boot services are there, after paging_build */
void cpus_park(struct boot *boot);    /* after them; takes 10 to 200 ms */

/* -- memmap.c -- */

/* Calls fn(context, base, size, leat type) for each piece of the firmware's map as it is now. */
void memmap_each(struct boot *boot,
                 void (*fn)(void *context, uint64_t base, uint64_t size, uint32_t type),
                 void *context);
/* Fatal when less than BOOT_MIN_FREE bytes are left for the kernel and the VMs. */
void memmap_require_free(struct boot *boot);
#define BOOT_MIN_FREE (48ull << 20)
/* Leaves boot services and fills info->ranges. After it nothing of UEFI may be called. */
void memmap_exit(struct boot *boot);

/* -- enter.S -- */
_Noreturn void enter_kernel(uint64_t page_root, uint64_t stack_top, uint64_t entry, uint64_t info);

static inline uint64_t boot_rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void boot_out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t boot_in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint64_t boot_rdmsr(uint32_t index)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
    return (uint64_t)high << 32 | low;
}

static inline void boot_wrmsr(uint32_t index, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

#endif
