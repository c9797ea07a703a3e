// SPDX-License-Identifier: BSD-2-Clause
#include "vmm/cpu/decode.h"

#include <string.h>

#include <Zydis/Zydis.h>
#include <leat/vcpu.h>

/* The field's number of a general register, and which part of it. False: another kind of register.
 */
static bool take_register(struct insn *insn, ZydisRegister reg)
{
    insn->reg_is_high_byte = false;
    if (reg >= ZYDIS_REGISTER_RAX && reg <= ZYDIS_REGISTER_R15) {
        insn->reg = (uint8_t)(reg - ZYDIS_REGISTER_RAX);
        insn->reg_width = 8;
    } else if (reg >= ZYDIS_REGISTER_EAX && reg <= ZYDIS_REGISTER_R15D) {
        insn->reg = (uint8_t)(reg - ZYDIS_REGISTER_EAX);
        insn->reg_width = 4;
    } else if (reg >= ZYDIS_REGISTER_AX && reg <= ZYDIS_REGISTER_R15W) {
        insn->reg = (uint8_t)(reg - ZYDIS_REGISTER_AX);
        insn->reg_width = 2;
    } else if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH) {
        insn->reg = (uint8_t)(reg - ZYDIS_REGISTER_AH);
        insn->reg_width = 1;
        insn->reg_is_high_byte = true;
    } else if (reg >= ZYDIS_REGISTER_AL && reg <= ZYDIS_REGISTER_BL) {
        insn->reg = (uint8_t)(reg - ZYDIS_REGISTER_AL);
        insn->reg_width = 1;
    } else if (reg >= ZYDIS_REGISTER_SPL && reg <= ZYDIS_REGISTER_R15B) {
        insn->reg = (uint8_t)(reg - ZYDIS_REGISTER_SPL + LEAT_RSP);
        insn->reg_width = 1;
    } else {
        return false;
    }
    return true;
}

static uint8_t segment_of(ZydisRegister reg)
{
    switch (reg) {
    case ZYDIS_REGISTER_ES:
        return LEAT_ES;
    case ZYDIS_REGISTER_CS:
        return LEAT_CS;
    case ZYDIS_REGISTER_SS:
        return LEAT_SS;
    case ZYDIS_REGISTER_FS:
        return LEAT_FS;
    case ZYDIS_REGISTER_GS:
        return LEAT_GS;
    default:
        return LEAT_DS;
    }
}

static bool is_width(uint16_t bits)
{
    return bits == 8 || bits == 16 || bits == 32 || bits == 64;
}

static int decode_string(struct insn *insn, enum insn_op op, const ZydisDecodedInstruction *z,
                         const ZydisDecodedOperand *operands)
{
    const ZydisDecodedOperand *source = NULL;
    for (unsigned i = 0; i < z->operand_count; i++) {
        if (operands[i].type != ZYDIS_OPERAND_TYPE_MEMORY)
            continue;
        insn->width = (uint8_t)(operands[i].size / 8);
        if (op == INSN_OUTS || (op == INSN_MOVS && i == 1))
            source = &operands[i];
    }
    insn->op = (uint8_t)op;
    insn->segment = source ? segment_of(source->mem.segment) : LEAT_ES;
    insn->address_width = z->address_width / 8;
    insn->is_rep =
        z->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
    return insn->width >= 1 && insn->width <= 8 ? LEAT_OK : LEAT_ENOSYS;
}

/* Two operands, one of them memory, the other a general register or an immediate. */
static int decode_two(struct insn *insn, enum insn_op op, const ZydisDecodedOperand *operands)
{
    bool is_memory_dest = operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY;
    const ZydisDecodedOperand *memory = &operands[is_memory_dest ? 0 : 1];
    const ZydisDecodedOperand *other = &operands[is_memory_dest ? 1 : 0];
    if (memory->type != ZYDIS_OPERAND_TYPE_MEMORY || !is_width(memory->size))
        return LEAT_ENOSYS;
    insn->op = (uint8_t)op;
    insn->width = (uint8_t)(memory->size / 8);
    insn->is_memory_dest = is_memory_dest;
    if (other->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
        insn->has_immediate = true;
        insn->reg_width = insn->width;
        insn->immediate = other->imm.value.u; /* sign-extended to 64 bits where it is signed */
        return LEAT_OK;
    }
    if (other->type != ZYDIS_OPERAND_TYPE_REGISTER || !take_register(insn, other->reg.value))
        return LEAT_ENOSYS;
    return LEAT_OK;
}

