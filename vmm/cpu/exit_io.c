// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/cpu/access.h"
#include "vmm/cpu/execute.h"
#include "vmm/platform/platform.h"

/* A byte inside PCI's address port that is the chipset's reset register. */
#define RESET_PORT 0xcf9

static void log_undecoded(struct vcpu *cpu, uint16_t port, const uint8_t *b)
{
    if (vcpu_may_log(cpu))
        vm_log(cpu->vm,
               "vCPU %u: string I/O on port 0x%x at RIP 0x%llx cannot be decoded "
               "(%02x %02x %02x %02x); #UD given to the guest",
               cpu->index, port, (unsigned long long)cpu->page->rip, b[0], b[1], b[2], b[3]);
    vcpu_inject_ud(cpu);
}

static void string_io(struct vcpu *cpu, const struct leat_exit_io *io)
{
    uint8_t bytes[16];
    const struct insn *insn = access_decode(cpu, bytes, 0);
    if (insn && insn->op == (io->is_in ? INSN_INS : INSN_OUTS))
        execute_string(cpu, insn, io->port);
    else
        log_undecoded(cpu, io->port, bytes);
}

void exit_io(struct vcpu *cpu)
{
    struct leat_vcpu *page = cpu->page;
    const struct leat_exit_io io = page->detail.io;
    if (io.is_string) {
        string_io(cpu, &io);
        return;
    }
    if (io.is_in) {
        uint64_t value = bus_read(&cpu->vm->ports, io.port, io.width);
        execute_set(page, LEAT_RAX, io.width, false, value);
    } else {
        uint64_t value = execute_get(page, LEAT_RAX, io.width, false);
        if (io.port == RESET_PORT && io.width == 1)
            platform_reset_port(cpu->vm, (uint8_t)value);
        else
            bus_write(&cpu->vm->ports, io.port, io.width, value);
    }
    vcpu_skip(cpu, page->next_rip);
}
