// SPDX-License-Identifier: BSD-2-Clause
/*
 * The fields of a VMCS and typed access to the current one. Encodings: SDM vol. 3, appendix B.
 *
 * Access is to the CPU's current VMCS only. A VMREAD or VMWRITE that fails means that the kernel
 * named a field that this CPU lacks, or that no VMCS is current: both are defects of the kernel,
 * never the guest's or the vmm's doing, and stop the machine.
 */
#ifndef ARCH_X86_64_VMX_VMCS_H
#define ARCH_X86_64_VMX_VMCS_H

#include <leat/types.h>

// clang-format off
enum vmcs_field {
    /* 16-bit control and guest fields: B.1 */
    VMCS_VPID = 0x0000,                   VMCS_POSTED_VECTOR = 0x0002,          VMCS_INTERRUPT_STATUS = 0x0810,
    VMCS_GUEST_ES = 0x0800, /* ES, CS, SS, DS, FS, GS, LDTR, TR: steps of 2 */
    /* 16-bit host fields */
    VMCS_HOST_ES = 0x0c00,                VMCS_HOST_CS = 0x0c02,                VMCS_HOST_SS = 0x0c04,
    VMCS_HOST_DS = 0x0c06,                VMCS_HOST_FS = 0x0c08,                VMCS_HOST_GS = 0x0c0a,
    VMCS_HOST_TR = 0x0c0c,
    /* 64-bit fields: B.2 */
    VMCS_IO_BITMAP_A = 0x2000,            VMCS_IO_BITMAP_B = 0x2002,            VMCS_MSR_BITMAP = 0x2004,
    VMCS_TSC_OFFSET = 0x2010,             VMCS_EPTP = 0x201a,                   VMCS_GUEST_PHYSICAL = 0x2400,
    VMCS_TSC_MULTIPLIER = 0x2032,
    VMCS_VIRTUAL_APIC = 0x2012,           VMCS_POSTED_REQUESTS = 0x2016,
    VMCS_EOI_EXITS = 0x201c, /* four: steps of 2 */
    VMCS_LINK_POINTER = 0x2800,           VMCS_GUEST_DEBUGCTL = 0x2802,         VMCS_GUEST_PAT = 0x2804,
    VMCS_GUEST_EFER = 0x2806,             VMCS_HOST_PAT = 0x2c00,               VMCS_HOST_EFER = 0x2c02,
    /* 32-bit control fields: B.3 */
    VMCS_PIN_CONTROLS = 0x4000,           VMCS_CPU_CONTROLS = 0x4002,           VMCS_EXCEPTIONS = 0x4004,
    VMCS_PF_MASK = 0x4006,                VMCS_PF_MATCH = 0x4008,               VMCS_CR3_TARGETS = 0x400a,
    VMCS_EXIT_CONTROLS = 0x400c,          VMCS_EXIT_MSR_STORES = 0x400e,        VMCS_EXIT_MSR_LOADS = 0x4010,
    VMCS_ENTRY_CONTROLS = 0x4012,         VMCS_ENTRY_MSR_LOADS = 0x4014,        VMCS_ENTRY_EVENT = 0x4016,
    VMCS_ENTRY_EVENT_ERROR = 0x4018,      VMCS_ENTRY_INSN_LENGTH = 0x401a,      VMCS_CPU_CONTROLS_2 = 0x401e,
    VMCS_PLE_GAP = 0x4020,                VMCS_PLE_WINDOW = 0x4022,
    /* 32-bit exit information: read only */
    VMCS_INSN_ERROR = 0x4400,             VMCS_EXIT_REASON = 0x4402,            VMCS_EXIT_EVENT = 0x4404,
    VMCS_EXIT_EVENT_ERROR = 0x4406,       VMCS_IDT_EVENT = 0x4408,              VMCS_IDT_EVENT_ERROR = 0x440a,
    VMCS_EXIT_INSN_LENGTH = 0x440c,
    /* 32-bit guest and host state */
    VMCS_GUEST_ES_LIMIT = 0x4800,  /* ES ... TR, then GDTR, IDTR: steps of 2 */
    VMCS_GUEST_ES_ACCESS = 0x4814, /* ES ... TR: steps of 2 */
    VMCS_INTERRUPTIBILITY = 0x4824,       VMCS_ACTIVITY = 0x4826,               VMCS_GUEST_SYSENTER_CS = 0x482a,
    VMCS_PREEMPTION_TIMER = 0x482e,       VMCS_HOST_SYSENTER_CS = 0x4c00,
    /* natural-width fields: B.4 */
    VMCS_CR0_MASK = 0x6000,               VMCS_CR4_MASK = 0x6002,               VMCS_CR0_SHADOW = 0x6004,
    VMCS_CR4_SHADOW = 0x6006,             VMCS_QUALIFICATION = 0x6400,          VMCS_GUEST_LINEAR = 0x640a,
    VMCS_GUEST_CR0 = 0x6800,              VMCS_GUEST_CR3 = 0x6802,              VMCS_GUEST_CR4 = 0x6804,
    VMCS_GUEST_ES_BASE = 0x6806, /* ES ... TR, then GDTR, IDTR: steps of 2 */
    VMCS_GUEST_DR7 = 0x681a,              VMCS_GUEST_RSP = 0x681c,              VMCS_GUEST_RIP = 0x681e,
    VMCS_GUEST_RFLAGS = 0x6820,           VMCS_PENDING_DEBUG = 0x6822,          VMCS_GUEST_SYSENTER_ESP = 0x6824,
    VMCS_GUEST_SYSENTER_EIP = 0x6826,     VMCS_HOST_CR0 = 0x6c00,               VMCS_HOST_CR3 = 0x6c02,
    VMCS_HOST_CR4 = 0x6c04,               VMCS_HOST_FS_BASE = 0x6c06,           VMCS_HOST_GS_BASE = 0x6c08,
    VMCS_HOST_TR_BASE = 0x6c0a,           VMCS_HOST_GDTR_BASE = 0x6c0c,         VMCS_HOST_IDTR_BASE = 0x6c0e,
    VMCS_HOST_SYSENTER_ESP = 0x6c10,      VMCS_HOST_SYSENTER_EIP = 0x6c12,      VMCS_HOST_RSP = 0x6c14,
    VMCS_HOST_RIP = 0x6c16,
};

