// SPDX-License-Identifier: BSD-2-Clause
/* Why the guest left: a table from the CPU's exit code to the function that deals with it. */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/debug.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/svm/insn.h"
#include "arch/x86_64/svm/svm.h"

#define EVENT_SOFTWARE_INTERRUPT 4u
#define WITH_ERROR 0x60227d00u /* exceptions that have an error code: APM vol. 2, table 8-1 */
#define EVENT_DEFINED 0xffffffff80000fffull
#define ERROR_EXT 1u /* the exception came while an event was delivered that is no INT n */

int svm_unhandled(struct svm_vcpu *v)
{
    const struct vmcb *c = v->vmcb;
    v->base.page->detail.unhandled = (struct leat_exit_code){
        .reason = c->exit_code, .qualification = c->exit_info_1, .info = c->exit_info_2};
    return LEAT_EXIT_UNHANDLED;
}

const uint8_t *svm_guest_page(const void *memory, uint64_t at)
{
    unsigned level;
    uint64_t entry = at < NESTED_GPA_END ? nested_find(memory, at, &level) : 0;
    if (!entry)
        return NULL;
    uint64_t inside = at & ((4096ull << 9 * (level - 1)) - 1);
    const uint8_t *page = phys_to_ptr(hpa((entry & NESTED_ADDRESS) + inside));
    return paging_is_mapped((uint64_t)page) ? page : NULL; /* device memory is not */
}

bool svm_fetch_insn(struct svm_vcpu *v, struct svm_insn *insn)
{
    const struct vmcb *c = v->vmcb;
    struct svm_paging paging = {v->base.guest->nested, c->cr0, c->cr3, c->cr4, c->efer};
    uint8_t bytes[INSN_BYTES_MAX];
    bool is_64 = svm_is_64(v);
    uint64_t linear = is_64 ? v->rip : (uint32_t)(c->seg[VMCB_CS].base + v->rip);
    unsigned count = svm_guest_read(&paging, linear, bytes, sizeof(bytes));
    return svm_insn_parse(bytes, count, is_64, insn);
}

uint64_t svm_next_rip(struct svm_vcpu *v, unsigned usual_length)
{
    struct svm_insn insn;
    if (svm_capability.has_next_rip)
        return v->vmcb->next_rip;
    return v->rip + (svm_fetch_insn(v, &insn) ? insn.length : usual_length);
}

static void skip_to(struct svm_vcpu *v, uint64_t rip)
{
    struct vmcb *c = v->vmcb;
    c->rip = rip;
    c->shadow = 0;
    if (__builtin_expect(c->rflags & RFLAGS_TF, 0)) {
        svm_raise(v, VECTOR_DB, false);
        c->dr6 |= DR6_SINGLE_STEP;
        c->clean &= ~CLEAN_DR;
    }
    c->rflags &= ~RFLAGS_RF;
}

void svm_skip(struct svm_vcpu *v, unsigned usual_length)
{
    skip_to(v, svm_next_rip(v, usual_length));
}

int svm_to_vmm(struct svm_vcpu *v, int exit, unsigned usual_length)
{
    if (exit == EXIT_RESUME) {
        svm_skip(v, usual_length);
        return exit;
    }
    v->next_rip = svm_next_rip(v, usual_length);
    v->base.page->next_rip = v->next_rip;
    return exit;
}

static int exit_cpuid(struct svm_vcpu *v)
{
    exits_cpuid(&v->base, v->vmcb->cr4);
    svm_skip(v, 2);
    return EXIT_RESUME;
}

static int exit_io(struct svm_vcpu *v)
{
    /* APM vol. 2, figure 15-2; EXITINFO2 is the address behind the instruction */
    uint64_t info = v->vmcb->exit_info_1, next_rip = v->vmcb->exit_info_2;
    struct leat_exit_io io = {
        .port = (uint16_t)(info >> 16),
        .width = info >> 4 & 7,
        .is_in = info & 1,
        .is_string = info >> 2 & 1,
        .is_rep = info >> 3 & 1,
    };
    int exit = exits_io(&v->base, io);
    if (exit == EXIT_RESUME) {
        skip_to(v, next_rip);
    } else {
        v->next_rip = next_rip;
        v->base.page->next_rip = next_rip;
    }
    return exit;
}

