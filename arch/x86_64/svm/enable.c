// SPDX-License-Identifier: BSD-2-Clause
/* What AMD-V offers here (AMD APM vol. 2, 15.4; vol. 3, E.4.9), and switching it on. */
#include "arch/x86_64/checks.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/svm/svm.h"
#include "kernel/frame.h"
#include "kernel/log.h"
#include "kernel/smp.h"

#define MSR_VM_CR 0xc0010114
#define VM_CR_DISABLED (1u << 4)
#define MSR_VM_HSAVE_PA 0xc0010117
#define LEAF_SVM 0x8000000au
#define CAN_NESTED (1u << 0)
#define CAN_NEXT_RIP (1u << 3)
#define CAN_SCALE_TSC (1u << 4)
#define CAN_CLEAN (1u << 5)
#define CAN_FLUSH_BY_ASID (1u << 6)
#define CAN_DECODE (1u << 7)
#define CAN_PAUSE (1u << 10)
#define CAN_PAUSE_THRESHOLD (1u << 12)

#define IO_MAP_BYTES 12288 /* 15.10.1: a bit for each port, all set: no port is the guest's own */
#define MSR_MAP_BYTES 8192 /* 15.11: two bits for each MSR, read and write, in ranges of 0x2000 */

struct svm_capability svm_capability;
_Alignas(4096) uint8_t svm_io_map[IO_MAP_BYTES], svm_msr_map[MSR_MAP_BYTES];
static struct virt_cpu virt_cpus[MAX_CPUS];

static void pass(uint32_t msr, unsigned bits)
{
    uint32_t at = (msr & 0x1fff) + (msr >= 0xc0000000 ? 0x2000 : 0);
    svm_msr_map[at / 4] &= (uint8_t) ~(bits << at % 4 * 2);
}

/* What VMLOAD switches is the guest's own. EFER and PAT exit: see cr.c. */
static void fill_maps(void)
{
    static const uint32_t own[] = {MSR_SYSENTER_CS, MSR_SYSENTER_ESP,  MSR_SYSENTER_EIP,
                                   MSR_STAR,        MSR_SFMASK,        MSR_FS_BASE,
                                   MSR_GS_BASE,     MSR_KERNEL_GS_BASE};
    static const uint32_t readable[] = {MSR_TSC, MSR_LSTAR, MSR_CSTAR};
    __builtin_memset(svm_io_map, 0xff, IO_MAP_BYTES);
    __builtin_memset(svm_msr_map, 0xff, MSR_MAP_BYTES);
    for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        pass(own[i], 3);
    for (unsigned i = 0; i < sizeof(readable) / sizeof(readable[0]); i++)
        pass(readable[i], 1);
}

static uint64_t cr4_of_cpuid(void)
{
    struct cpuid r = cpuid(1, 0);
    uint64_t bits = 0x7ff; /* VME ... OSXMMEXCPT */
    bits |= (r.ecx & 1u << 17 ? CR4_PCIDE_BIT : 0) | (fpu_xcr0() ? CR4_OSXSAVE : 0);
    r = cpu_features.max_leaf >= 7 ? cpuid(7, 0) : (struct cpuid){0};
    bits |= (r.ebx & 1u << 0 ? CR4_FSGSBASE_BIT : 0) | (r.ebx & 1u << 7 ? CR4_SMEP : 0) |
            (r.ebx & 1u << 20 ? CR4_SMAP : 0) | (r.ecx & 1u << 2 ? CR4_UMIP : 0) |
            (r.ecx & 1u << 16 ? CR4_LA57 : 0);
    return cr4_guest_bits(bits);
}

static struct svm_capability read_capability(void)
{
    struct cpuid r = cpuid(LEAF_SVM, 0);
    return (struct svm_capability){
        .cr4_guest = cr4_of_cpuid(),
        .asids = r.ebx,
        .features = r.edx,
        .nested_max_level = cpu_features.pages_1g ? 3 : 2,
        .has_next_rip = r.edx & CAN_NEXT_RIP,
        .has_tsc_ratio = r.edx & CAN_SCALE_TSC,
        .has_clean = r.edx & CAN_CLEAN,
        .has_flush_by_asid = r.edx & CAN_FLUSH_BY_ASID,
        .has_decode = r.edx & CAN_DECODE,
        .has_pause = r.edx & CAN_PAUSE,
        .has_pause_threshold = r.edx & CAN_PAUSE_THRESHOLD,
        .has_rdtscp = cpuid(0x80000001, 0).edx & 1u << 27,
    };
}

static const char *enable_cpu(void)
{
    if (rdmsr(MSR_VM_CR) & VM_CR_DISABLED)
        return "AMD-V, which is locked off there";
    struct cpuid r = cpuid(LEAF_SVM, 0);
    if (r.ebx != svm_capability.asids || r.edx != svm_capability.features)
        return "the same features of AMD-V";
    struct percpu *cpu = this_cpu();
    void *host_area = page_alloc(), *host_vmcb = page_alloc();
    if (!host_area || !host_vmcb)
        panic("no memory for AMD-V: 8 KiB are needed for each CPU");
    cpu->virt = &virt_cpus[cpu->index];
    *cpu->virt = (struct virt_cpu){.host_vmcb = ptr_to_phys(host_vmcb).raw,
                                   .asid_generation = 1, /* a new vCPU has 0 */
                                   .asid_next = 1};
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
    wrmsr(MSR_VM_HSAVE_PA, ptr_to_phys(host_area).raw);
    __asm__ volatile("vmsave %0" ::"a"(cpu->virt->host_vmcb) : "memory");
    return NULL;
}

static enum leat_virt probe(struct leat_info *info)
{
    if (cpuid(0x80000000, 0).eax < LEAF_SVM || !(cpuid(0x80000001, 0).ecx & 1u << 2))
        return LEAT_VIRT_NONE;
    if (rdmsr(MSR_VM_CR) & VM_CR_DISABLED)
        return LEAT_VIRT_LOCKED_OFF;
    svm_capability = read_capability();
    if (!(svm_capability.features & CAN_NESTED) || svm_capability.asids < 2) {
        format(info->virt_lacks, sizeof(info->virt_lacks), "AMD-V lacks: nested paging");
        return LEAT_VIRT_LACKING;
    }
    if (svm_capability.has_tsc_ratio)
        info->tsc_fraction_bits = TSC_RATIO_FRACTION_BITS;
    fill_maps();
    enable_cpu();
    return LEAT_VIRT_SVM;
}

static int create(struct quota *payer, struct nested **made)
{
    return nested_make(&nested_npt, svm_capability.nested_max_level, payer, made);
}

static void leave_guest(void *nested)
{
    (void)nested; /* the interrupt has made the CPU leave it */
}

/* A vCPU that sees another generation takes a fresh ASID; those that run are made to look. */
static void flush(struct nested *nested)
{
    nested->generation++;
    smp_call(nested->cpus, leave_guest, nested);
}

const struct virt_ops svm_ops = {
    .name = "AMD-V",
    .probe = probe,
    .enable_cpu = enable_cpu,
    .nested_create = create,
    .nested_destroy = nested_destroy,
    .nested_map = nested_map,
    .nested_unmap = nested_unmap,
    .nested_flush = flush,
    .vcpu_bytes = sizeof(struct svm_vcpu),
    .vcpu_init = svm_vcpu_init,
    .vcpu_destroy = svm_vcpu_destroy,
    .vcpu_load = svm_load,
    .vcpu_store = svm_store,
    .vcpu_attach = svm_attach,
    .vcpu_detach = svm_detach,
    .vcpu_run = svm_run,
    .vcpu_is_ready = svm_is_ready,
};
