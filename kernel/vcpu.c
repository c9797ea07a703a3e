// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/vcpu.h"
#include "kernel/frame.h"
#include "kernel/info.h"
#include "kernel/kmem.h"
#include "kernel/mem.h"
#include "kernel/sched.h"
#include "kernel/smp.h"
#include "kernel/syscall.h"

#define VCPU_PAGES 3u /* the object, its FPU state, the back end's structure (VMCS) */
#define VCPU_MAX_INDEX 64u
#define ALWAYS_STORED (LEAT_VCPU_GPR | LEAT_VCPU_RIP)

static void leave(void *vcpu)
{
    virt->vcpu_leave(vcpu);
}

/* Makes this CPU the one where the vCPU is: before any function of the back end, and after each schedule(). */
static void bring_here(struct vcpu *vcpu)
{
    uint32_t here = this_cpu()->index;
    if (vcpu->cpu == here)
        return;
    if (virt->vcpu_leave)
        smp_call(1ull << vcpu->cpu, leave, vcpu);
    vcpu->cpu = here;
}

static void vcpu_destroy(struct object *object)
{
    struct vcpu *vcpu = vcpu_of(object);
    bring_here(vcpu);
    virt->vcpu_destroy(vcpu);
    fpu_destroy(&vcpu->fpu);
    vcpu->guest->vcpus &= ~(1ull << vcpu->index);
    object_put(&vcpu->page_mem->object);
    object_put(&vcpu->guest->object);
    kfree(vcpu);
}

static const struct object_type vcpu_type = {OBJECT_VCPU, "vcpu", vcpu_destroy};

static bool is_ratio(uint64_t ratio)
{
    uint64_t bits = kernel_info.tsc_fraction_bits;
    uint64_t lacking = (1ull << (LEAT_TSC_FRACTION_BITS - bits)) - 1;
    return ratio == LEAT_TSC_ONE ||
           (bits && ratio && ratio < LEAT_TSC_RATIO_END && !(ratio & lacking));
}

static int vcpu_make(struct quota *payer, struct guest *guest, const uint64_t args[6],
                     struct mem *mem, struct vcpu **made)
{
    uint32_t index = (uint32_t)args[1];
    if (quota_charge(payer, VCPU_PAGES) != LEAT_OK)
        return LEAT_ENOMEM;
    struct vcpu *vcpu = kzalloc(virt->vcpu_bytes);
    if (!vcpu || !fpu_init(&vcpu->fpu)) {
        kfree(vcpu);
        quota_uncharge(payer, VCPU_PAGES);
        return LEAT_ENOMEM;
    }
    vcpu->guest = guest;
    vcpu->page_mem = mem;
    vcpu->page = phys_to_ptr(mem_hpa(mem, 0));
    if (mem->size >= LEAT_PAGE_SIZE + sizeof(struct leat_apic)) {
        vcpu->apic_regs = phys_to_ptr(mem_hpa(mem, LEAT_PAGE_SIZE));
        vcpu->apic_requests = phys_to_ptr(mem_hpa(mem, 2 * LEAT_PAGE_SIZE));
    }
    vcpu->index = index;
    vcpu->tsc_ratio = args[3];
    vcpu->cpu = this_cpu()->index;
    vcpu->is_new = true;
    vcpu->irq_vector = -1;
    vcpu->xcr0 = fpu_xcr0() & 1; /* the x87 unit: XCR0 at reset, SDM vol. 1, 13.3 */
    int error = virt->vcpu_init(vcpu);
    if (error != LEAT_OK) {
        fpu_destroy(&vcpu->fpu);
        kfree(vcpu);
        quota_uncharge(payer, VCPU_PAGES);
        return error;
    }
    guest->vcpus |= 1ull << index;
    object_get(&guest->object);
    object_get(&mem->object);
    object_init(&vcpu->object, &vcpu_type, payer, VCPU_PAGES);
    *made = vcpu;
    return LEAT_OK;
}

SYSCALL(vcpu_create)
{
    struct guest *guest = guest_of(object);
    struct object *mem HELD = NULL;
    struct vcpu *vcpu;
    if (args[1] >= VCPU_MAX_INDEX || !is_ratio(args[3]))
        return LEAT_EINVAL;
    int error = syscall_get(self, args[2], OBJECT_MEM, LEAT_RIGHT_READ | LEAT_RIGHT_WRITE, &mem);
    if (error != LEAT_OK)
        return error;
    if (mem_of(mem)->is_phys || mem_of(mem)->cache != LEAT_CACHE_WB)
        return LEAT_EINVAL; /* the kernel writes it through its map of RAM */
    if (guest->vcpus & (1ull << args[1]))
        return LEAT_EBUSY;
    error = vcpu_make(self->domain->quota, guest, args, mem_of(mem), &vcpu);
    return error != LEAT_OK ? error : syscall_give(self, &vcpu->object, LEAT_RIGHT_ALL);
}

/* The page asks for what even the CPU must not see. info names the field or the group. */
static int refuse(struct vcpu *vcpu, uint64_t info)
{
    vcpu->page->detail.invalid = (struct leat_exit_code){.info = info};
    return LEAT_EXIT_INVALID;
}

