// SPDX-License-Identifier: BSD-2-Clause
/* System calls about handles, domains and threads. */
#include "kernel/syscall.h"
#include "kernel/notif.h"
#include "kernel/sched.h"

SYSCALL(handle_close)
{
    return handle_close(&self->domain->handles, args[0]);
}

SYSCALL(handle_grant)
{
    uint64_t rights = args[2];
    struct object *given HELD = NULL;
    if (rights & ~(uint64_t)LEAT_RIGHT_ALL)
        return LEAT_EINVAL;
    int error = syscall_get(self, args[1], OBJECT_ANY, (uint32_t)rights | LEAT_RIGHT_GRANT, &given);
    return error != LEAT_OK ? error : domain_add_handle(domain_of(object), given, (uint32_t)rights);
}

static bool is_priority(uint64_t priority)
{
    return priority >= LEAT_PRIO_GUEST && priority <= LEAT_PRIO_SYSTEM;
}

SYSCALL(domain_create)
{
    char name[32];
    struct domain *domain;
    if (!user_copy_in(name, args[1], sizeof(name)))
        return LEAT_EFAULT;
    if (name[0] == '\0' || !is_priority(args[2]))
        return LEAT_EINVAL;
    if (args[2] > self->domain->highest_prio)
        return LEAT_EPERM;
    name[sizeof(name) - 1] = '\0';
    int error = domain_create(self->domain->quota, args[0], (enum leat_prio)args[2], name, &domain);
    return error != LEAT_OK
               ? error
               : syscall_give(self, &domain->object, LEAT_RIGHT_CONTROL | LEAT_RIGHT_GRANT);
}

SYSCALL(domain_kill)
{
    domain_kill(domain_of(object), (int32_t)args[1]);
    return LEAT_OK;
}

SYSCALL(domain_status)
{
    struct domain *domain = domain_of(object);
    sched_account();
    struct leat_domain_status status = {
        .alive = !domain->dead,
        .code = domain->exit_code,
        .fault_vector = domain->fault_vector,
        .fault_error = domain->fault_error,
        .fault_rip = domain->fault_rip,
        .fault_address = domain->fault_address,
        .quota_pages = domain->quota->limit_pages,
        .used_pages = domain->quota->used_pages,
        .cpu_ns = clock_span_ns(domain->cpu_tsc),
        .capped_ns = clock_span_ns(domain->share.capped_ticks),
    };
    __builtin_memcpy(status.name, domain->name, sizeof(status.name));
    return user_copy_out(args[1], &status, sizeof(status)) ? LEAT_OK : LEAT_EFAULT;
}

SYSCALL(domain_watch)
{
    struct object *notif HELD = NULL;
    if (args[2] == 0 || (args[2] & ~NOTIF_VALID_BITS))
        return LEAT_EINVAL;
    int error = syscall_get(self, args[1], OBJECT_NOTIF, LEAT_RIGHT_WAIT, &notif);
    return error != LEAT_OK ? error : domain_watch(domain_of(object), notif_of(notif), args[2]);
}

SYSCALL(domain_sched)
{
    struct leat_domain_sched wanted;
    if (!user_copy_in(&wanted, args[1], sizeof(wanted)))
        return LEAT_EFAULT;
    return sched_set_share(domain_of(object), &wanted);
}

SYSCALL(thread_create)
{
    uint64_t entry = args[1], stack_top = args[2], priority = args[4];
    if (!is_priority(priority) || entry >= USER_END || stack_top >= USER_END)
        return LEAT_EINVAL;
    if (priority > domain_of(object)->highest_prio)
        return LEAT_EPERM;
    return thread_create(domain_of(object), entry, stack_top, args[3], (enum leat_prio)priority);
}

SYSCALL(thread_exit)
{
    thread_exit();
}

SYSCALL(thread_yield)
{
    sched_yield();
    return LEAT_OK;
}
