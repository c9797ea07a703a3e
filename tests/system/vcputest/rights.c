// SPDX-License-Identifier: BSD-2-Clause
/* What the kernel must refuse: the machine to who may only read its log, and priorities. */
#include <string.h>

#include "lib/clock.h"
#include "lib/sys.h"
#include "tests/system/vcputest/vm.h"

#define CODE_VA 0x400000ull
#define CODE_NAME_AT 64 /* in the page: a domain's name */
#define SCRATCH_VA 0x700000000ull

const char *check_machine_rights(leat_handle_t machine)
{
    char text[16];
    struct leat_frames_info frames;
    int64_t reader = leat_handle_grant(LEAT_SELF, machine, LEAT_RIGHT_READ);
    int64_t user = leat_handle_grant(LEAT_SELF, machine, LEAT_RIGHT_CONTROL);
    const char *why = NULL;
    if (reader <= 0 || user <= 0)
        why = "handle_grant";
    else if (leat_log_read((leat_handle_t)reader, text, sizeof(text), 0) != sizeof(text))
        why = "log_read with READ";
    else if (leat_log_read((leat_handle_t)user, text, sizeof(text), 0) != LEAT_EPERM ||
             leat_log_takeover((leat_handle_t)user) != LEAT_EPERM)
        why = "the log without READ";
    else if (leat_machine_halt((leat_handle_t)reader) != LEAT_EPERM ||
             leat_frames_info((leat_handle_t)reader, &frames) != LEAT_EPERM ||
             leat_ports_create((leat_handle_t)reader, 0x80, 1) != LEAT_EPERM)
        why = "the machine without CONTROL";
    leat_handle_close((leat_handle_t)reader);
    leat_handle_close((leat_handle_t)user);
    return why;
}

/* A page of code that makes a domain with the highest priority SYSTEM, and ends with what that gave.
 */
static leat_handle_t climber_code(void)
{
    /* mov eax, DOMAIN_CREATE; mov edi, 1; mov esi, the name; mov edx, SYSTEM; syscall;
       mov esi, eax; mov edi, LEAT_SELF; mov eax, DOMAIN_KILL; syscall */
    static const uint8_t code[] = {0xb8,
                                   LEAT_SYS_DOMAIN_CREATE,
                                   0,
                                   0,
                                   0,
                                   0xbf,
                                   1,
                                   0,
                                   0,
                                   0,
                                   0xbe,
                                   CODE_NAME_AT,
                                   0,
                                   0x40,
                                   0,
                                   0xba,
                                   LEAT_PRIO_SYSTEM,
                                   0,
                                   0,
                                   0,
                                   0x0f,
                                   0x05,
                                   0x89,
                                   0xc6,
                                   0xbf,
                                   0xff,
                                   0xff,
                                   0xff,
                                   0xff,
                                   0xb8,
                                   LEAT_SYS_DOMAIN_KILL,
                                   0,
                                   0,
                                   0,
                                   0x0f,
                                   0x05};
    leat_handle_t mem = (leat_handle_t)leat_mem_create(LEAT_PAGE_SIZE, 0);
    leat_mem_map(LEAT_SELF, mem, SCRATCH_VA, 0, LEAT_PAGE_SIZE, LEAT_PROT_READ | LEAT_PROT_WRITE);
    memcpy((void *)SCRATCH_VA, code, sizeof(code));
    memcpy((void *)(SCRATCH_VA + CODE_NAME_AT), "child", 6);
    leat_mem_unmap(LEAT_SELF, SCRATCH_VA, LEAT_PAGE_SIZE);
    return mem;
}

static const char *climb(leat_handle_t domain, leat_handle_t notif)
{
    struct leat_domain_status status;
    for (unsigned prio = LEAT_PRIO_SERVICE; prio <= LEAT_PRIO_SYSTEM; prio++)
        if (leat_thread_create(domain, CODE_VA, CODE_VA, 0, (enum leat_prio)prio) != LEAT_EPERM)
            return "a thread above its domain's highest priority";
    if (leat_thread_create(domain, CODE_VA, CODE_VA, 0, LEAT_PRIO_DEVICE) != LEAT_OK)
        return "a thread of its domain's highest priority";
    if (leat_notif_wait(notif, 1, leat_clock_ns() + 1000000000) != 1 ||
        leat_domain_status(domain, &status) != LEAT_OK || status.fault_vector != UINT32_MAX)
        return "the climber does not end";
    return status.code == LEAT_EPERM ? NULL : "a domain with more than its creator may have";
}

const char *check_priorities(void)
{
    static const char name[32] = "climber";
    if (leat_domain_create(64, name, (enum leat_prio)(LEAT_PRIO_SYSTEM + 1)) != LEAT_EINVAL ||
        leat_domain_create(64, name, (enum leat_prio)0) != LEAT_EINVAL)
        return "a priority that does not exist";
    leat_handle_t mem = climber_code();
    leat_handle_t notif = (leat_handle_t)leat_notif_create();
    leat_handle_t domain = (leat_handle_t)leat_domain_create(64, name, LEAT_PRIO_DEVICE);
    leat_domain_watch(domain, notif, 1);
    leat_mem_map(domain, mem, CODE_VA, 0, LEAT_PAGE_SIZE, LEAT_PROT_READ | LEAT_PROT_EXEC);
    const char *why = climb(domain, notif);
    leat_domain_kill(domain, 0);
    leat_handle_close(domain);
    leat_handle_close(notif);
    leat_handle_close(mem);
    return why;
}
