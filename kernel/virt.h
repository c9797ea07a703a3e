// SPDX-License-Identifier: BSD-2-Clause
/*
 * The back end of virtualization: what vmx/ and svm/ implement. Nothing above this table knows
 * which is in use. Everything is called with interrupts off and with the kernel's lock held (smp.h), on
 * the CPU that runs the caller. vcpu_run lets go of the lock before the guest is entered and takes it after the
 * exit; an exit that touches nothing shared may be dealt with and the guest entered again without it.
 */
#ifndef KERNEL_VIRT_H
#define KERNEL_VIRT_H

#include <leat/syscall.h>
#include <leat/vcpu.h>

struct percpu;
struct quota;
struct vcpu;
struct nested; /* a guest-physical address space of the back end */

#define NESTED_TAGS 32u /* numbers that nested_map can attach to what it maps */
/* Guest-physical addresses lie below; all CPUs with EPT and NPT can. */
#define NESTED_GPA_END (1ull << 46)

/* What run() says besides enum leat_exit: nothing for ring 3, look at need_resched, halted and so on. */
#define VIRT_CHECK (-1)

struct virt_ops {
    const char *name;

    /* What this CPU has; for LEAT_VIRT_LACKING fills virt_lacks. A usable one is enabled, and fills
       tsc_fraction_bits. */
    enum leat_virt (*probe)(struct leat_info *info);
    /* On each further CPU, once, after probe has succeeded on the first. NULL, or what it lacks that the
       first has. */
    const char *(*enable_cpu)(void);

    /* -- nested address spaces -- */
    int (*nested_create)(struct quota *payer, struct nested **nested); /* LEAT_OK, LEAT_ENOMEM */
    void (*nested_destroy)(struct nested *nested);
    /* Page-aligned, gpa + size <= NESTED_GPA_END, prot with LEAT_PROT_READ, tag < NESTED_TAGS.
       LEAT_OK, LEAT_EBUSY, LEAT_ENOMEM; on errors nothing has changed. */
    int (*nested_map)(struct nested *nested, gpa_t at, hpa_t to, uint64_t size, uint32_t prot,
                      unsigned tag);
    /* Any 4 KiB range; adds what was unmapped to pages[tag]. LEAT_ENOMEM: nothing has changed. */
    int (*nested_unmap)(struct nested *nested, gpa_t at, uint64_t size,
                        uint64_t pages[NESTED_TAGS]);
    /* After it no CPU reaches what was unmapped before: by smp_call on the CPUs that may have cached
       it. */
    void (*nested_flush)(struct nested *nested);

    /* -- vCPUs -- */
    size_t vcpu_bytes; /* of the back end's structure, which begins with struct vcpu */
    int (*vcpu_init)(struct vcpu *vcpu); /* guest, page and fpu are set. LEAT_OK, LEAT_ENOMEM */
    void (*vcpu_destroy)(struct vcpu *vcpu);
    /* Page -> vCPU. LEAT_OK, LEAT_EINVAL: a value that even the CPU must not see; *group says where. */
    int (*vcpu_load)(struct vcpu *vcpu, uint32_t groups, uint32_t *group);
    void (*vcpu_store)(struct vcpu *vcpu, uint32_t groups); /* vCPU -> page */
    /* Before run, and again after anything else may have run on this CPU. After it has run on another CPU,
       that one has done vcpu_leave first. */
    void (*vcpu_attach)(struct vcpu *vcpu);
    /* On the CPU of the last attach: writes back what that CPU may still hold of the vCPU (a VMCS, debug
       registers). NULL: it never holds anything. */
    void (*vcpu_leave)(struct vcpu *vcpu);
    void (*vcpu_detach)(struct vcpu *vcpu); /* saves what other users of the CPU may overwrite */
    /* Runs an attached vCPU. enum leat_exit, with page->detail and next_rip filled, or VIRT_CHECK. */
    int (*vcpu_run)(struct vcpu *vcpu);
    /* Has the guest that runs on that CPU look at its leat_apic_requests. NULL: an exit does. */
    void (*vcpu_notify)(struct percpu *cpu);
    /* Could the pending event, irq_vector, or what struct leat_apic holds be delivered now? */
    bool (*vcpu_is_ready)(struct vcpu *vcpu);
};

extern const struct virt_ops vmx_ops, svm_ops;

/* The one in use; NULL: this machine cannot run guests. */
extern const struct virt_ops *virt;

/* Chooses and enables, on the CPU that boots; fills what info has about it. Once, at start. */
void virt_probe(struct leat_info *info);

#endif
