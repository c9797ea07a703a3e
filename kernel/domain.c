// SPDX-License-Identifier: BSD-2-Clause
#include "kernel/domain.h"
#include "kernel/assert.h"
#include "kernel/kmem.h"
#include "kernel/log.h"
#include "kernel/notif.h"
#include "kernel/sched.h"

static void tear_down(struct domain *domain)
{
    domain->dying = true;
    domain->torn = true;
    space_destroy(&domain->space);
    handle_table_clear(&domain->handles);
    quota_retire(domain->quota);
    domain->dead = true;
    if (domain->is_vital && domain->fault_vector != DOMAIN_NO_FAULT)
        panic("%s has died of exception %u at %#lx, address %#lx; nothing can run without it",
              domain->name, domain->fault_vector, domain->fault_rip, domain->fault_address);
    if (domain->is_vital)
        panic("%s has ended with code %d; nothing can run without it", domain->name,
              domain->exit_code);
    for (unsigned i = 0; i < DOMAIN_MAX_WATCHERS; i++) {
        struct domain_watcher *w = &domain->watchers[i];
        if (!w->notif)
            continue;
        struct notif *notif = w->notif;
        w->notif = NULL;
        notif_signal(notif, w->bits);
        object_put(&notif->object);
    }
}

static void tear_down_if_done(struct domain *domain)
{
    if (domain->dying && !domain->torn && domain->thread_count == 0 && domain->busy == 0)
        tear_down(domain);
}

static void domain_destroy(struct object *object)
{
    struct domain *domain = domain_of(object);
    if (!domain->torn)
        tear_down(domain); /* it never had a thread, and nobody can give it one any more */
    sched_forget(domain);
    quota_put(domain->quota);
    kfree(domain);
}

static const struct object_type domain_type = {OBJECT_DOMAIN, "domain", domain_destroy};

static void copy_name(char to[32], const char *from)
{
    unsigned i = 0;
    for (; i < 31 && from[i]; i++)
        to[i] = from[i] > ' ' && from[i] < 0x7f ? from[i] : '?';
    to[i] = '\0';
}

/* The quota and the address space, which is charged to it. */
static int make_inside(struct domain *domain, struct quota *payer, uint64_t quota_pages)
{
    struct quota *quota = kzalloc(sizeof(*quota));
    if (!quota)
        return LEAT_ENOMEM;
    if (quota_init(quota, payer, quota_pages) != LEAT_OK) {
        kfree(quota);
        return LEAT_ENOMEM;
    }
    if (space_init(&domain->space, quota) != LEAT_OK) {
        quota_retire(quota);
        quota_put(quota);
        return LEAT_ENOMEM;
    }
    domain->quota = quota;
    return LEAT_OK;
}

static uint64_t last_id;

int domain_create(struct quota *payer, uint64_t quota_pages, enum leat_prio highest_prio,
                  const char *name, struct domain **out)
{
    if (payer && quota_charge(payer, 1) != LEAT_OK)
        return LEAT_ENOMEM;
    struct domain *domain = kzalloc(sizeof(*domain));
    int error = domain ? make_inside(domain, payer, quota_pages) : LEAT_ENOMEM;
    if (error != LEAT_OK) {
        kfree(domain);
        if (payer)
            quota_uncharge(payer, 1);
        return error;
    }
    object_init(&domain->object, &domain_type, payer, payer ? 1 : 0);
    copy_name(domain->name, name);
    domain->id = ++last_id;
    domain->highest_prio = (uint8_t)highest_prio;
    sched_meet(domain);
    handle_table_init(&domain->handles, domain->quota);
    list_init(&domain->threads);
    domain->fault_vector = DOMAIN_NO_FAULT;
    *out = domain;
    return LEAT_OK;
}

void domain_kill(struct domain *domain, int32_t code)
{
    if (domain->dying)
        return;
    domain->dying = true;
    domain->exit_code = code;
    for (struct list *at = domain->threads.next; at != &domain->threads; at = at->next)
        thread_kill(LIST_ENTRY(at, struct thread, domain_link));
    tear_down_if_done(domain);
}

void domain_fault(struct domain *domain, uint32_t vector, uint32_t error, uint64_t rip,
                  uint64_t address)
{
    if (!domain->dying) {
        domain->fault_vector = vector;
        domain->fault_error = error;
        domain->fault_rip = rip;
        domain->fault_address = address;
        klog("%s: killed by exception %u, error %#x, at %#lx, address %#lx", domain->name, vector,
             error, rip, address);
    }
    domain_kill(domain, LEAT_EDEAD);
}

int domain_hold(struct domain *domain)
{
    if (domain->dying)
        return LEAT_EDEAD;
    domain->busy++;
    return LEAT_OK;
}

void domain_release(struct domain *domain)
{
    KASSERT(domain->busy > 0);
    domain->busy--;
    tear_down_if_done(domain);
}

void domain_thread_gone(struct domain *domain, struct thread *thread)
{
    list_remove(&thread->domain_link);
    KASSERT(domain->thread_count > 0);
    if (--domain->thread_count == 0 && !domain->dying) {
        domain->dying = true;
        domain->exit_code = 0;
    }
    tear_down_if_done(domain);
}

int domain_watch(struct domain *domain, struct notif *notif, uint64_t bits)
{
    if (domain->dead) {
        notif_signal(notif, bits);
        return LEAT_OK;
    }
    for (unsigned i = 0; i < DOMAIN_MAX_WATCHERS; i++) {
        if (domain->watchers[i].notif)
            continue;
        object_get(&notif->object);
        domain->watchers[i] = (struct domain_watcher){notif, bits};
        return LEAT_OK;
    }
    return LEAT_ENOMEM;
}

int64_t domain_add_handle(struct domain *domain, struct object *object, uint32_t rights)
{
    return domain->dying ? LEAT_EDEAD : handle_add(&domain->handles, object, rights);
}
