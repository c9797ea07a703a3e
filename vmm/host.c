// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/host.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/ctl.h"
#include "lib/log.h"
#include "lib/start.h"
#include "lib/sys.h"

void vm_lock(struct vm *vm)
{
    leat_mutex_lock(&vm->host->lock);
}
void vm_unlock(struct vm *vm)
{
    leat_mutex_unlock(&vm->host->lock);
}

void vm_kick(struct vm *vm, unsigned cpu)
{
    struct vcpu *v = vm->cpus[cpu];
    uint32_t run;
    if (!v || !vcpu_kick_begin(v, &run))
        return;
    leat_vcpu_kick(vm->host->vcpus[cpu], LEAT_KICK);
    vcpu_kick_end(v, run);
}

void vm_post(struct vm *vm, unsigned cpu)
{
    if (vm->cpus[cpu] && vcpu_in_guest(vm->cpus[cpu]))
        leat_vcpu_kick(vm->host->vcpus[cpu], LEAT_KICK_POSTED);
}

uint64_t vm_bit_alloc(struct vm *vm)
{
    for (unsigned i = LEAT_OWN_BITS_FIRST; i <= LEAT_OWN_BITS_LAST; i++) {
        if (vm->host->bits_taken >> i & 1)
            continue;
        vm->host->bits_taken |= 1ull << i;
        return 1ull << i;
    }
    return 0;
}

static void on_signal(void *context)
{
    struct host_signal *s = context;
    vm_lock(s->vm);
    s->fn(s->context);
    vm_unlock(s->vm);
}

int vm_on_signal(struct vm *vm, uint64_t bits, vm_fn fn, void *context)
{
    struct vm_host *host = vm->host;
    if (host->signal_count == HOST_MAX_SIGNALS)
        return LEAT_ENOMEM;
    struct host_signal *s = &host->signals[host->signal_count];
    *s = (struct host_signal){vm, fn, context};
    int error = leat_loop_on(&host->loop, bits, on_signal, s);
    if (error == LEAT_OK)
        host->signal_count++;
    return error;
}

int vm_on_idle(struct vm *vm, vm_idle_fn fn, void *context)
{
    struct vm_host *host = vm->host;
    if (host->idle_count == HOST_MAX_IDLES)
        return LEAT_ENOMEM;
    host->idles[host->idle_count].fn = fn;
    host->idles[host->idle_count++].context = context;
    return LEAT_OK;
}

static bool on_idle(void *context)
{
    struct vm *vm = context;
    bool has_work = false;
    if (!vm->host->idle_count)
        return false;
    vm_lock(vm);
    for (unsigned i = 0; i < vm->host->idle_count; i++)
        has_work |= vm->host->idles[i].fn(vm->host->idles[i].context);
    vm_unlock(vm);
    return has_work;
}

int vm_doorbell(struct vm *vm, uint16_t port, uint64_t bits)
{
    return (int)leat_guest_doorbell(vm->host->guest, port, bits ? vm->host->notif : 0, bits);
}

void vm_signal_peer(struct vm *vm, uint32_t peer, uint64_t bits)
{
    (void)vm;
    if (peer)
        leat_notif_signal(peer, bits);
}

uint64_t vm_now_ns(struct vm *vm)
{
    (void)vm;
    return leat_clock_ns();
}

uint64_t vm_now_tsc(struct vm *vm)
{
    return tsc_from_host(&vm->tsc, leat_rdtsc());
}

int64_t vm_wall_clock_s(struct vm *vm)
{
    (void)vm;
    return leat_wall_clock_s();
}

void vm_log(struct vm *vm, const char *format, ...)
{
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (vm->host->is_answering)
        leat_ctl_send(LEAT_CTL_REPLY, line, vm->host->query, 0);
    else
        leat_log("%s", line);
}

/* vCPU 0 enters the guest with the earliest timer as its deadline: here in ticks of the VM's TSC. */
static void timers_changed(void *context)
{
    struct vm *vm = context;
    struct vcpu *cpu = vm->cpus[0];
    if (!cpu)
        return;
    uint64_t due_ns = vm->timers.earliest_ns, now_ns = leat_clock_ns();
    uint64_t old = cpu->timers_tsc, next = 0;
    if (due_ns)
        next = tsc_from_host(&vm->tsc, leat_rdtsc() +
                                           (due_ns > now_ns ? leat_ns_to_tsc(due_ns - now_ns) : 0));
    __atomic_store_n(&cpu->timers_tsc, next, __ATOMIC_RELEASE);
    if (next &&
        (!old ||
         next < old)) /* later is no hurry: it comes out for the old one and finds nothing */
        vm_kick(vm, 0);
}

int host_init(struct vm_host *host, struct vm *vm)
{
    host->notif = leat_start_notif();
    if (!host->notif)
        return LEAT_ENOENT;
    vm->host = host;
    vm->timers.changed = timers_changed;
    vm->timers.changed_context = vm;
    leat_loop_init(&host->loop, host->notif);
    int error = leat_loop_idle(&host->loop, on_idle, vm);
    if (error == LEAT_OK)
        error = leat_mutex_init(&host->lock);
    int64_t park = leat_notif_create();
    if (error == LEAT_OK && park < 0)
        error = (int)park;
    host->park = (leat_handle_t)park;
    host->parked_bit = vm_bit_alloc(vm);
    return error;
}