enum vmx_pin { /* Pin-based controls: SDM vol. 3, table 25-5 */
    PIN_EXTERNAL_INTERRUPT = 1u << 0,     PIN_NMI = 1u << 3,                    PIN_VIRTUAL_NMI = 1u << 5,
    PIN_PREEMPTION_TIMER = 1u << 6,       PIN_POSTED_INTERRUPTS = 1u << 7,
};

enum vmx_cpu { /* Primary processor-based controls: table 25-6 */
    CPU_IRQ_WINDOW = 1u << 2,             CPU_TSC_OFFSET = 1u << 3,             CPU_HLT = 1u << 7,
    CPU_MWAIT = 1u << 10,                 CPU_RDPMC = 1u << 11,                 CPU_CR3_LOAD = 1u << 15,
    CPU_CR3_STORE = 1u << 16,             CPU_CR8_LOAD = 1u << 19,              CPU_CR8_STORE = 1u << 20,
    CPU_TPR_SHADOW = 1u << 21,            CPU_NMI_WINDOW = 1u << 22,            CPU_MOV_DR = 1u << 23,
    CPU_IO_BITMAPS = 1u << 25,            CPU_MSR_BITMAPS = 1u << 28,           CPU_MONITOR = 1u << 29,
    CPU_SECONDARY = 1u << 31,
};

enum vmx_cpu2 { /* Secondary processor-based controls: table 25-7 */
    CPU2_EPT = 1u << 1,                   CPU2_RDTSCP = 1u << 3,                CPU2_VPID = 1u << 5,
    CPU2_WBINVD = 1u << 6,                CPU2_UNRESTRICTED = 1u << 7,          CPU2_PAUSE_LOOP = 1u << 10,
    CPU2_TSC_SCALING = 1u << 25,
    CPU2_INVPCID = 1u << 12,              CPU2_X2APIC = 1u << 4,                CPU2_APIC_REGISTERS = 1u << 8,
    CPU2_VIRTUAL_INTERRUPTS = 1u << 9,
};

