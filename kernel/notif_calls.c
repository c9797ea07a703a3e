// SPDX-License-Identifier: BSD-2-Clause
/* System calls about notifications. */
#include "kernel/notif.h"
#include "kernel/syscall.h"

SYSCALL(notif_create)
{
    (void)args;
    struct notif *notif;
    int error = notif_create(self->domain->quota, &notif);
    return error != LEAT_OK ? error
                            : syscall_give(self, &notif->object,
                                           LEAT_RIGHT_SIGNAL | LEAT_RIGHT_WAIT | LEAT_RIGHT_GRANT);
}

SYSCALL(notif_signal)
{
    struct object *notif;
    if (args[1] & ~NOTIF_VALID_BITS)
        return LEAT_EINVAL;
    int error = syscall_get(self, args[0], OBJECT_NOTIF, LEAT_RIGHT_SIGNAL, &notif);
    if (error != LEAT_OK)
        return error;
    notif_signal(notif_of(notif), args[1]);
    object_put(notif);
    return LEAT_OK;
}

SYSCALL(notif_wait)
{
    struct object *notif;
    if (args[1] == 0 || (args[1] & ~NOTIF_VALID_BITS))
        return LEAT_EINVAL;
    int64_t result = syscall_get(self, args[0], OBJECT_NOTIF, LEAT_RIGHT_WAIT, &notif);
    if (result != LEAT_OK)
        return result;
    result = notif_wait(notif_of(notif), args[1], args[2]);
    object_put(notif);
    return result;
}
