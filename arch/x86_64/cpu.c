// SPDX-License-Identifier: BSD-2-Clause
#include "arch/x86_64/cpu.h"
#include "kernel/arch.h"
#include "kernel/log.h"
#include "kernel/percpu.h"

struct cpu_features cpu_features;
struct percpu cpus[MAX_CPUS];
static unsigned phys_bits = 36;

void syscall_entry(void);

uint64_t arch_phys_end(void)
{
    return 1ull << phys_bits;
}

void cpu_detect(struct cpu_features *f)
{
    struct cpuid r = cpuid(0, 0); /* SDM vol. 2, CPUID, table 3-8 */
    f->max_leaf = r.eax;
    __builtin_memcpy(f->vendor, &r.ebx, 4);
    __builtin_memcpy(f->vendor + 4, &r.edx, 4);
    __builtin_memcpy(f->vendor + 8, &r.ecx, 4);
    r = cpuid(1, 0);
    f->x2apic = r.ecx & (1u << 21);
    f->tsc_deadline = r.ecx & (1u << 24);
    f->xsave = r.ecx & (1u << 26);
    if (f->max_leaf >= 7) {
        r = cpuid(7, 0);
        f->leaf7_edx = r.edx;
        f->smep = r.ebx & (1u << 7);
        f->smap = r.ebx & (1u << 20);
        f->umip = r.ecx & (1u << 2);
    }
    f->address_bits = f->max_leaf >= 7 && (r.ecx & 1u << 16) ? 57 : 48; /* LA57 */
    if (f->xsave && f->max_leaf >= 0xd) {
        f->xsave_features = cpuid(0xd, 0).eax;
        f->xsaveopt = cpuid(0xd, 1).eax & 1;
    }
    uint32_t max_extended = cpuid(0x80000000, 0).eax;
    r = cpuid(0x80000001, 0);
    f->pages_1g = r.edx & (1u << 26);
    if (!(r.edx & (1u << 20)))
        panic("the CPU has no execute-disable (NX) pages, or firmware has switched them off");
    if (max_extended >= 0x80000008)
        phys_bits = cpuid(0x80000008, 0).eax & 0xff;
    if (phys_bits > 46)
        phys_bits = 46; /* what the direct map has room for */
    f->ext8_ebx = max_extended >= 0x80000008 ? cpuid(0x80000008, 0).ebx : 0;
    f->ext21_eax = max_extended >= 0x80000021 ? cpuid(0x80000021, 0).eax : 0;
}

uint32_t cpu_core(uint32_t apic_id)
{
    unsigned threads = 1;
    if (cpu_features.max_leaf >= 0xb && cpuid(0xb, 0).ebx) { /* SDM vol. 2, CPUID: type 1 is SMT */
        struct cpuid level = cpuid(0xb, 0);
        return apic_id >> ((level.ecx >> 8 & 0xff) == 1 ? level.eax & 31 : 0);
    }
    if (cpuid(0x80000000, 0).eax >= 0x8000001e && (cpuid(0x80000001, 0).ecx & (1u << 22)))
        threads += cpuid(0x8000001e, 0).ebx >> 8 & 0xff; /* APM vol. 3, E.4.16 */
    return apic_id / threads;
}

void arch_load_syscall_msrs(void)
{
    wrmsr(MSR_STAR, (uint64_t)(SEL_USER_BASE | 3) << 48 | (uint64_t)SEL_KERNEL_CODE << 32);
    wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
    wrmsr(MSR_CSTAR, 0);
    /* RF, AC, NT, IF, DF, TF: all off on entry. AC would switch SMAP off. */
    wrmsr(MSR_SFMASK, 1u << 16 | 1u << 18 | 1u << 14 | 1u << 9 | 1u << 10 | 1u << 8);
    wrmsr(MSR_KERNEL_GS_BASE, 0);
}

void cpu_enable(void)
{
    const struct cpu_features *f = &cpu_features;
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | EFER_NXE);
    if (read_cr4() & CR4_LA57)
        panic("firmware has left the CPU in 5-level paging, which Leat does not use");
    write_cr0(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
    /* What firmware had on is off but for this. FSGSBASE too: ring 3 has no FS or GS base to be
       saved, so it must not be able to make one. */
    write_cr4(CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT | (f->xsave ? CR4_OSXSAVE : 0) |
              (f->smep ? CR4_SMEP : 0) | (f->smap ? CR4_SMAP : 0) | (f->umip ? CR4_UMIP : 0));
    wrmsr(MSR_SYSENTER_CS, 0); /* SYSENTER faults */
    wrmsr(MSR_PAT, HOST_PAT);
    arch_load_syscall_msrs();
}
