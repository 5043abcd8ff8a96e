/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * void svm_switch(struct guest_registers *registers, uint64_t vmcb): VMRUN,
 * until #VMEXIT. RAX and RSP are switched through the VMCB, the other registers
 * here.
 */
    .macro each_register op
    \op %rcx, 0
    \op %rdx, 8
    \op %rbx, 16
    \op %rbp, 24
    \op %rsi, 32
    \op %r8, 48
    \op %r9, 56
    \op %r10, 64
    \op %r11, 72
    \op %r12, 80
    \op %r13, 88
    \op %r14, 96
    \op %r15, 104
    .endm
    .macro load register, offset
    mov \offset(%rdi), \register
    .endm
    .macro store register, offset
    mov \register, \offset(%rdi)
    .endm
#define RDI_OFFSET 40

    .text
    .globl svm_switch
svm_switch:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    push %rdi
    mov %rsi, %rax
    clgi
    each_register load
    mov RDI_OFFSET(%rdi), %rdi
    vmrun %rax
    push %rdi
    mov 8(%rsp), %rdi
    each_register store
    pop RDI_OFFSET(%rdi)
    stgi
    pop %rdi
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .section .note.GNU-stack, "", @progbits
