// SPDX-License-Identifier: BSD-2-Clause
/* String instructions on devices: SDM vol. 1, 7.3.9. */
#include "vmm/cpu/access.h"
#include "vmm/cpu/execute.h"

#define RFLAGS_DF (1ull << 10)
/* Iterations of one exit: the instruction is then entered again, so that interrupts get their turn.
 */
#define MAX_ITERATIONS 256

static bool read_source(struct vcpu *cpu, const struct insn *insn, uint64_t *value)
{
    uint64_t rsi = execute_get(cpu->page, LEAT_RSI, insn->address_width, false);
    gva_t address;
    return access_linear(cpu, insn->segment, rsi, insn->width, &address) &&
           access_read(cpu, address, insn->width, value);
}

static bool write_dest(struct vcpu *cpu, const struct insn *insn, uint64_t value)
{
    uint64_t rdi = execute_get(cpu->page, LEAT_RDI, insn->address_width, false);
    gva_t address;
    return access_linear(cpu, LEAT_ES, rdi, insn->width, &address) &&
           access_write(cpu, address, insn->width, value);
}

static void advance(struct vcpu *cpu, const struct insn *insn, unsigned reg)
{
    uint64_t step = cpu->page->rflags & RFLAGS_DF ? -(uint64_t)insn->width : insn->width;
    uint64_t value = execute_get(cpu->page, reg, insn->address_width, false) + step;
    execute_set(cpu->page, reg, insn->address_width, false, value);
}

/* Can the destination of an INS be written? Asked before the port is read, which may have an
 * effect. */
static bool probe_dest(struct vcpu *cpu, const struct insn *insn)
{
    uint64_t rdi = execute_get(cpu->page, LEAT_RDI, insn->address_width, false);
    struct walk_mode mode = access_mode(cpu->page);
    gva_t address;
    if (!access_linear(cpu, LEAT_ES, rdi, insn->width, &address))
        return false;
    struct walk_result w = page_walk(&cpu->vm->memory, &mode, address, WALK_WRITE);
    if (w.is_fault)
        vcpu_inject_pf(cpu, address.raw, w.error);
    return !w.is_fault;
}

static bool iterate(struct vcpu *cpu, const struct insn *insn, uint16_t port)
{
    uint64_t value = 0;
    switch (insn->op) {
    case INSN_STOS:
        value = execute_get(cpu->page, LEAT_RAX, insn->width, false);
        break;
    case INSN_INS:
        if (!probe_dest(cpu, insn))
            return false;
        value = bus_read(&cpu->vm->ports, port, insn->width);
        break;
    default:
        if (!read_source(cpu, insn, &value))
            return false;
    }
    if (insn->op == INSN_OUTS)
        bus_write(&cpu->vm->ports, port, insn->width, value);
    else if (!write_dest(cpu, insn, value))
        return false;
    if (insn->op == INSN_MOVS || insn->op == INSN_OUTS)
        advance(cpu, insn, LEAT_RSI);
    if (insn->op != INSN_OUTS)
        advance(cpu, insn, LEAT_RDI);
    return true;
}

void execute_string(struct vcpu *cpu, const struct insn *insn, uint16_t port)
{
    struct leat_vcpu *page = cpu->page;
    uint64_t count = insn->is_rep ? execute_get(page, LEAT_RCX, insn->address_width, false) : 1;
    for (unsigned i = 0; count && i < MAX_ITERATIONS; i++) {
        if (!iterate(cpu, insn, port))
            return;
        count--;
        if (insn->is_rep)
            execute_set(page, LEAT_RCX, insn->address_width, false, count);
    }
    if (!count)
        vcpu_skip(cpu, page->rip + insn->length);
}
