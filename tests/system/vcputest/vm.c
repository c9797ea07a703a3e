// SPDX-License-Identifier: BSD-2-Clause
#include "tests/system/vcputest/vm.h"

#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/sys.h"
#include "lib/thread.h"
#include "tests/guests/first/first.h"

#define PAGE_VA 0x1000000ull /* of the vCPU page, above the RAM */
#define LARGE LEAT_LARGE_PAGE_SIZE
#define BELL_COUNT 1ull
#define BELL_WAKER 2ull
#define BELL_KICK 4ull
#define BOCHS_HZ_MAX 100000000u /* no other machine of the tests has so slow a TSC */
#define VMX_MONITOR 39          /* SDM vol. 3, appendix C */
#define SVM_MONITOR 0x8a        /* AMD APM vol. 2, appendix C */

extern const uint8_t first_start[], first_end[], first_handler[], first_handler_error[],
    first_irq[], first_nmi[];

static void expect(struct vm *vm, bool is_good, const char *what)
{
    if (!is_good && !vm->failures++)
        snprintf(vm->what, sizeof(vm->what), "%s (exit %u)", what, (unsigned)vm->page->exit);
}

static void put64(struct vm *vm, uint64_t gpa, uint64_t value)
{
    memcpy(vm->ram + gpa, &value, sizeof(value));
}

static void put_gate(struct vm *vm, unsigned vector, const uint8_t *handler)
{
    uint64_t at = FIRST_BASE + (uint64_t)(handler - first_start);
    /* SDM vol. 3, 6.14.1: 64-bit interrupt gate, code segment 8 */
    put64(vm, FIRST_IDT + 16 * vector, (at & 0xffff) | 8 << 16 | 0x8eull << 40 | (at >> 16) << 48);
}

static bool is_amd(void)
{
    return leat_info()->virt == LEAT_VIRT_SVM;
}

bool vm_must_keep_if(void)
{
    return is_amd() && leat_info()->tsc_hz < BOCHS_HZ_MAX;
}

static void fill_ram(struct vm *vm)
{
    memset(vm->ram, 0, FIRST_STACK);
    memcpy(vm->ram + FIRST_BASE, first_start, (size_t)(first_end - first_start));
    put64(vm, FIRST_AMD, is_amd());
    put64(vm, FIRST_KEEP_IF, vm_must_keep_if());
    put64(vm, FIRST_GDT + 8, 0x00af9b000000ffff);  /* 64-bit code */
    put64(vm, FIRST_GDT + 16, 0x00cf93000000ffff); /* data */
    for (unsigned vector = 0; vector < 32; vector++)
        put_gate(vm, vector, 1u << vector & 0x00027d00 ? first_handler_error : first_handler);
    put_gate(vm, 2, first_nmi);
    put_gate(vm, 0x40, first_irq);
    put_gate(vm, 0x41, first_irq);
    put64(vm, FIRST_PML4, (FIRST_PML4 + 0x1000) | 3);
    for (unsigned i = 0; i < 2; i++) {
        put64(vm, FIRST_PML4 + 0x1000 + 8 * i, (FIRST_PML4 + 0x2000 + 0x1000 * i) | 3);
        for (unsigned j = 0; j < 512; j++)
            put64(vm, FIRST_PML4 + 0x2000 + 0x1000 * i + 8 * j, (i * 512 + j) * LARGE | 0x83);
    }
}

void vm_reset(struct vm *vm)
{
    struct leat_vcpu *p = vm->page;
    fill_ram(vm);
    p->halted = p->event = p->report_injected = 0;
    p->deadline_tsc = 0;
    p->irq_vector = -1;
    memset(p->gpr, 0, sizeof(p->gpr));
    p->rip = 0;
    p->rflags = 2;
    p->interruptibility = 0;
    p->cr0 = 0x60000010;
    p->cr2 = p->cr3 = p->cr4 = p->efer = 0;
    for (unsigned i = 0; i < LEAT_SEGS; i++)
        p->seg[i] = (struct leat_segment){.access = 0x93, .limit = 0xffff};
    p->seg[LEAT_CS] = (struct leat_segment){
        .selector = FIRST_BASE >> 4, .base = FIRST_BASE, .access = 0x9b, .limit = 0xffff};
    p->seg[LEAT_LDTR].access = 0x82;
    p->seg[LEAT_TR].access = 0x8b;
    p->star = p->lstar = p->cstar = p->sfmask = p->kernel_gs_base = 0;
    p->sysenter_cs = p->sysenter_esp = p->sysenter_eip = 0;
    p->pat = 0x0007040600070406;
    p->dr7 = 0x400;
    p->tsc_offset = 0;
    p->xcr0 = 1;
    p->dirty = LEAT_VCPU_ALL;
}

