// SPDX-License-Identifier: BSD-2-Clause
/*
 * The vCPU page: what the kernel and a VMM say to each other about one virtual CPU.
 *
 * One 4 KiB page, shared. The VMM writes it only while no vcpu_run of that vCPU is under way; the
 * kernel copies what it uses once, checks it and never trusts it (a bad state makes LEAT_EXIT_INVALID).
 *
 * Register groups: on an exit the kernel stores the groups that the exit's handling needs and says so in
 * `valid`; vcpu_sync fetches others. What the VMM changes it marks in `dirty`, and the next vcpu_run
 * loads it; vcpu_run clears `dirty`. A new vCPU starts with all groups dirty.
 */
#ifndef LEAT_VCPU_H
#define LEAT_VCPU_H

#include <leat/types.h>

enum leat_vcpu_group {
    LEAT_VCPU_GPR = 1u << 0,     /* gpr[]: valid on every exit */
    LEAT_VCPU_RIP = 1u << 1,     /* rip, rflags, interruptibility: valid on every exit */
    LEAT_VCPU_CR = 1u << 2,      /* cr0, cr2, cr3, cr4, efer; as the guest sees them */
    LEAT_VCPU_SEG = 1u << 3,     /* es..gs, ldtr, tr, gdtr, idtr */
    LEAT_VCPU_SYSCALL = 1u << 4, /* star, lstar, cstar, sfmask, kernel_gs_base, sysenter_* */
    LEAT_VCPU_MISC = 1u << 5,    /* pat, dr7, tsc_offset, xcr0 */
    LEAT_VCPU_APIC = 1u << 6,    /* apic_on, eoi_exits, what struct leat_apic has in IRR and ISR; never stored */
};
#define LEAT_VCPU_ALL 0x7fu

/*
 * The rate of a vCPU's TSC, vcpu_create's tsc_ratio: ticks for one of the host's, a fixed-point number. The guest reads
 * ((host TSC * ratio) >> LEAT_TSC_FRACTION_BITS) + tsc_offset. Ratios are above 0 and below LEAT_TSC_RATIO_END (256), what
 * both vendors' CPUs have; of the fraction bits the CPU has the upper leat_info.tsc_fraction_bits, 0: only LEAT_TSC_ONE.
 */
#define LEAT_TSC_FRACTION_BITS 48
#define LEAT_TSC_ONE (1ull << LEAT_TSC_FRACTION_BITS)
#define LEAT_TSC_RATIO_END (256 * LEAT_TSC_ONE)

enum leat_gpr { /* the hardware's numbering, Intel SDM vol. 2, table 2-2 */
    LEAT_RAX, LEAT_RCX, LEAT_RDX, LEAT_RBX, LEAT_RSP, LEAT_RBP, LEAT_RSI, LEAT_RDI,
    LEAT_R8, LEAT_R9, LEAT_R10, LEAT_R11, LEAT_R12, LEAT_R13, LEAT_R14, LEAT_R15,
};

enum leat_seg { LEAT_ES, LEAT_CS, LEAT_SS, LEAT_DS, LEAT_FS, LEAT_GS, LEAT_LDTR, LEAT_TR,
                LEAT_GDTR, LEAT_IDTR, LEAT_SEGS };

struct leat_segment {
    uint16_t selector;
    uint16_t reserved;
    uint32_t access; /* access rights as in a VMCS: SDM vol. 3, table 25-2; bit 16 unusable */
    uint32_t limit;  /* in bytes */
    uint32_t reserved2;
    uint64_t base;
};

/* Why vcpu_run returned. The kernel handles by itself: host interrupts, time slices, CPUID, doorbells,
   XSETBV, HLT (it blocks the thread until a kick, the deadline, or an injectable event). */
enum leat_exit {
    LEAT_EXIT_KICK = 0,         /* vcpu_kick, before or during the run */
    LEAT_EXIT_DEADLINE = 1,     /* leat_vcpu.deadline_tsc has passed; the kernel has set it to 0 */
    LEAT_EXIT_IO = 2,           /* detail.io; RIP still at the instruction, next_rip behind it */
    LEAT_EXIT_MMIO = 3,         /* detail.mmio; access to a guest-physical address without a mapping (or
                                   a write to a read-only one); valid: also CR and SEG */
    LEAT_EXIT_MSR_READ = 4,     /* detail.msr; the VMM sets RAX, RDX and RIP = next_rip */
    LEAT_EXIT_MSR_WRITE = 5,    /* detail.msr.value */
    LEAT_EXIT_HYPERCALL = 6,    /* VMCALL/VMMCALL */
    LEAT_EXIT_CR8 = 7,          /* detail.cr8: MOV to/from CR8 */
    LEAT_EXIT_IRQ_WINDOW = 8,   /* the irq_vector asked for has been injected, and report_injected is set */
    LEAT_EXIT_TRIPLE_FAULT = 9,
    LEAT_EXIT_INVALID = 10,     /* the CPU refused the state: detail.invalid */
    LEAT_EXIT_UNHANDLED = 11,   /* an instruction that no guest of ours may use: detail.unhandled; the VMM
                                   injects #UD or stops the VM */
    LEAT_EXIT_EOI = 12,         /* detail.eoi: the guest has ended that vector, which is in eoi_exits */
    LEAT_EXIT_COUNT = 13
};