/* Interrupts, SMI and INIT of the host are still pending, and taken when GIF and IF allow it. */
static int exit_interrupt(struct svm_vcpu *v)
{
    (void)v;
    arch_interrupt_window();
    return EXIT_RESUME;
}

static int exit_resume(struct svm_vcpu *v)
{
    (void)v;
    return EXIT_RESUME;
}

/* #DB and #AC, only to hand them on: a guest could make their delivery raise them again without end, inside
   the CPU, and nothing would get it out. DR6 is in the VMCB already. */
static int exit_debug(struct svm_vcpu *v)
{
    struct vmcb *c = v->vmcb;
    if (!(c->dr6 & (DR6_SINGLE_STEP | DR6_BREAKPOINTS))) { /* Bochs 3.0 leaves it as it was */
        c->dr6 |= c->rflags & RFLAGS_TF ? DR6_SINGLE_STEP : 0;
        if (v->debug_loaded)
            debug_read(v->dr);
        for (unsigned i = 0; i < 4; i++)
            if (v->dr[i] == c->rip && (c->dr7 >> 2 * i & 3))
                c->dr6 |= 1u << i;
    }
    c->dr7 &= ~DR7_GENERAL_DETECT;
    c->clean &= ~CLEAN_DR;
    return svm_raise(v, VECTOR_DB, false);
}

/* #AC; and the others where exits_take_all says so. */
static int exit_exception(struct svm_vcpu *v)
{
    struct vmcb *c = v->vmcb;
    uint32_t vector = (uint32_t)c->exit_code - SVM_EXCEPTION;
    bool has_error = WITH_ERROR >> vector & 1;
    uint32_t own =
        LEAT_EVENT(LEAT_EVENT_EXCEPTION, vector) | (has_error ? LEAT_EVENT_HAS_ERROR : 0);
    uint32_t event = exits_merge((uint32_t)v->inject, own);
    if (!event)
        return LEAT_EXIT_TRIPLE_FAULT;
    if (vector == VECTOR_PF) {
        c->cr2 = c->exit_info_2;
        write_cr2(c->cr2); /* Bochs 3.0 does not load it at VMRUN */
        c->clean = 0;
    }
    v->inject = event;
    if (event == own && has_error)
        v->inject |= c->exit_info_1 << 32;
    return EXIT_RESUME;
}

static int exit_machine_check(struct svm_vcpu *v)
{
    (void)v;
    __asm__ volatile("int $18" ::: "memory");
    return EXIT_RESUME;
}

static int exit_dr(struct svm_vcpu *v)
{
    svm_debug_load(v);
    return EXIT_RESUME; /* the CPU does the instruction, now without an exit */
}

static int exit_iret(struct svm_vcpu *v)
{
    svm_intercept(v, ICPT_IRET, false);
    svm_step(v, true);
    return EXIT_RESUME;
}

static int exit_window(struct svm_vcpu *v)
{
    svm_want_window(v, false);
    return EXIT_RESUME; /* delivered on the way back in */
}

static int exit_hlt(struct svm_vcpu *v)
{
    svm_skip(v, 1);
    v->base.halted = !v->inject; /* the trap of a single step wakes at once */
    return VIRT_CHECK;
}

static int exit_skip(struct svm_vcpu *v)
{
    svm_skip(v, 2); /* INVD, WBINVD: the guest's memory is coherent without */
    return EXIT_RESUME;
}

static int exit_pause(struct svm_vcpu *v)
{
    (void)v;
    return exits_pause();
}

static int exit_shutdown(struct svm_vcpu *v)
{
    (void)v;
    return LEAT_EXIT_TRIPLE_FAULT;
}

