/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What L2 executes: a page of snippets of one instruction each, that end with
 * VMMCALL. RDI and RSI are their arguments; the result is in RAX.
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

    snippet l2_load1_store1
    movzbl (%rdi), %eax
    mov %sil, (%rdi)
    vmmcall

    /*
     * Load, change something, load again: both bytes in RAX, the first one
     * lowest.
     */
    .macro load_again
    movzbl (%rdi), %ecx
    shl $8, %ecx
    or %ecx, %eax
    vmmcall
    .endm

    .irp n, 3, 9, 10, 11
    snippet l2_load_write_cr\n\()_load
    movzbl (%rdi), %eax
    mov %rsi, %cr\n
    load_again
    .endr

    /* CR3, CR9 to CR11 from RSI, R8 to R10. */
    snippet l2_load_switch_load
    movzbl (%rdi), %eax
    xor %ecx, %ecx
    mov %rcx, %cr10
    mov %rsi, %cr3
    mov %r8, %cr9
    mov %r10, %cr11
    mov %r9, %cr10
    load_again

    /* RDI: descriptor, RSI: type. The encoding is the same in all modes. */
    snippet l2_invpcid
    invpcid (%rdi), %rsi
    vmmcall
    /* Between the loads, R8 is stored at R9; descriptor and type: R10, RSI. */
    snippet l2_load_store8_invpcid_load
    movzbl (%rdi), %eax
    mov %r8, (%r9)
    invpcid (%r10), %rsi
    load_again

    /* Handlers of exceptions: the error code is in RAX, CR2 in RBX. */
    snippet l2_handler
    mov %cr2, %rbx
    vmmcall
    snippet l2_handler_of_code
    pop %rax
    mov %cr2, %rbx
    vmmcall

    /* docs/spec/registers.rst, "Marker instruction": label 0x123456. */
    snippet l2_marker
    .byte 0x0f, 0x1f, 0x87, 0x56, 0x34, 0x12, 0xd5
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

    .irp n, 0, 3, 4
    snippet l2_write_cr\n
    mov %rdi, %cr\n
    vmmcall
    .endr

    .irp n, 9, 10, 11, 12, 13
    snippet l2_read_cr\n
    mov %cr\n, %rax
    vmmcall
    snippet l2_write_cr\n
    mov %rdi, %cr\n
    vmmcall
    .endr

    .section .note.GNU-stack, "", @progbits
