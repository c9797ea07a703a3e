// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/machine.h"
#include "kernel/frame.h"
#include "kernel/log.h"
#include "kernel/sched.h"
#include "kernel/smp.h"
#include "kernel/syscall.h"

static void machine_destroy(struct object *object)
{
    object->refs = 1; /* it stays */
}

static const struct object_type machine_type = {OBJECT_MACHINE, "machine", machine_destroy};
struct object machine = {.type = &machine_type, .refs = 1};

#define LOG_WRITE_MAX 1024u

SYSCALL(log_write)
{
    char text[LOG_WRITE_MAX];
    if (args[1] > sizeof(text))
        return LEAT_EINVAL;
    if (!user_copy_in(text, args[0], args[1]))
        return LEAT_EFAULT;
    log_text(self->domain->name, text, args[1]);
    return LEAT_OK;
}

SYSCALL(log_read)
{
    char text[LOG_WRITE_MAX];
    uint64_t length = args[2], position = args[3], done = 0;
    /* The log is small: at most one time round. */
    while (done < length) {
        size_t piece = length - done < sizeof(text) ? length - done : sizeof(text);
        piece = log_read(text, piece, &position);
        if (piece == 0)
            break;
        if (!user_copy_out(args[1] + done, text, piece))
            return LEAT_EFAULT;
        position += piece;
        done += piece;
    }
    return (int64_t)done;
}

SYSCALL(log_takeover)
{
    log_take_over();
    return LEAT_OK;
}

SYSCALL(machine_halt)
{
    log_take_back();
    klog("%s halts the machine: it can be switched off now", self->domain->name);
    arch_halt();
}

SYSCALL(frames_info)
{
    uint64_t total = frames.total_frames * LEAT_PAGE_SIZE;
    struct leat_frames_info info = {
        .total_bytes = total,
        .free_bytes = frames.free_frames * LEAT_PAGE_SIZE,
        .kernel_bytes = memory_kernel_bytes(),
    };
    return user_copy_out(args[1], &info, sizeof(info)) ? LEAT_OK : LEAT_EFAULT;
}

SYSCALL(cpus_info)
{
    sched_account();
    for (uint64_t i = 0; i < args[2] && i < cpu_count; i++) {
        struct leat_cpu_info info = {.apic_id = cpus[i].apic_id,
                                     .core = cpus[i].core,
                                     .idle_ns = clock_span_ns(cpus[i].idle_ticks)};
        if (!user_copy_out(args[1] + i * sizeof(info), &info, sizeof(info)))
            return LEAT_EFAULT;
    }
    return cpu_count;
}

SYSCALL(machine_mitigate)
{
    return arch_mitigate(args[1], args[2]);
}
