// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/cpu/execute.h"

enum { /* RFLAGS: SDM vol. 1, 3.4.3 */
       FLAG_CF = 1u << 0,
       FLAG_PF = 1u << 2,
       FLAG_AF = 1u << 4,
       FLAG_ZF = 1u << 6,
       FLAG_SF = 1u << 7,
       FLAG_OF = 1u << 11,
};
#define FLAGS_STATUS (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

static uint64_t mask_of(unsigned width)
{
    return width >= 8 ? UINT64_MAX : (1ull << width * 8) - 1;
}

uint64_t execute_get(const struct leat_vcpu *page, unsigned reg, unsigned width, bool is_high_byte)
{
    uint64_t value = page->gpr[reg & 15];
    return (is_high_byte ? value >> 8 : value) & mask_of(width);
}

void execute_set(struct leat_vcpu *page, unsigned reg, unsigned width, bool is_high_byte,
                 uint64_t value)
{
    uint64_t *to = &page->gpr[reg & 15];
    if (width >= 4)
        *to = value & mask_of(width);
    else if (is_high_byte)
        *to = (*to & ~0xff00ull) | (value & 0xff) << 8;
    else
        *to = (*to & ~mask_of(width)) | (value & mask_of(width));
    page->dirty |= LEAT_VCPU_GPR;
}

static uint64_t sign_extend(uint64_t value, unsigned width)
{
    unsigned shift = 64 - width * 8;
    return (uint64_t)((int64_t)(value << shift) >> shift);
}

/* Flags of an operation on a and b with the given result, all cut to width. */
static void set_flags(struct leat_vcpu *page, unsigned op, unsigned width, uint64_t a, uint64_t b,
                      uint64_t result)
{
    uint64_t sign = 1ull << (width * 8 - 1), flags = 0;
    if (!result)
        flags |= FLAG_ZF;
    if (result & sign)
        flags |= FLAG_SF;
    if (!(__builtin_popcount(result & 0xff) & 1))
        flags |= FLAG_PF;
    if (op == INSN_ADD) {
        flags |= result < a ? FLAG_CF : 0;
        flags |= ~(a ^ b) & (a ^ result) & sign ? FLAG_OF : 0;
        flags |= (a ^ b ^ result) & 16 ? FLAG_AF : 0;
    } else if (op == INSN_SUB || op == INSN_CMP) {
        flags |= a < b ? FLAG_CF : 0;
        flags |= (a ^ b) & (a ^ result) & sign ? FLAG_OF : 0;
        flags |= (a ^ b ^ result) & 16 ? FLAG_AF : 0;
    }
    page->rflags = (page->rflags & ~(uint64_t)FLAGS_STATUS) | flags;
    page->dirty |= LEAT_VCPU_RIP;
}

static uint64_t calculate(unsigned op, uint64_t a, uint64_t b)
{
    switch (op) {
    case INSN_AND:
    case INSN_TEST:
        return a & b;
    case INSN_OR:
        return a | b;
    case INSN_XOR:
        return a ^ b;
    case INSN_ADD:
        return a + b;
    default:
        return a - b;
    }
}

static uint64_t other_operand(const struct leat_vcpu *page, const struct insn *insn)
{
    if (insn->has_immediate)
        return insn->immediate & mask_of(insn->width);
    return execute_get(page, insn->reg, insn->reg_width, insn->reg_is_high_byte);
}

static void arithmetic(struct vcpu *cpu, const struct insn *insn, uint64_t gpa)
{
    struct leat_vcpu *page = cpu->page;
    uint64_t mask = mask_of(insn->width);
    uint64_t memory = vcpu_mmio_read(cpu, gpa, insn->width) & mask;
    uint64_t other = other_operand(page, insn) & mask;
    uint64_t a = insn->is_memory_dest ? memory : other;
    uint64_t b = insn->is_memory_dest ? other : memory;
    uint64_t result = calculate(insn->op, a, b) & mask;
    set_flags(page, insn->op, insn->width, a, b, result);
    if (insn->op == INSN_CMP || insn->op == INSN_TEST)
        return;
    if (insn->is_memory_dest)
        vcpu_mmio_write(cpu, gpa, insn->width, result);
    else
        execute_set(page, insn->reg, insn->reg_width, insn->reg_is_high_byte, result);
}

void execute_one(struct vcpu *cpu, const struct insn *insn, uint64_t gpa)
{
    struct leat_vcpu *page = cpu->page;
    uint64_t value;
    switch (insn->op) {
    case INSN_MOV_STORE:
        vcpu_mmio_write(cpu, gpa, insn->width, other_operand(page, insn));
        return;
    case INSN_MOV_LOAD:
        value = vcpu_mmio_read(cpu, gpa, insn->width);
        if (insn->is_sign_extended)
            value = sign_extend(value, insn->width);
        execute_set(page, insn->reg, insn->reg_width, insn->reg_is_high_byte, value);
        return;
    case INSN_XCHG:
        value = vcpu_mmio_read(cpu, gpa, insn->width);
        vcpu_mmio_write(cpu, gpa, insn->width, other_operand(page, insn));
        execute_set(page, insn->reg, insn->reg_width, insn->reg_is_high_byte, value);
        return;
    default:
        arithmetic(cpu, insn, gpa);
    }
}