static int translate(struct insn *insn, const ZydisDecodedInstruction *z,
                     const ZydisDecodedOperand *operands)
{
    bool is_memory_first = z->operand_count && operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY;
    switch (z->mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
    case ZYDIS_MNEMONIC_MOVNTI:
        return decode_two(insn, is_memory_first ? INSN_MOV_STORE : INSN_MOV_LOAD, operands);
    case ZYDIS_MNEMONIC_MOVSX:
    case ZYDIS_MNEMONIC_MOVSXD:
        insn->is_sign_extended = true;
        return decode_two(insn, INSN_MOV_LOAD, operands);
    case ZYDIS_MNEMONIC_MOVZX:
        return decode_two(insn, INSN_MOV_LOAD, operands);
    case ZYDIS_MNEMONIC_AND:
        return decode_two(insn, INSN_AND, operands);
    case ZYDIS_MNEMONIC_OR:
        return decode_two(insn, INSN_OR, operands);
    case ZYDIS_MNEMONIC_XOR:
        return decode_two(insn, INSN_XOR, operands);
    case ZYDIS_MNEMONIC_ADD:
        return decode_two(insn, INSN_ADD, operands);
    case ZYDIS_MNEMONIC_SUB:
        return decode_two(insn, INSN_SUB, operands);
    case ZYDIS_MNEMONIC_CMP:
        return decode_two(insn, INSN_CMP, operands);
    case ZYDIS_MNEMONIC_TEST:
        return decode_two(insn, INSN_TEST, operands);
    case ZYDIS_MNEMONIC_XCHG:
        return decode_two(insn, INSN_XCHG, operands);
    case ZYDIS_MNEMONIC_STOSB:
    case ZYDIS_MNEMONIC_STOSW:
    case ZYDIS_MNEMONIC_STOSD:
    case ZYDIS_MNEMONIC_STOSQ:
        return decode_string(insn, INSN_STOS, z, operands);
    case ZYDIS_MNEMONIC_MOVSB:
    case ZYDIS_MNEMONIC_MOVSW:
    case ZYDIS_MNEMONIC_MOVSD: /* the SSE one has an XMM operand: no memory pair, refused below */
    case ZYDIS_MNEMONIC_MOVSQ:
        if (z->opcode_map != ZYDIS_OPCODE_MAP_DEFAULT)
            return LEAT_ENOSYS;
        return decode_string(insn, INSN_MOVS, z, operands);
    case ZYDIS_MNEMONIC_INSB:
    case ZYDIS_MNEMONIC_INSW:
    case ZYDIS_MNEMONIC_INSD:
        return decode_string(insn, INSN_INS, z, operands);
    case ZYDIS_MNEMONIC_OUTSB:
    case ZYDIS_MNEMONIC_OUTSW:
    case ZYDIS_MNEMONIC_OUTSD:
        return decode_string(insn, INSN_OUTS, z, operands);
    default:
        return LEAT_ENOSYS;
    }
}

int insn_decode(const uint8_t *bytes, unsigned count, enum insn_code_size code, struct insn *insn)
{
    static const struct {
        ZydisMachineMode mode;
        ZydisStackWidth stack;
    } modes[] = {
        [INSN_CODE_16] = {ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16},
        [INSN_CODE_32] = {ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32},
        [INSN_CODE_64] = {ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64},
    };
    ZydisDecoder decoder;
    ZydisDecodedInstruction z;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    memset(insn, 0, sizeof(*insn));
    if (!ZYAN_SUCCESS(ZydisDecoderInit(&decoder, modes[code].mode, modes[code].stack)) ||
        !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, count, &z, operands)))
        return LEAT_EINVAL;
    insn->length = z.length;
    return translate(insn, &z, operands);
}
