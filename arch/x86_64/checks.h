// SPDX-License-Identifier: BSD-2-Clause
/*
 * What must hold of values that a vmm or a guest gives before they reach the CPU. Pure; tested on
 * the host. Most state needs no check here: VM entry checks it (SDM vol. 3, 27.3) and refuses.
 */
#ifndef ARCH_X86_64_CHECKS_H
#define ARCH_X86_64_CHECKS_H

#include <leat/types.h>

#define CR0_PE_BIT (1ull << 0)
#define CR0_ET_BIT (1ull << 4)
#define CR0_NE_BIT (1ull << 5)
#define CR0_NW_BIT (1ull << 29)
#define CR0_CD_BIT (1ull << 30)
#define CR0_PG_BIT (1ull << 31)
#define CR4_MCE_BIT (1ull << 6)
#define CR4_VMXE_BIT (1ull << 13)
#define CR4_FSGSBASE_BIT (1ull << 16)
#define CR4_PCIDE_BIT (1ull << 17)
#define CR4_OSXSAVE_BIT (1ull << 18)

/* CR0 bits that the host keeps: VMX operation wants NE; CD and NW would work on the host's caches. */
#define CR0_HOST_OWNED (CR0_NE_BIT | CR0_NW_BIT | CR0_CD_BIT)

/* CR4 bits that a guest may use if its CPU can: VME ... OSXMMEXCPT, UMIP, FSGSBASE, PCIDE, OSXSAVE, SMEP,
   SMAP, LA57. Not: VMXE and SMXE; PKE, CET, PKS, UINTR, whose further state is not switched. */
#define CR4_GUEST_MAY 0x371fffull

/* bits: 57 on a CPU that has LA57, else 48. Registers take what the CPU could use, whatever the paging mode of
   the moment: SDM vol. 1, 3.3.7.1. */
static inline bool is_canonical(uint64_t address, unsigned bits)
{
    return (uint64_t)((int64_t)(address << (64 - bits)) >> (64 - bits)) == address;
}

/* The CR0 that the CPU gets for a guest that believes in `cr0`. */
static inline uint64_t cr0_for_cpu(uint64_t cr0)
{
    return (cr0 & ~CR0_HOST_OWNED) | CR0_NE_BIT | CR0_ET_BIT;
}

/* What MOV to CR0 refuses by #GP, of what the CPU itself does not check before the exit. */
static inline bool cr0_is_valid(uint64_t cr0)
{
    return !(cr0 >> 32) && !((cr0 & CR0_PG_BIT) && !(cr0 & CR0_PE_BIT)) &&
           !((cr0 & CR0_NW_BIT) && !(cr0 & CR0_CD_BIT));
}

/* supported: fixed-1 bits of this CPU. Real machine checks are the host's, so MCE is too. */
static inline uint64_t cr4_guest_bits(uint64_t supported)
{
    return supported & CR4_GUEST_MAY;
}
static inline uint64_t cr4_host_owned(uint64_t guest_bits)
{
    return ~guest_bits | CR4_MCE_BIT;
}
static inline uint64_t cr4_for_cpu(uint64_t cr4, uint64_t guest_bits, uint64_t host_cr4)
{
    return (cr4 & ~cr4_host_owned(guest_bits)) | (host_cr4 & CR4_MCE_BIT) | CR4_VMXE_BIT;
}

/* SDM vol. 1, 13.3: what XSETBV takes, among the features that the kernel saves. */
static inline bool xcr0_is_valid(uint64_t xcr0, uint64_t supported)
{
    const uint64_t x87 = 1, sse = 2, avx = 4, mpx = 0x18, avx512 = 0xe0, amx = 0x60000;
    if (!(xcr0 & x87) || (xcr0 & ~supported))
        return false;
    if ((xcr0 & avx) && !(xcr0 & sse))
        return false;
    if ((xcr0 & avx512) && ((xcr0 & avx512) != avx512 || !(xcr0 & avx)))
        return false;
    if ((xcr0 & mpx) && (xcr0 & mpx) != mpx)
        return false;
    return !(xcr0 & amx) || (xcr0 & amx) == amx;
}

#endif