static bool keep(struct vm *vm, leat_handle_t *handle, int64_t result, const char *what)
{
    *handle = result < 0 ? 0 : (leat_handle_t)result;
    if (result < 0)
        snprintf(vm->what, sizeof(vm->what), "%s: error %d", what, (int)result);
    return result >= 0;
}

static bool good(struct vm *vm, int64_t result, const char *what)
{
    leat_handle_t ignored;
    return keep(vm, &ignored, result, what);
}

/* Rates of the TSC that no CPU has, or not this one. */
static void refuse_ratios(struct vm *vm, leat_handle_t page_mem)
{
    uint64_t bits = leat_info()->tsc_fraction_bits;
    const uint64_t bad[] = {0, LEAT_TSC_RATIO_END, UINT64_MAX,
                            bits == LEAT_TSC_FRACTION_BITS ? 0 : LEAT_TSC_ONE + 1,
                            bits ? 0 : LEAT_TSC_ONE / 2};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect(vm, leat_vcpu_create(vm->guest, 1, page_mem, bad[i]) == LEAT_EINVAL,
               "a vCPU with a rate that the CPU has not");
}

bool vm_make(struct vm *vm, uint64_t va)
{
    static const struct leat_cpuid_entry cpuid[] = {
        {.leaf = 0, .eax = 0xd},
        {.leaf = 1, .eax = 0x50654, .ecx = 1u << 26},
        {.leaf = 0x80000000, .eax = 0x80000008},
    };
    leat_handle_t page_mem;
    memset(vm, 0, sizeof(*vm));
    vm->ram = (uint8_t *)va;
    vm->page = (struct leat_vcpu *)(va + PAGE_VA);
    const uint32_t rw = LEAT_PROT_READ | LEAT_PROT_WRITE, rwx = rw | LEAT_PROT_EXEC;
    if (!keep(vm, &vm->guest, leat_guest_create(), "guest_create") ||
        !keep(vm, &vm->ram_mem, leat_mem_create(FIRST_RAM, LEAT_MEM_LARGE), "mem_create") ||
        !keep(vm, &page_mem, leat_mem_create(LEAT_PAGE_SIZE, 0), "mem_create") ||
        !keep(vm, &vm->bell, leat_notif_create(), "notif_create") ||
        !good(vm, leat_mem_map(LEAT_SELF, vm->ram_mem, va, 0, FIRST_RAM, rw), "mem_map") ||
        !good(vm, leat_mem_map(LEAT_SELF, page_mem, va + PAGE_VA, 0, LEAT_PAGE_SIZE, rw),
              "mem_map") ||
        !good(vm, leat_guest_map(vm->guest, vm->ram_mem, 0, 0, FIRST_RAM, rwx), "guest_map") ||
        !good(vm, leat_guest_map(vm->guest, vm->ram_mem, FIRST_ROM, 0, LARGE, LEAT_PROT_READ),
              "guest_map") ||
        !good(vm, leat_guest_cpuid(vm->guest, cpuid, 3), "guest_cpuid") ||
        !good(vm, leat_guest_doorbell(vm->guest, PORT_DOORBELL, vm->bell, BELL_COUNT),
              "guest_doorbell") ||
        !good(vm, leat_guest_doorbell(vm->guest, PORT_WAKER, vm->bell, BELL_WAKER),
              "guest_doorbell") ||
        !keep(vm, &vm->vcpu, leat_vcpu_create(vm->guest, 0, page_mem, LEAT_TSC_ONE), "vcpu_create"))
        return false;
    refuse_ratios(vm, page_mem);
    leat_handle_close(page_mem);
    expect(vm, leat_guest_map(vm->guest, vm->ram_mem, LARGE, 0, LARGE, rwx) == LEAT_EBUSY,
           "mapping over a mapping");
    vm_reset(vm);
    return true;
}

