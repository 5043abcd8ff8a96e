/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 32 entries of L1's exceptions: they all save the registers and call
 * trap_handle().
 */
    .text
    .macro entry vector
    .balign 16
    .if (1 << \vector) & 0x60227d00     /* those that push an error code */
    .else
    push $0
    .endif
    push $\vector
    jmp common
    .endm

    .balign 16
    .globl trap_entries
trap_entries:
    .altmacro
    .set vector, 0
    .rept 32
    entry %vector
    .set vector, vector + 1
    .endr

/* The order of the registers is that of struct trap_frame in trap.c. */
common:
    push %r11
    push %r10
    push %r9
    push %r8
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %rax
    mov %rsp, %rdi
    cld
    call trap_handle
    pop %rax
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
    pop %r8
    pop %r9
    pop %r10
    pop %r11
    add $16, %rsp
    iretq

    .section .note.GNU-stack, "", @progbits