static int exit_vmmcall(struct svm_vcpu *v)
{
    return svm_to_vmm(v, LEAT_EXIT_HYPERCALL, 3);
}

static int exit_xsetbv(struct svm_vcpu *v)
{
    if (v->vmcb->cpl || !exits_xsetbv(&v->base)) /* as in vmx/cr.c */
        return svm_raise(v, VECTOR_GP, true);
    svm_skip(v, 3);
    return EXIT_RESUME;
}

static int exit_nested_fault(struct svm_vcpu *v)
{
    /* APM vol. 2, 15.25.6 */
    const uint64_t write = 1 << 1, fetch = 1 << 4, in_walk = 1ull << 33;
    const struct vmcb *c = v->vmcb;
    if (v->inject) /* an IDT, stack or TSS where no memory is: no instruction to emulate */
        return svm_unhandled(v);
    struct leat_exit_mmio mmio = {
        .gpa = c->exit_info_2,
        .is_write = (c->exit_info_1 & write) != 0,
        .is_fetch = (c->exit_info_1 & fetch) != 0,
        .in_page_walk = (c->exit_info_1 & in_walk) != 0,
    };
    if (svm_capability.has_decode && c->insn_length <= sizeof(mmio.insn)) {
        mmio.insn_length = c->insn_length;
        __builtin_memcpy(mmio.insn, c->insn, sizeof(mmio.insn));
    }
    v->base.page->detail.mmio = mmio;
    v->base.groups = LEAT_VCPU_CR | LEAT_VCPU_SEG;
    return LEAT_EXIT_MMIO;
}

enum { COUNTED_BY_HANDLER = LEAT_COUNTS };

struct exit_kind {
    int (*handle)(struct svm_vcpu *v);
    uint8_t count; /* enum leat_exit_count */
};

static const struct exit_kind kinds[SVM_CODES] = {
    [SVM_CR_READ] = {svm_exit_cr, LEAT_COUNT_CR},
    [SVM_CR_READ + 4] = {svm_exit_cr, LEAT_COUNT_CR},
    [SVM_CR_READ + 8] = {svm_exit_cr, LEAT_COUNT_CR},
    [SVM_CR_WRITE] = {svm_exit_cr, LEAT_COUNT_CR},
    [SVM_CR_WRITE + 4] = {svm_exit_cr, LEAT_COUNT_CR},
    [SVM_CR_WRITE + 8] = {svm_exit_cr, LEAT_COUNT_CR},
    [SVM_CR0_SELECTIVE] = {svm_exit_cr, LEAT_COUNT_CR},
    [SVM_DR_READ... SVM_EXCEPTION - 1] = {exit_dr, LEAT_COUNT_OTHER},
    [SVM_EXCEPTION] = {exit_exception, LEAT_COUNT_EXCEPTION},
    [SVM_EXCEPTION + VECTOR_DB] = {exit_debug, LEAT_COUNT_EXCEPTION},
    [SVM_EXCEPTION + 2 ... SVM_EXCEPTION + VECTOR_AC] = {exit_exception, LEAT_COUNT_EXCEPTION},
    [SVM_EXCEPTION + VECTOR_MC] = {exit_machine_check, LEAT_COUNT_EXCEPTION},
    [SVM_EXCEPTION + VECTOR_MC + 1 ... SVM_EXCEPTION + 31] = {exit_exception, LEAT_COUNT_EXCEPTION},
    [SVM_INTR] = {exit_interrupt, LEAT_COUNT_HOST_IRQ},
    [SVM_NMI] = {exit_resume, LEAT_COUNT_EXCEPTION},
    [SVM_SMI] = {exit_resume, LEAT_COUNT_OTHER},
    [SVM_INIT] = {exit_resume, LEAT_COUNT_OTHER},
    [SVM_VINTR] = {exit_window, LEAT_COUNT_IRQ_WINDOW},
    [SVM_CPUID] = {exit_cpuid, LEAT_COUNT_CPUID},
    [SVM_IRET] = {exit_iret, LEAT_COUNT_IRQ_WINDOW},
    [SVM_INVD] = {exit_skip, LEAT_COUNT_OTHER},
    [SVM_PAUSE] = {exit_pause, LEAT_COUNT_PAUSE},
    [SVM_HLT] = {exit_hlt, LEAT_COUNT_HLT},
    [SVM_IO] = {exit_io, COUNTED_BY_HANDLER},
    [SVM_MSR] = {svm_exit_msr, COUNTED_BY_HANDLER},
    [SVM_SHUTDOWN] = {exit_shutdown, LEAT_COUNT_OTHER},
    [SVM_VMMCALL] = {exit_vmmcall, LEAT_COUNT_HYPERCALL},
    [SVM_WBINVD] = {exit_skip, LEAT_COUNT_OTHER},
    [SVM_XSETBV] = {exit_xsetbv, LEAT_COUNT_XSETBV},
};
static const struct exit_kind nested_fault = {exit_nested_fault, LEAT_COUNT_MMIO};
/* Instructions of AMD-V, MONITOR, MWAIT, RDPMC, task switches ...: not for guests of ours. */
static const struct exit_kind others = {svm_unhandled, LEAT_COUNT_OTHER};