static bool is_event_known(uint32_t event)
{
    uint32_t type = (event >> 8) & 7, vector = event & 0xff;
    if (!(event & LEAT_EVENT_VALID))
        return event == 0;
    return type == LEAT_EVENT_INTERRUPT || (type == LEAT_EVENT_NMI && vector == 2) ||
           (type == LEAT_EVENT_EXCEPTION && vector < 32 && vector != 2);
}

/* Copies and checks what the vmm has put into the page. VIRT_CHECK: all is well. */
static int take_orders(struct vcpu *vcpu)
{
    struct leat_vcpu *page = vcpu->page;
    uint32_t groups = VCPU_READ(page->dirty) & LEAT_VCPU_ALL, bad = 0;
    if (vcpu->is_new)
        groups = LEAT_VCPU_ALL;
    if (groups) {
        if (virt->vcpu_load(vcpu, groups, &bad) != LEAT_OK)
            return refuse(vcpu, bad);
        page->dirty = 0;
        vcpu->is_new = false;
    }
    vcpu->halted = VCPU_READ(page->halted) != 0;
    vcpu->report_injected = VCPU_READ(page->report_injected) != 0;
    vcpu->deadline_tsc = VCPU_READ(page->deadline_tsc);
    vcpu->event = VCPU_READ(page->event);
    vcpu->event_error = VCPU_READ(page->event_error);
    vcpu->irq_vector = VCPU_READ(page->irq_vector);
    if (!is_event_known(vcpu->event))
        return refuse(vcpu, offsetof(struct leat_vcpu, event));
    if (vcpu->irq_vector > 255)
        return refuse(vcpu, offsetof(struct leat_vcpu, irq_vector));
    return VIRT_CHECK;
}

static void wait_halted(struct vcpu *vcpu)
{
    vcpu->is_waiting = true;
    thread_block(vcpu->deadline_tsc ? vcpu->deadline_tsc : TIMER_NEVER);
    vcpu->is_waiting = false;
}

/* Until there is something for ring 3: enum leat_exit, or LEAT_EDEAD. */
static int run(struct vcpu *vcpu, struct thread *self)
{
    for (;;) {
        if (thread_killed(self))
            return LEAT_EDEAD;
        if (vcpu->kicked) {
            vcpu->kicked = false;
            return LEAT_EXIT_KICK;
        }
        if (vcpu->deadline_tsc && rdtsc() >= vcpu->deadline_tsc)
            return LEAT_EXIT_DEADLINE;
        if (sched_need_resched()) {
            schedule();
            continue;
        }
        bring_here(vcpu);
        if (vcpu->halted) {
            if (!virt->vcpu_is_ready(vcpu)) {
                wait_halted(vcpu);
                continue;
            }
            vcpu->halted = false;
        }
        virt->vcpu_attach(vcpu);
        int exit = virt->vcpu_run(vcpu);
        virt->vcpu_detach(vcpu);
        if (exit != VIRT_CHECK)
            return exit;
    }
}

static int64_t vcpu_run(struct vcpu *vcpu, struct thread *self)
{
    struct leat_vcpu *page = vcpu->page;
    vcpu->groups = 0;
    bring_here(vcpu);
    int exit = take_orders(vcpu);
    if (exit == VIRT_CHECK)
        exit = run(vcpu, self);
    if (exit < 0)
        return exit;
    bring_here(vcpu);
    uint32_t groups = ALWAYS_STORED | vcpu->groups;
    if (vcpu->is_new) /* refused before it ever ran: its state is still the page's */
        groups = LEAT_VCPU_ALL;
    else
        virt->vcpu_store(vcpu, groups);
    page->valid = groups;
    page->halted = vcpu->halted;
    page->exit = (uint32_t)exit;
    if (exit == LEAT_EXIT_DEADLINE)
        page->deadline_tsc = 0;
    vcpu_count(vcpu, LEAT_COUNT_TO_VMM);
    return exit;
}

SYSCALL(vcpu_run)
{
    struct vcpu *vcpu = vcpu_of(object);
    if (vcpu->runner)
        return LEAT_EBUSY;
    vcpu->runner = self;
    int64_t result = vcpu_run(vcpu, self);
    vcpu->runner = NULL;
    return result;
}

SYSCALL(vcpu_kick)
{
    struct vcpu *vcpu = vcpu_of(object);
    bool is_posted = args[1] == LEAT_KICK_POSTED;
    vcpu->kicked |= !is_posted;
    if (vcpu->is_waiting)
        thread_wake(vcpu->runner);
    else if (vcpu->runner && vcpu->runner->state == THREAD_RUNNING)
        (is_posted && virt->vcpu_notify ? virt->vcpu_notify : smp_kick)(&cpus[vcpu->runner->cpu]);
    return LEAT_OK;
}

SYSCALL(vcpu_sync)
{
    struct vcpu *vcpu = vcpu_of(object);
    if (args[1] & ~(uint64_t)LEAT_VCPU_ALL)
        return LEAT_EINVAL;
    if (vcpu->runner)
        return LEAT_EBUSY;
    if (!vcpu->is_new) { /* a new one's state is what the page says */
        bring_here(vcpu);
        virt->vcpu_store(vcpu, (uint32_t)args[1]);
        vcpu->page->valid |= (uint32_t)args[1];
    }
    return LEAT_OK;
}