enum vmx_exit_bits { /* VM-exit controls: table 25-13 */
    EXIT_SAVE_DEBUG = 1u << 2,            EXIT_HOST_64 = 1u << 9,               EXIT_ACK_INTERRUPT = 1u << 15,
    EXIT_SAVE_PAT = 1u << 18,             EXIT_LOAD_PAT = 1u << 19,             EXIT_SAVE_EFER = 1u << 20,
    EXIT_LOAD_EFER = 1u << 21,
};

enum vmx_entry_bits { /* VM-entry controls: table 25-15 */
    ENTRY_LOAD_DEBUG = 1u << 2,           ENTRY_GUEST_64 = 1u << 9,             ENTRY_LOAD_PAT = 1u << 14,
    ENTRY_LOAD_EFER = 1u << 15,
};

/* Basic exit reasons: appendix C */
enum vmx_reason {
    VMX_EXCEPTION = 0,                    VMX_EXTERNAL_INTERRUPT = 1,           VMX_TRIPLE_FAULT = 2,
    VMX_IRQ_WINDOW = 7,                   VMX_NMI_WINDOW = 8,                   VMX_CPUID = 10,
    VMX_HLT = 12,                         VMX_INVD = 13,                        VMX_VMCALL = 18,
    VMX_CR_ACCESS = 28,                   VMX_DR_ACCESS = 29,                   VMX_IO = 30,
    VMX_RDMSR = 31,                       VMX_WRMSR = 32,                       VMX_PAUSE = 40,
    VMX_ENTRY_MACHINE_CHECK = 41,         VMX_EPT_VIOLATION = 48,               VMX_EPT_MISCONFIGURED = 49,
    VMX_EOI = 45,                         VMX_APIC_WRITE = 56,
    VMX_PREEMPTION_TIMER = 52,            VMX_WBINVD = 54,                      VMX_XSETBV = 55,
    VMX_REASONS = 76, /* the manual's last, plus one */
};
// clang-format on
#define VMX_REASON_ENTRY_FAILED (1u << 31)

/* Event information fields (entry, exit, IDT-vectoring): tables 25-17, 25-19, 25-20. Bits 31
   (valid), 11 (error code), 10:8 (type), 7:0 (vector) are those of leat_vcpu.event. */
#define EVENT_TYPE(info) (((info) >> 8) & 7u)
#define EVENT_SOFTWARE_INTERRUPT 4u
#define EVENT_PRIVILEGED_EXCEPTION 5u  /* INT1 */
#define EVENT_SOFTWARE_EXCEPTION 6u    /* INT3, INTO */
#define EVENT_NMI_UNBLOCKED (1u << 12) /* exit: an IRET had ended NMI blocking */
#define EVENT_DEFINED 0x80000fffu      /* what an entry may carry */

/* Stops the machine: a field access failed, which only a defect of the kernel can cause. */
_Noreturn void vmcs_access_failed(enum vmcs_field field, bool is_write);

static inline uint64_t vmcs_read(enum vmcs_field field)
{
    uint64_t value;
    bool is_failed;
    __asm__ volatile("vmread %[field], %[value]"
                     : [value] "=r"(value), "=@ccbe"(is_failed)
                     : [field] "r"((uint64_t)field));
    if (__builtin_expect(is_failed, 0))
        vmcs_access_failed(field, false);
    return value;
}

static inline uint32_t vmcs_read32(enum vmcs_field field)
{
    return (uint32_t)vmcs_read(field);
}

static inline void vmcs_write(enum vmcs_field field, uint64_t value)
{
    bool is_failed;
    __asm__ volatile("vmwrite %[value], %[field]"
                     : "=@ccbe"(is_failed)
                     : [value] "r"(value), [field] "r"((uint64_t)field)
                     : "memory");
    if (__builtin_expect(is_failed, 0))
        vmcs_access_failed(field, true);
}

#endif
