// SPDX-License-Identifier: BSD-2-Clause
/* The virtual machine control block: AMD APM vol. 2, appendix B. Ordinary memory of the kernel's. */
#ifndef ARCH_X86_64_SVM_VMCB_H
#define ARCH_X86_64_SVM_VMCB_H

#include <leat/types.h>

struct vmcb_segment {
    uint16_t selector;
    uint16_t attributes; /* descriptor bits 55:52 and 47:40 */
    uint32_t limit;
    uint64_t base;
};

enum vmcb_segment_index {
    VMCB_ES,
    VMCB_CS,
    VMCB_SS,
    VMCB_DS,
    VMCB_FS,
    VMCB_GS,
    VMCB_GDTR,
    VMCB_LDTR,
    VMCB_IDTR,
    VMCB_TR,
    VMCB_SEGMENTS
};

struct vmcb {
    /* -- control area: table B-1 -- */
    uint16_t cr_reads, cr_writes, dr_reads, dr_writes; /* intercepts: bit n of register n */
    uint32_t exceptions, intercepts, intercepts_2, intercepts_3;
    uint8_t reserved_18[0x3c - 0x18];
    uint16_t pause_threshold, pause_count;
    uint64_t io_map, msr_map; /* physical */
    uint64_t tsc_offset;
    uint32_t asid;
    uint32_t tlb_control;
    uint64_t interrupt_control; /* V_* below */
    uint64_t shadow;            /* bit 0: the guest is in an interrupt shadow */
    uint64_t exit_code, exit_info_1, exit_info_2;
    uint64_t exit_event; /* EXITINTINFO: as inject */
    uint64_t nested;     /* bit 0: nested paging */
    uint8_t reserved_98[0xa8 - 0x98];
    uint64_t inject; /* EVENTINJ: as leat_vcpu.event, error code in 63:32 */
    uint64_t nested_cr3;
    uint64_t lbr;
    uint32_t clean; /* CLEAN_* */
    uint32_t reserved_c4;
    uint64_t next_rip;
    uint8_t insn_length, insn[15];
    uint8_t reserved_e0[0x400 - 0xe0];
    /* -- state save area: table B-2 -- */
    struct vmcb_segment seg[VMCB_SEGMENTS];
    uint8_t reserved_4a0[0x4cb - 0x4a0];
    uint8_t cpl;
    uint32_t reserved_4cc;
    uint64_t efer;
    uint8_t reserved_4d8[0x548 - 0x4d8];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint8_t reserved_580[0x5d8 - 0x580];
    uint64_t rsp, s_cet, ssp, isst, rax;
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t cr2;
    uint8_t reserved_648[0x668 - 0x648];
    uint64_t pat;
    uint8_t reserved_670[0x1000 - 0x670];
};
_Static_assert(sizeof(struct vmcb) == 4096, "a VMCB is a page");
_Static_assert(offsetof(struct vmcb, io_map) == 0x40 && offsetof(struct vmcb, exit_code) == 0x70 &&
                   offsetof(struct vmcb, inject) == 0xa8 && offsetof(struct vmcb, insn) == 0xd1 &&
                   offsetof(struct vmcb, efer) == 0x4d0 && offsetof(struct vmcb, rip) == 0x578 &&
                   offsetof(struct vmcb, rax) == 0x5f8 && offsetof(struct vmcb, pat) == 0x668,
               "the fields lie where the CPU has them");

/* intercepts, at 00Ch */
#define ICPT_INTR (1u << 0)
#define ICPT_NMI (1u << 1)
#define ICPT_SMI (1u << 2)
#define ICPT_INIT (1u << 3)
#define ICPT_VINTR (1u << 4)
#define ICPT_CR0_SELECTIVE (1u << 5) /* writes that change other bits than TS and MP */
#define ICPT_RDPMC (1u << 15)
#define ICPT_CPUID (1u << 18)
#define ICPT_RSM (1u << 19)
#define ICPT_IRET (1u << 20)
#define ICPT_INVD (1u << 22)
#define ICPT_PAUSE (1u << 23)
#define ICPT_HLT (1u << 24)
#define ICPT_INVLPGA (1u << 26)
#define ICPT_IO (1u << 27)
#define ICPT_MSR (1u << 28)
#define ICPT_TASK_SWITCH (1u << 29)
#define ICPT_SHUTDOWN (1u << 31)
/* intercepts_2, at 010h: VMRUN, VMMCALL, VMLOAD, VMSAVE, STGI, CLGI, SKINIT; WBINVD, MONITOR, MWAIT twice, XSETBV,
   RDPRU */
#define ICPT_2_ALL 0x7e7fu

#define TLB_FLUSH_ALL 1u  /* of every ASID */
#define TLB_FLUSH_ASID 3u /* with FlushByAsid */

#define V_IRQ (1ull << 8)
#define V_PRIORITY (15ull << 16)
#define V_VECTOR 32
#define V_IGNORE_TPR (1ull << 20)
#define V_INTR_MASKING (1ull << 24) /* the guest's IF does not mask the host's interrupts */

/* What is as the last exit left it, table 15-9. */
#define CLEAN_INTERCEPTS (1u << 0)
#define CLEAN_ASID (1u << 2)
#define CLEAN_TPR (1u << 3)
#define CLEAN_CR (1u << 5)
#define CLEAN_DR (1u << 6)
#define CLEAN_ALL 0x3ffu

/* Exit codes: appendix C */
enum svm_code {
    SVM_CR_READ = 0x00,
    SVM_CR_WRITE = 0x10,
    SVM_DR_READ = 0x20,
    SVM_DR_WRITE = 0x30,
    SVM_EXCEPTION = 0x40,
    SVM_INTR = 0x60,
    SVM_NMI = 0x61,
    SVM_SMI = 0x62,
    SVM_INIT = 0x63,
    SVM_VINTR = 0x64,
    SVM_CR0_SELECTIVE = 0x65,
    SVM_CPUID = 0x72,
    SVM_IRET = 0x74,
    SVM_INVD = 0x76,
    SVM_PAUSE = 0x77,
    SVM_HLT = 0x78,
    SVM_IO = 0x7b,
    SVM_MSR = 0x7c,
    SVM_SHUTDOWN = 0x7f,
    SVM_VMMCALL = 0x81,
    SVM_WBINVD = 0x89,
    SVM_XSETBV = 0x8d,
    SVM_CODES = 0x90,
    SVM_NESTED_FAULT = 0x400,
};
#define SVM_INVALID UINT64_MAX

#endif
