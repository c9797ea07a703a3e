// SPDX-License-Identifier: BSD-2-Clause
#include "vmm_fake.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct vmm_fake *of(struct vm *vm)
{
    return (struct vmm_fake *)((char *)vm - offsetof(struct vmm_fake, vm));
}

void vm_kick(struct vm *vm, unsigned cpu)
{
    uint32_t run = 0;
    bool is_gated = of(vm)->gates_kicks;
    if (is_gated && !vcpu_kick_begin(vm->cpus[cpu], &run))
        return;
    __atomic_fetch_add(&of(vm)->kicks[cpu], 1, __ATOMIC_ACQ_REL);
    if (is_gated)
        vcpu_kick_end(vm->cpus[cpu], run);
}
void vm_post(struct vm *vm, unsigned cpu)
{
    if (vcpu_in_guest(vm->cpus[cpu]))
        __atomic_fetch_add(&of(vm)->posts[cpu], 1, __ATOMIC_ACQ_REL);
}
uint64_t vm_now_ns(struct vm *vm)
{
    return of(vm)->now_ns;
}
uint64_t vm_now_tsc(struct vm *vm)
{
    return tsc_from_host(&vm->tsc, of(vm)->now_ns * (FAKE_TSC_HZ / 1000000000u));
}

int64_t vm_wall_clock_s(struct vm *vm)
{
    return of(vm)->wall_s + (int64_t)(of(vm)->now_ns / 1000000000u);
}

void vm_log(struct vm *vm, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(of(vm)->last_log, sizeof(of(vm)->last_log), format, arguments);
    va_end(arguments);
    of(vm)->log_lines++;
}

bool vcpu_sync(struct vcpu *cpu, uint32_t groups)
{
    cpu->page->valid |= groups;
    return true;
}

void vmm_fake_init(struct vmm_fake *f, unsigned cpus)
{
    memset(f, 0, sizeof(*f));
    f->vm.name = "test";
    f->vm.cpu_count = cpus;
    vmm_fake_tsc(f, 0);
    f->now_ns = 1000000000;
    f->ram = calloc(1, FAKE_RAM);
    guest_memory_add(&f->vm.memory, gpa(0), FAKE_RAM, f->ram);
    if (platform_init(&f->platform, &f->vm) != LEAT_OK)
        abort();
    for (unsigned i = 0; i < cpus; i++) {
        vcpu_init(&f->cpus[i], &f->vm, i, &f->pages[i]);
        f->vm.cpus[i] = &f->cpus[i];
    }
}

void vmm_fake_tsc(struct vmm_fake *f, unsigned mhz)
{
    const struct tsc_host host = {FAKE_TSC_HZ, (1000000000ull << 32) / FAKE_TSC_HZ, 48};
    if (tsc_rate_choose(&host, mhz, &f->vm.tsc) != LEAT_OK)
        abort();
}

void vmm_fake_free(struct vmm_fake *f)
{
    free(f->ram);
}

bool vmm_fake_run_cpus(struct vmm_fake *f, unsigned cpus)
{
    const uint64_t svr_on = 0x1ff;
    bool is_done = true;
    for (unsigned i = 0; i < cpus; i++) {
        struct lapic *l = &f->platform.lapics[i];
        l->wait_for_sipi = false;
        is_done &=
            lapic_set_base(l, l->base | LAPIC_BASE_X2APIC) && lapic_msr_write(l, LAPIC_SVR, svr_on);
    }
    return is_done;
}

void vmm_fake_advance(struct vmm_fake *f, uint64_t ns)
{
    uint64_t end = f->now_ns + ns;
    while (f->vm.timers.earliest_ns && f->vm.timers.earliest_ns <= end) {
        if (f->vm.timers.earliest_ns > f->now_ns)
            f->now_ns = f->vm.timers.earliest_ns;
        vm_timers_run(&f->vm.timers, f->now_ns);
    }
    f->now_ns = end;
}

void vmm_fake_out(struct vmm_fake *f, uint16_t port, uint8_t value)
{
    bus_write(&f->vm.ports, port, 1, value);
}

uint8_t vmm_fake_in(struct vmm_fake *f, uint16_t port)
{
    return (uint8_t)bus_read(&f->vm.ports, port, 1);
}