enum leat_event_type { /* SDM vol. 3, table 25-17; the same numbers in AMD APM vol. 2, 15.20 */
    LEAT_EVENT_INTERRUPT = 0,
    LEAT_EVENT_NMI = 2,
    LEAT_EVENT_EXCEPTION = 3,
};
/* leat_vcpu.event: bit 31 valid, bit 11 deliver error code, 10:8 type, 7:0 vector */
#define LEAT_EVENT_VALID (1u << 31)
#define LEAT_EVENT_HAS_ERROR (1u << 11)
#define LEAT_EVENT(type, vector) (LEAT_EVENT_VALID | ((uint32_t)(type) << 8) | (uint32_t)(vector))

enum leat_interruptibility { /* SDM vol. 3, table 25-3 */
    LEAT_BLOCKED_BY_STI = 1u << 0,
    LEAT_BLOCKED_BY_MOV_SS = 1u << 1,
    LEAT_BLOCKED_BY_NMI = 1u << 3,
};

struct leat_exit_io {
    uint16_t port;
    uint8_t width;      /* 1, 2, 4 */
    uint8_t is_in;      /* 1 IN, 0 OUT; the data of a non-string access is in RAX */
    uint8_t is_string;  /* INS/OUTS: the VMM must decode; valid: also CR and SEG */
    uint8_t is_rep;
    uint16_t reserved;
};

struct leat_exit_mmio {
    uint64_t gpa;
    uint64_t gva;
    uint8_t gva_valid;
    uint8_t is_write;
    uint8_t is_fetch;   /* instruction fetch: not emulated, the VMM stops the VM */
    uint8_t in_page_walk; /* the access was the CPU's own page walk */
    uint8_t insn_length; /* bytes of insn[] that the CPU gave; 0: fetch them by a page walk */
    uint8_t insn[15];
};

struct leat_exit_msr {
    uint32_t index;
    uint32_t reserved;
    uint64_t value;
};

struct leat_exit_cr8 {
    uint8_t is_read;
    uint8_t gpr; /* enum leat_gpr */
};

struct leat_exit_eoi {
    uint8_t vector;
};

struct leat_exit_code {
    uint64_t reason;        /* the CPU's own exit code or VM-instruction error */
    uint64_t qualification; /* of VT-x; EXITINFO1 of AMD-V */
    uint64_t info;          /* guest-physical address, or EXITINFO2 */
};

/* Exits that the kernel counts for each vCPU, whether it handled them itself or passed them on. */
enum leat_exit_count {
    LEAT_COUNT_HOST_IRQ, LEAT_COUNT_IRQ_WINDOW, LEAT_COUNT_CPUID, LEAT_COUNT_HLT, LEAT_COUNT_IO,
    LEAT_COUNT_DOORBELL, LEAT_COUNT_MMIO, LEAT_COUNT_MSR_READ, LEAT_COUNT_MSR_WRITE, LEAT_COUNT_CR,
    LEAT_COUNT_XSETBV, LEAT_COUNT_HYPERCALL, LEAT_COUNT_EXCEPTION, LEAT_COUNT_PAUSE, LEAT_COUNT_OTHER,
    LEAT_COUNT_TOTAL, /* all exits of the CPU */
    LEAT_COUNT_TO_VMM, /* returns of vcpu_run */
    LEAT_COUNTS
};

struct leat_trace_entry { /* one of the last 16 exits, for the watchdog's report */
    uint64_t rip;
    uint32_t reason; /* the CPU's exit code */
    uint32_t reserved;
    uint64_t qualification;
};