void vm_destroy(struct vm *vm)
{
    leat_handle_close(vm->vcpu);
    leat_handle_close(vm->guest);
    leat_mem_unmap(LEAT_SELF, (uint64_t)vm->ram, FIRST_RAM);
    leat_mem_unmap(LEAT_SELF, (uint64_t)vm->page, LEAT_PAGE_SIZE);
    leat_handle_close(vm->ram_mem);
    leat_handle_close(vm->bell);
}

static void device_thread(void *argument)
{
    struct vm *vm = argument;
    while (!vm->is_finished) {
        int64_t bits = leat_notif_wait(vm->bell, BELL_COUNT | BELL_WAKER | BELL_KICK, LEAT_FOREVER);
        if (bits & BELL_COUNT)
            vm->bells++;
        if (bits & BELL_WAKER) {
            vm->irq_wanted = 0x41;
            leat_vcpu_kick(vm->vcpu, LEAT_KICK);
        }
        if (bits & BELL_KICK) {
            leat_notif_wait(vm->bell, 1ull << 40, leat_clock_ns() + 200000);
            leat_vcpu_kick(vm->vcpu, LEAT_KICK);
        }
    }
}

static void skip(struct vm *vm)
{
    vm->page->rip = vm->page->next_rip;
    vm->page->dirty |= LEAT_VCPU_RIP;
}

/* Runs with something that must be refused, and puts it right. */
static void try_bad(struct vm *vm, uint64_t *field, uint64_t bad, uint32_t group)
{
    uint64_t rip = vm->page->rip;
    expect(vm, leat_vcpu_sync(vm->vcpu, LEAT_VCPU_ALL) == LEAT_OK, "vcpu_sync");
    uint64_t value = *field;
    *field = bad;
    vm->page->dirty |= group | LEAT_VCPU_RIP;
    expect(vm, leat_vcpu_run(vm->vcpu) == LEAT_EXIT_INVALID, "a bad state is refused");
    *field = value;
    vm->page->rip = rip;
    vm->page->dirty = group | LEAT_VCPU_RIP;
}

static void obey(struct vm *vm, uint32_t order)
{
    struct leat_vcpu *p = vm->page;
    vm->order = order;
    switch (order) {
    case ORDER_DEADLINE_IRQ:
    case ORDER_DEADLINE:
        p->deadline_tsc = leat_rdtsc() + 100000;
        break;
    case ORDER_IRQ_LATER:
        p->irq_vector = 0x40;
        p->report_injected = 1;
        break;
    case ORDER_NMI:
        p->event = LEAT_EVENT(LEAT_EVENT_NMI, 2);
        break;
    case ORDER_GP:
        p->event = LEAT_EVENT(LEAT_EVENT_EXCEPTION, 13) | LEAT_EVENT_HAS_ERROR;
        p->event_error = 0x18;
        break;
    case ORDER_KICK:
        leat_notif_signal(vm->bell, BELL_KICK);
        break;
    case ORDER_UNMAP:
        expect(vm, leat_guest_unmap(vm->guest, 0x300000, LEAT_PAGE_SIZE) == LEAT_OK, "guest_unmap");
        break;
    case ORDER_BAD_RFLAGS:
        try_bad(vm, &p->rflags, 0, LEAT_VCPU_RIP);
        break;
    case ORDER_BAD_CR4:
        try_bad(vm, &p->cr4, 1u << 13, LEAT_VCPU_CR);
        break;
    case ORDER_SYNC:
        leat_vcpu_sync(vm->vcpu, LEAT_VCPU_SYSCALL);
        expect(vm, p->lstar == 0xffff800011223344 && p->kernel_gs_base == 0xffff800011223344,
               "LSTAR and KERNEL_GS_BASE in the page");
        break;
    default:
        expect(vm, false, "unknown order");
    }
}

static void on_io(struct vm *vm)
{
    struct leat_vcpu *p = vm->page;
    uint32_t which = (uint32_t)p->gpr[LEAT_RDX] >> 16;
    skip(vm);
    switch (p->detail.io.port) {
    case PORT_NOTHING:
        __asm__ volatile("pcmpeqd %%xmm7, %%xmm7" ::: "xmm7"); /* as any process may */
        break;
    case PORT_REPORT:
        if (which < VM_REPORTS) {
            vm->reported[which] = true;
            vm->reports[which] = (uint32_t)p->gpr[LEAT_RAX];
        }
        break;
    case PORT_ORDER:
        obey(vm, (uint8_t)p->gpr[LEAT_RAX]);
        break;
    case PORT_STOP:
        break;
    default:
        expect(vm, false, "unknown port");
    }
}

