/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What L2 executes: a page of snippets of one instruction each, that end with VMMCALL.
 * RDI and RSI are their arguments; the result is in RAX.
 */
    .section .l2code, "ax"
    .globl l2_code
l2_code:

    .macro snippet name
    .balign 16, 0xf4
    .globl \name
\name:
    .endm

    snippet l2_nothing
    vmmcall

    snippet l2_load1
    movzbl (%rdi), %eax
    vmmcall
    snippet l2_load8
    mov (%rdi), %rax
    vmmcall
    snippet l2_store1
    mov %sil, (%rdi)
    vmmcall
    snippet l2_store8
    mov %rsi, (%rdi)
    vmmcall
    snippet l2_exchange8
    xchg %rsi, (%rdi)
    mov %rsi, %rax
    vmmcall

    snippet l2_load1_store1
    movzbl (%rdi), %eax
    mov %sil, (%rdi)
    vmmcall

    /* RDI: MSR, RSI: value */
    snippet l2_read_msr
    mov %edi, %ecx
    rdmsr
    shl $32, %rdx
    or %rdx, %rax
    vmmcall
    snippet l2_write_msr
    mov %edi, %ecx
    mov %rsi, %rax
    mov %rsi, %rdx
    shr $32, %rdx
    wrmsr
    vmmcall

    .irp n, 0, 3, 4, 9, 10, 11, 12, 13
    snippet l2_read_cr\n
    mov %cr\n, %rax
    vmmcall
    snippet l2_write_cr\n
    mov %rdi, %cr\n
    vmmcall
    .endr

    .section .note.GNU-stack, "", @progbits