struct leat_vcpu {
    /* -- from the VMM, read at vcpu_run -- */
    uint32_t dirty;          /* groups to load */
    uint32_t halted;         /* in: do not enter before an event is injectable; out: the guest is in HLT */
    uint64_t deadline_tsc;   /* host TSC at which vcpu_run returns LEAT_EXIT_DEADLINE; 0: none */
    uint32_t event;          /* to inject at the entry, LEAT_EVENT(): exceptions, NMI; cleared when done */
    uint32_t event_error;
    int32_t irq_vector;      /* external interrupt to inject as soon as the guest can take it; -1: none.
                                The kernel sets it to -1 when it has been injected */
    uint32_t report_injected; /* 1: return LEAT_EXIT_IRQ_WINDOW right after irq_vector was injected */
    /* -- from the kernel -- */
    uint32_t valid;          /* groups below that hold the current state */
    uint32_t exit;           /* enum leat_exit, as vcpu_run returned */
    uint64_t next_rip;       /* of IO, MSR_*, HYPERCALL, CR8: behind the instruction */
    union {
        struct leat_exit_io io;
        struct leat_exit_mmio mmio;
        struct leat_exit_msr msr;
        struct leat_exit_cr8 cr8;
        struct leat_exit_eoi eoi;
        struct leat_exit_code invalid;
        struct leat_exit_code unhandled;
        uint64_t raw[6];
    } detail;
    /* -- register groups -- */
    uint64_t gpr[16];
    uint64_t rip, rflags;
    uint32_t interruptibility, reserved;
    uint64_t cr0, cr2, cr3, cr4, efer;
    struct leat_segment seg[LEAT_SEGS];
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t pat, dr7, tsc_offset, xcr0;
    uint64_t eoi_exits[4]; /* 256 bits: vectors whose EOI makes LEAT_EXIT_EOI, when the guest has gone on behind it */
    uint32_t apic_on;      /* enum leat_apic_on: struct leat_apic is the guest's local APIC, in x2APIC mode */
    uint32_t apic_can;     /* from vcpu_create: enum leat_apic_can; 0: apic_on changes nothing */
    /* -- statistics, written by the kernel only -- */
    uint64_t counts[LEAT_COUNTS];
    uint32_t trace_next, reserved2; /* next slot of trace[] to be overwritten */
    struct leat_trace_entry trace[16];
};

_Static_assert(sizeof(struct leat_vcpu) <= 4096, "the vCPU page is one page");

/*
 * APIC virtualization: SDM vol. 3, chapter 30. A vCPU's memory may have two more pages, struct leat_apic; where the CPU
 * can, page->apic_can says what. While apic_on is set, the CPU itself works the guest's x2APIC there: EOI, TPR (CR8 too)
 * and SELF_IPI do not exit, interrupts are taken from IRR by their priority. All other writes exit as ever. The guest
 * reads ID, VERSION, TPR, PPR, LDR, SVR, ISR, TMR, IRR, ESR, ICR, the LVTs (without CMCI), and the timer's initial count
 * and divider as they are in reg[].
 *
 * Between two vcpu_run the VMM may change reg[]; if that concerns ISR or IRR, with LEAT_VCPU_APIC in `dirty`. During one it
 * leaves IRR, ISR, TPR and PPR alone. An interrupt is sent at any time, by anybody who has the pages: its bit in
 * requests.vectors, then bit 0 of outstanding, both atomically; who finds the latter clear calls vcpu_kick(vcpu,
 * LEAT_KICK_POSTED), unless vcpu_run is not under way: it looks by itself. What was requested is in IRR when the guest goes
 * on.
 *
 * To the kernel nothing in these pages is more than bits: what is wrong there only misleads this guest.
 */
enum leat_apic_can {
    LEAT_APIC_VIRTUAL = 1u << 0, /* all of the above, but reads: of reg[] only TPR is */
    LEAT_APIC_READS = 1u << 1,   /* reads too */
    LEAT_APIC_POSTED = 1u << 2,  /* a running guest takes requests without an exit */
};

enum leat_apic_on {
    LEAT_APIC_OFF = 0,
    LEAT_APIC_ON = 1,
    LEAT_APIC_ALL = 2, /* as ON, with all that the CPU says it has, even where that is known to be faulty */
};

struct leat_apic_reg {
    uint32_t value, value_high, reserved[2]; /* the high half is of ICR only */
};
struct leat_apic_requests { /* the posted-interrupt descriptor: SDM vol. 3, table 30-1 */
    uint32_t vectors[8];    /* 256 bits */
    uint32_t outstanding, reserved[7];
};
struct leat_apic {
    struct leat_apic_reg reg[256]; /* by number: MSR - 0x800 */
    struct leat_apic_requests requests;
};
_Static_assert(offsetof(struct leat_apic, requests) == 4096, "the descriptor has a page of its own");

enum leat_kick {
    LEAT_KICK = 0,        /* vcpu_run returns LEAT_EXIT_KICK */
    LEAT_KICK_POSTED = 1, /* it looks at the requests, and does not return */
};

#endif