/* The exit came in the middle of delivering an event to the guest: it is to be delivered again. A software
   interrupt or exception is not: RIP is still at its instruction. APM vol. 2, 15.7.2 */
static void keep_interrupted_event(struct svm_vcpu *v, uint64_t event)
{
    uint32_t type = event >> 8 & 7, vector = event & 0xff;
    if (type == EVENT_SOFTWARE_INTERRUPT ||
        (type == LEAT_EVENT_EXCEPTION && (vector == 3 || vector == 4)))
        return;
    v->inject = event & EVENT_DEFINED;
}

/* Bochs leaves the event of before in EXITINTINFO when it is INT n whose delivery ends guest mode. With all exceptions taken,
   that would have to be the one just injected; and then the error code has EXT. */
static bool is_by_int_n(const struct vmcb *c)
{
    uint64_t vector = c->exit_code - SVM_EXCEPTION;
    return exits_take_all() && (!c->inject || (vector >= VECTOR_TS && vector <= VECTOR_GP &&
                                               !(c->exit_info_1 & ERROR_EXT)));
}

/* VMRUN did not like the guest's state. */
static int entry_failed(struct svm_vcpu *v)
{
    v->base.page->detail.invalid = (struct leat_exit_code){.reason = v->vmcb->exit_code};
    return LEAT_EXIT_INVALID;
}

int svm_handle_exit(struct svm_vcpu *v)
{
    struct vmcb *c = v->vmcb;
    uint64_t code = c->exit_code;
    const struct exit_kind *kind = code < SVM_CODES && kinds[code].handle ? &kinds[code]
                                   : code == SVM_NESTED_FAULT             ? &nested_fault
                                                                          : &others;
    vcpu_count(&v->base, LEAT_COUNT_TOTAL);
    vcpu_trace(&v->base, c->rip, (uint32_t)code, c->exit_info_1);
    if (kind->count != COUNTED_BY_HANDLER)
        vcpu_count(&v->base, kind->count);
    c->clean = svm_capability.has_clean ? CLEAN_ALL : 0;
    if (__builtin_expect(c->exit_event & LEAT_EVENT_VALID, 0) && code != SVM_INVALID &&
        !is_by_int_n(c))
        keep_interrupted_event(v, c->exit_event);
    c->inject = 0;
    svm_end_virtual(v);
    if (code == SVM_INVALID)
        return entry_failed(v);
    v->rip = c->rip;
    if (v->rip == v->shadow_rip && code != SVM_EXCEPTION + VECTOR_DB)
        c->shadow = 1; /* still; QEMU 7.2 forgets it at VMRUN */
    if (__builtin_expect(v->stepping, 0) && svm_step_end(v))
        return EXIT_RESUME;
    return kind->handle(v);
}
