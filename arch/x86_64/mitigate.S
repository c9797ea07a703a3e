// SPDX-License-Identifier: BSD-2-Clause
/* The ways out of a guest and to ring 3. */
#include "arch/x86_64/mitigate.h"

    .text
    .globl mitigate_exit, mitigate_refill, mitigate_to_user, mitigate_selector
/* CALL it on the kernel's stack before the first RET: what the guest has put into predictors and registers must not
   lead ring 0. Clears what C code may change, but for RAX. */
    .balign 16
mitigate_exit:
    testl $LEAT_MITIGATE_IBPB_ON_EXIT, mitigate(%rip)
    jz 1f
    mov %rax, %r8
    mov $MSR_PRED_CMD, %ecx
    mov $1, %eax
    xor %edx, %edx
    wrmsr
    mov %r8, %rax
    .irp register, %ecx, %edx, %esi, %edi, %r8d, %r9d, %r10d, %r11d
1:  xor \register, \register
    .endr
/* 32 return addresses that lead nowhere. Speculation must not skip them and come to the RET: LFENCE. */
mitigate_refill:
    testl $LEAT_MITIGATE_REFILL, mitigate(%rip)
    jz 3f
    .rept 32
    call 2f
    int3
2:
    .endr
    add $32 * 8, %rsp
3:  lfence
    ret

/* CALL it before ring 3's registers are popped. Changes the flags only. */
mitigate_to_user:
    testl $LEAT_MITIGATE_VERW, mitigate(%rip)
    jz 1f
    verw mitigate_selector(%rip)
1:  ret
mitigate_selector:
    .word 0x10 /* any data segment: SDM vol. 2, VERW */

    .section .note.GNU-stack, "", @progbits
