// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "vmm/cpu/access.h"
#include "vmm/cpu/execute.h"

static bool is_own_lapic(const struct vcpu *cpu, uint64_t gpa)
{
    return (gpa & ~0xfffull) == LAYOUT_LAPIC &&
           (cpu->lapic->base & (LAPIC_BASE_ENABLE | LAPIC_BASE_X2APIC)) == LAPIC_BASE_ENABLE;
}

uint64_t vcpu_mmio_read(struct vcpu *cpu, uint64_t gpa, unsigned width)
{
    if (is_own_lapic(cpu, gpa))
        return lapic_mmio_read(cpu->lapic, gpa & 0xfff, width);
    return bus_read(&cpu->vm->mmio, gpa, width);
}

void vcpu_mmio_write(struct vcpu *cpu, uint64_t gpa, unsigned width, uint64_t value)
{
    if (is_own_lapic(cpu, gpa))
        lapic_mmio_write(cpu->lapic, gpa & 0xfff, width, value);
    else
        bus_write(&cpu->vm->mmio, gpa, width, value);
}

static void not_emulated(struct vcpu *cpu, uint64_t gpa, const uint8_t *b)
{
    if (vcpu_may_log(cpu))
        vm_log(cpu->vm,
               "vCPU %u: the instruction at RIP 0x%llx that accesses 0x%llx is not emulated (%02x "
               "%02x "
               "%02x %02x %02x %02x %02x %02x); #UD given to the guest",
               cpu->index, (unsigned long long)cpu->page->rip, (unsigned long long)gpa, b[0], b[1],
               b[2], b[3], b[4], b[5], b[6], b[7]);
    vcpu_inject_ud(cpu);
}

void exit_mmio(struct vcpu *cpu)
{
    struct leat_vcpu *page = cpu->page;
    const uint64_t gpa = page->detail.mmio.gpa;
    uint8_t bytes[16] = {0};
    if (page->detail.mmio.is_fetch || page->detail.mmio.in_page_walk) {
        vcpu_report(cpu, page->detail.mmio.is_fetch ? "runs code where there is no memory"
                                                    : "has page tables where there is no memory");
        vm_stop(cpu->vm, VM_END_CRASH, "the guest ran code or put page tables outside its memory");
        return;
    }
    unsigned given = page->detail.mmio.insn_length;
    if (given > INSN_MAX_BYTES)
        given = 0;
    memcpy(bytes, page->detail.mmio.insn, given);
    const struct insn *insn = access_decode(cpu, bytes, given);
    if (!insn) {
        not_emulated(cpu, gpa, bytes);
    } else if (insn->op == INSN_STOS || insn->op == INSN_MOVS) {
        execute_string(cpu, insn, 0);
    } else if (insn->op < INSN_STOS) {
        execute_one(cpu, insn, gpa);
        vcpu_skip(cpu, page->rip + insn->length);
    } else {
        /* INS or OUTS whose memory is a device */
        not_emulated(cpu, gpa, bytes);
    }
}
