// SPDX-License-Identifier: BSD-2-Clause
/* System calls about handles, domains and threads. */
#include "kernel/syscall.h"
#include "kernel/notif.h"
#include "kernel/sched.h"

int syscall_get_domain(struct thread *self, uint64_t handle, struct domain **domain)
{
    struct object *object;
    if (handle == LEAT_SELF) {
        object_get(&self->domain->object);
        *domain = self->domain;
        return LEAT_OK;
    }
    int error = syscall_get(self, handle, OBJECT_DOMAIN, LEAT_RIGHT_CONTROL, &object);
    if (error == LEAT_OK)
        *domain = domain_of(object);
    return error;
}

int64_t syscall_give(struct thread *self, struct object *object, uint32_t rights)
{
    int64_t handle = domain_add_handle(self->domain, object, rights);
    object_put(object);
    return handle;
}

SYSCALL(handle_close)
{
    return handle_close(&self->domain->handles, args[0]);
}

SYSCALL(handle_grant)
{
    uint64_t rights = args[2];
    struct domain *domain;
    struct object *object;
    if (rights & ~(uint64_t)LEAT_RIGHT_ALL)
        return LEAT_EINVAL;
    int64_t result = syscall_get_domain(self, args[0], &domain);
    if (result != LEAT_OK)
        return result;
    result = syscall_get(self, args[1], OBJECT_ANY, (uint32_t)rights | LEAT_RIGHT_GRANT, &object);
    if (result == LEAT_OK) {
        result = domain_add_handle(domain, object, (uint32_t)rights);
        object_put(object);
    }
    object_put(&domain->object);
    return result;
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
    struct domain *domain;
    int error = syscall_get_domain(self, args[0], &domain);
    if (error != LEAT_OK)
        return error;
    domain_kill(domain, (int32_t)args[1]);
    object_put(&domain->object);
    return LEAT_OK;
}

SYSCALL(domain_status)
{
    struct domain *domain;
    int error = syscall_get_domain(self, args[0], &domain);
    if (error != LEAT_OK)
        return error;
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
    object_put(&domain->object);
    return user_copy_out(args[1], &status, sizeof(status)) ? LEAT_OK : LEAT_EFAULT;
}

SYSCALL(domain_watch)
{
    struct domain *domain;
    struct object *notif;
    if (args[2] == 0 || (args[2] & ~NOTIF_VALID_BITS))
        return LEAT_EINVAL;
    int error = syscall_get_domain(self, args[0], &domain);
    if (error != LEAT_OK)
        return error;
    error = syscall_get(self, args[1], OBJECT_NOTIF, LEAT_RIGHT_WAIT, &notif);
    if (error == LEAT_OK) {
        error = domain_watch(domain, notif_of(notif), args[2]);
        object_put(notif);
    }
    object_put(&domain->object);
    return error;
}

SYSCALL(domain_sched)
{
    struct leat_domain_sched wanted;
    struct domain *domain;
    if (!user_copy_in(&wanted, args[1], sizeof(wanted)))
        return LEAT_EFAULT;
    int error = syscall_get_domain(self, args[0], &domain);
    if (error != LEAT_OK)
        return error;
    error = sched_set_share(domain, &wanted);
    object_put(&domain->object);
    return error;
}

SYSCALL(thread_create)
{
    struct domain *domain;
    uint64_t entry = args[1], stack_top = args[2], priority = args[4];
    if (!is_priority(priority) || entry >= USER_END || stack_top >= USER_END)
        return LEAT_EINVAL;
    int error = syscall_get_domain(self, args[0], &domain);
    if (error != LEAT_OK)
        return error;
    error = priority > domain->highest_prio
                ? LEAT_EPERM
                : thread_create(domain, entry, stack_top, args[3], (enum leat_prio)priority);
    object_put(&domain->object);
    return error;
}

SYSCALL(thread_exit)
{
    (void)self, (void)args;
    thread_exit();
}

SYSCALL(thread_yield)
{
    (void)self, (void)args;
    sched_yield();
    return LEAT_OK;
}
