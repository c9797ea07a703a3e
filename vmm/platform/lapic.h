// SPDX-License-Identifier: BSD-2-Clause
/*
 * A local APIC: xAPIC registers by MMIO, x2APIC registers by MSR, timer in all three modes. SDM
 * vol. 3, chapter 11. Its timer counts the guest's TSC (divided as the guest asks).
 *
 * Who may touch it: the CPU's own thread while its guest is out (no lock is needed for what concerns
 * this APIC alone), others with the VM's lock held. Fixed interrupts may come from any thread
 * without the lock: IRR and TMR are worked by atomic operations.
 */
#ifndef VMM_PLATFORM_LAPIC_H
#define VMM_PLATFORM_LAPIC_H

#include <leat/vcpu.h>

struct vm;

/* Register numbers: MSR - 0x800, or MMIO offset / 16. SDM vol. 3, tables 11-1 and 11-6. */
enum lapic_register {
    LAPIC_ID = 0x02,
    LAPIC_VERSION = 0x03,
    LAPIC_TPR = 0x08,
    LAPIC_APR = 0x09,
    LAPIC_PPR = 0x0a,
    LAPIC_EOI = 0x0b,
    LAPIC_RRD = 0x0c,
    LAPIC_LDR = 0x0d,
    LAPIC_DFR = 0x0e,
    LAPIC_SVR = 0x0f,
    LAPIC_ISR = 0x10,
    LAPIC_TMR = 0x18,
    LAPIC_IRR = 0x20,
    LAPIC_ESR = 0x28,
    LAPIC_LVT_CMCI = 0x2f,
    LAPIC_ICR = 0x30,
    LAPIC_ICR_HIGH = 0x31,
    LAPIC_LVT_TIMER = 0x32,
    LAPIC_LVT_THERMAL = 0x33,
    LAPIC_LVT_PERF = 0x34,
    LAPIC_LVT_LINT0 = 0x35,
    LAPIC_LVT_LINT1 = 0x36,
    LAPIC_LVT_ERROR = 0x37,
    LAPIC_TIMER_INITIAL = 0x38,
    LAPIC_TIMER_CURRENT = 0x39,
    LAPIC_TIMER_DIVIDE = 0x3e,
    LAPIC_SELF_IPI = 0x3f,
};

enum lapic_delivery { /* delivery modes of LVTs, ICR, MSI and IO-APIC */
                      LAPIC_FIXED = 0,
                      LAPIC_LOWEST = 1,
                      LAPIC_SMI = 2,
                      LAPIC_NMI = 4,
                      LAPIC_INIT = 5,
                      LAPIC_SIPI = 6,
                      LAPIC_EXTINT = 7,
};

/* IA32_APIC_BASE: SDM vol. 3, 11.4.4 */
#define LAPIC_BASE_BSP (1ull << 8)
#define LAPIC_BASE_X2APIC (1ull << 10)
#define LAPIC_BASE_ENABLE (1ull << 11)

#define LAPIC_LVT_COUNT 6 /* TIMER .. ERROR */

struct lapic_vectors { /* 256 bits */
    uint64_t words[4];
};

struct lapic {
    struct vm *vm;
    unsigned index;      /* of the vCPU; the APIC id */
    uint64_t base;       /* IA32_APIC_BASE */
    uint64_t tsc_offset; /* guest TSC - vm_now_tsc */
    uint32_t tpr, svr, ldr, dfr, esr, esr_pending, icr_high, icr_low, divide;
    uint32_t lvt[LAPIC_LVT_COUNT];
    struct lapic_vectors irr, isr, tmr;
    uint64_t deadline_tsc; /* vm_now_tsc when the timer fires; 0: off */
    uint64_t period_tsc;   /* of the one-shot or periodic count */
    uint32_t initial_count;
    bool nmi_pending, init_pending, sipi_pending;
    bool wait_for_sipi; /* an AP after INIT */
    uint8_t sipi_vector;
    struct leat_apic
        *shared;            /* pages in which the CPU itself can work this APIC; NULL: it cannot */
    enum leat_apic_on mode; /* how, then */
    bool is_virtual;        /* it does: there lie TPR, ISR and IRR, while irr has what waits for the
                                 next entry. Set in x2APIC mode only */
    bool is_stale;          /* the kernel has to look at the pages anew */
    uint32_t
        held_class; /* while the guest is in: vectors of this priority class (bits 7:4) and below
                            cannot be taken before it comes out by itself */
};

void lapic_init(struct lapic *lapic, struct vm *vm, unsigned index);
void lapic_reset(struct lapic *lapic); /* power-on; an INIT keeps base and id */

/* What the CPU would take now: a vector, or -1. Looks at IRR, ISR and TPR, not at RFLAGS.IF. Of a virtual one -1: the CPU
   looks itself. */
