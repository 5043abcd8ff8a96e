/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uint32_t code32_run(const char *code, uint32_t edi, uint32_t esi,
 * uint32_t edx): from 64-bit to compatibility mode and back. There the upper
 * halves of registers are lost.
 */
#define CODE64      0x08            /* the GDT is that of boot.S */
#define CODE32      0x18

    .text
    .globl code32_run
code32_run:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, saved_rsp
    mov %edi, %ebx
    mov %esi, %edi
    mov %edx, %esi
    mov %ecx, %edx
    pushq $CODE32
    pushq $1f
    lretq
    .code32
1:  call *%ebx
    ljmp $CODE64, $2f
    .code64
2:  mov saved_rsp, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .bss
    .balign 8
saved_rsp:
    .skip 8

    .section .note.GNU-stack, "", @progbits