static void on_mmio(struct vm *vm)
{
    struct leat_vcpu *p = vm->page;
    if (p->detail.mmio.gpa == 0x300000) {
        expect(vm,
               !p->detail.mmio.is_write &&
                   (!p->detail.mmio.gva_valid || p->detail.mmio.gva == 0x300000),
               "the unmapped page");
        leat_guest_map(vm->guest, vm->ram_mem, 0x300000, 0x300000, LEAT_PAGE_SIZE,
                       LEAT_PROT_READ | LEAT_PROT_WRITE);
        return;
    }
    expect(vm,
           p->detail.mmio.gpa == FIRST_MMIO ||
               (p->detail.mmio.gpa == FIRST_ROM && p->detail.mmio.is_write),
           "where MMIO was");
    p->rip += 2; /* MOV between EAX and (RBX) */
    p->dirty |= LEAT_VCPU_RIP;
}

/* false: the guest has ended. */
static bool handle(struct vm *vm, int64_t exit)
{
    struct leat_vcpu *p = vm->page;
    switch (exit) {
    case LEAT_EXIT_IO:
        on_io(vm);
        return true;
    case LEAT_EXIT_MMIO:
        on_mmio(vm);
        return true;
    case LEAT_EXIT_HYPERCALL:
        skip(vm);
        return true;
    case LEAT_EXIT_MSR_READ:
        p->gpr[LEAT_RAX] = p->detail.msr.index;
        p->gpr[LEAT_RDX] = 0;
        p->dirty |= LEAT_VCPU_GPR;
        skip(vm);
        return true;
    case LEAT_EXIT_KICK:
        if (vm->irq_wanted)
            p->irq_vector = (int32_t)vm->irq_wanted;
        else
            p->rip += vm->order == ORDER_KICK ? 2 : 0;
        vm->irq_wanted = 0;
        p->dirty |= LEAT_VCPU_RIP;
        return true;
    case LEAT_EXIT_DEADLINE:
        if (vm->order == ORDER_DEADLINE)
            p->rip += 2;
        else
            p->irq_vector = 0x40;
        p->dirty |= LEAT_VCPU_RIP;
        return true;
    case LEAT_EXIT_IRQ_WINDOW:
        p->report_injected = 0;
        expect(vm, vm->order == ORDER_IRQ_LATER && p->irq_vector == -1, "a report of an injection");
        return true;
    case LEAT_EXIT_CR8:
        if (p->detail.cr8.is_read)
            p->gpr[p->detail.cr8.gpr] = 5;
        else
            expect(vm, p->gpr[p->detail.cr8.gpr] == 5, "what was moved to CR8");
        p->dirty |= LEAT_VCPU_GPR;
        skip(vm);
        return true;
    case LEAT_EXIT_UNHANDLED:
        expect(vm, p->detail.unhandled.reason == (is_amd() ? SVM_MONITOR : VMX_MONITOR), "MONITOR");
        p->event = LEAT_EVENT(LEAT_EVENT_EXCEPTION, 6);
        return true;
    default:
        expect(vm, exit == LEAT_EXIT_TRIPLE_FAULT, "the guest's end");
        if (exit != LEAT_EXIT_TRIPLE_FAULT)
            snprintf(vm->what, sizeof(vm->what), "exit %d at %llx: %llx %llx", (int)exit,
                     (unsigned long long)p->rip, (unsigned long long)p->detail.raw[0],
                     (unsigned long long)p->detail.raw[1]);
        return false;
    }
}

static void vcpu_thread(void *argument)
{
    struct vm *vm = argument;
    while (handle(vm, leat_vcpu_run(vm->vcpu)))
        ;
    vm->is_finished = true;
    leat_notif_signal(vm->bell, BELL_COUNT);
    leat_notif_signal(vm->done, 1);
}

bool vm_start(struct vm *vm, leat_handle_t done)
{
    vm->done = done;
    return good(vm, leat_thread_start(device_thread, vm, LEAT_PRIO_DEVICE, 32768), "thread") &&
           good(vm, leat_thread_start(vcpu_thread, vm, LEAT_PRIO_GUEST, 65536), "thread");
}