int lapic_pending(const struct lapic *lapic);

/* The CPU has taken that vector: IRR to ISR. */
void lapic_accept(struct lapic *lapic, uint8_t vector);

void lapic_eoi(struct lapic *lapic);

/* The CPU has ended that vector in a virtual one: passed on, if it was a level. With the VM's lock held. */
void lapic_virtual_eoi(struct lapic *lapic, uint8_t vector);

/* Ends it without the VM's lock: it is not a level that the IO-APIC must hear of. */
bool lapic_eoi_is_own(const struct lapic *lapic);

/* -- worked by the CPU: lapic_virtual.c; leat/vcpu.h has the contract of the pages -- */

/* Once, where the kernel has said LEAT_APIC_VIRTUAL. The pages are zeroed, and stay through resets. */
void lapic_share(struct lapic *lapic, struct leat_apic *pages, enum leat_apic_on mode);

/* By the owner: the CPU works it from the next entry on, beginning with what the fields say. Also after these
   were reset. */
void lapic_virtual_begin(struct lapic *lapic);
void lapic_virtual_end(struct lapic *lapic);

/* Makes what the guest reads there equal to a register that it has written, and to all that hang on it. */
void lapic_virtual_mirror(struct lapic *lapic, uint32_t reg);

/* Any thread: an edge for a guest whose CPU takes it. */
void lapic_virtual_post(struct lapic *lapic, uint8_t vector);

/* By the owner, before an entry: tells the kernel what has changed. */
void lapic_virtual_prepare(struct lapic *lapic, struct leat_vcpu *page);

/* As it lies in the pages. base: LAPIC_ISR, LAPIC_TMR, LAPIC_IRR. */
int lapic_virtual_highest(const struct lapic *lapic, uint32_t base);
uint32_t lapic_virtual_read(const struct lapic *lapic, uint32_t reg);

/* Before the guest is entered with the vector `asked` to be taken, or -1. */
void lapic_hold(struct lapic *lapic, int asked);

/* The timer's deadline has come (deadline_tsc is at or before now). */
void lapic_timer_expire(struct lapic *lapic, uint64_t now_tsc);

/* IA32_TSC_DEADLINE, in guest TSC */
void lapic_set_tsc_deadline(struct lapic *lapic, uint64_t guest_tsc);
uint64_t lapic_tsc_deadline(const struct lapic *lapic);
/* The guest's TSC was moved: keeps what is armed in step. */
void lapic_set_tsc_offset(struct lapic *lapic, uint64_t offset);

/* IA32_APIC_BASE; false: #GP. */
bool lapic_set_base(struct lapic *lapic, uint64_t value);

static inline bool lapic_is_x2apic(const struct lapic *lapic)
{
    return lapic->base & LAPIC_BASE_X2APIC;
}

/* x2APIC MSRs 0x800 + reg; false: #GP. */
bool lapic_msr_read(struct lapic *lapic, uint32_t reg, uint64_t *value);
bool lapic_msr_write(struct lapic *lapic, uint32_t reg, uint64_t value);

/* The frequent writes, by the CPU's own thread without the VM's lock: EOI of an edge, TPR, timer
   count, fixed IPIs. False: nothing was done, lapic_msr_write must do it. */
bool lapic_msr_write_alone(struct lapic *lapic, uint32_t reg, uint64_t value);

/* xAPIC: offset in its page. Accesses that are not 32 bits wide and 16-byte aligned do nothing. */
uint64_t lapic_mmio_read(struct lapic *lapic, uint64_t offset, unsigned width);
void lapic_mmio_write(struct lapic *lapic, uint64_t offset, unsigned width, uint64_t value);

/* A message of the interrupt bus reaches this CPU; it is kicked if it would not see it soon. */
void lapic_receive(struct lapic *lapic, enum lapic_delivery mode, uint8_t vector, bool is_level);

/* Is this CPU meant? destination: 8 bits from xAPIC and IO-APIC, 32 from x2APIC. */
bool lapic_matches(const struct lapic *lapic, uint32_t destination, bool is_logical);

/* LVT LINT0 passes the 8259's interrupts on to this CPU. */
bool lapic_takes_extint(const struct lapic *lapic);

/* An error of this APIC: sets the bit of the ESR and raises the LVT's interrupt. */
#define LAPIC_ERROR_SEND_VECTOR (1u << 5) /* SDM vol. 3, figure 11-9 */
#define LAPIC_ERROR_RECEIVE_VECTOR (1u << 6)
void lapic_error(struct lapic *lapic, uint32_t bit);

/* What the guest reads; of ICR the low half. */
uint32_t lapic_read(struct lapic *lapic, uint32_t reg);

uint32_t lapic_ppr(const struct lapic *lapic);
int lapic_highest(const struct lapic_vectors *v); /* -1: empty */

#endif
