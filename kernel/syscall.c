// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/syscall.h"
#include "kernel/smp.h"

static SYSCALL(none)
{
    return LEAT_ENOSYS;
}

struct call {
    int64_t (*fn)(struct thread *self, struct object *object, const uint64_t args[6]);
    enum object_kind kind;
    uint32_t rights;
};

/* The entry code has checked the number against LEAT_SYS_COUNT. */
#define CALL(number, name, kind, rights) [LEAT_SYS_##number] = {sys_##name, OBJECT_##kind, rights},
static const struct call calls[LEAT_SYS_COUNT] = {{sys_none, OBJECT_NONE, 0}, SYSCALLS(CALL)};

int64_t syscall_dispatch(uint64_t number, const uint64_t args[6])
{
    kernel_lock();
    const struct call *call = &calls[number];
    struct thread *self = this_cpu()->current;
    struct object *object HELD = NULL;
    if (call->kind == OBJECT_DOMAIN && args[0] == LEAT_SELF) {
        object = &self->domain->object;
        object_get(object);
    } else if (call->kind != OBJECT_NONE) {
        int error = syscall_get(self, args[0], call->kind, call->rights, &object);
        if (error != LEAT_OK)
            return error;
    }
    return call->fn(self, object, args);
}

int64_t syscall_give(struct thread *self, struct object *object, uint32_t rights)
{
    int64_t handle = domain_add_handle(self->domain, object, rights);
    object_put(object);
    return handle;
}
