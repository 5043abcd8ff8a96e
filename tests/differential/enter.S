/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The code of the guest, and the way there and back. */

/* CR12: native (1), kernel (2), a kind (1 to 3), and what is counted. */
#define NATIVE_KERNEL(kind, count) (0x210 | (kind) << 10 | (count))
#define WALKS 0
#define GUEST_REFS 1
#define CHECKS 3

    .macro push_all
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    .endm
    .macro pop_all
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret
    .endm

/* Uses RAX. */
    .macro read_counter selector, register
    mov $\selector, %eax
    mov %rax, %cr12
    mov %cr13, \register
    .endm

    .macro read_kind kind, walks, refs, checks
    read_counter NATIVE_KERNEL(\kind, WALKS), \walks
    read_counter NATIVE_KERNEL(\kind, GUEST_REFS), \refs
    read_counter NATIVE_KERNEL(\kind, CHECKS), \checks
    .endm

/* The nine counters, in registers, so that it makes no walk for data. */
    .macro read_all
    read_kind 1, %r8, %r9, %r10
    read_kind 2, %r11, %r12, %r13
    read_kind 3, %r14, %r15, %rbx
    .endm

    .macro store_all offset
    mov %r8, \offset(%rdx)
    mov %r9, \offset + 8(%rdx)
    mov %r10, \offset + 16(%rdx)
    mov %r11, \offset + 24(%rdx)
    mov %r12, \offset + 32(%rdx)
    mov %r13, \offset + 40(%rdx)
    mov %r14, \offset + 48(%rdx)
    mov %r15, \offset + 56(%rdx)
    mov %rbx, \offset + 64(%rdx)
    .endm

    .text
    .balign 1024                        /* in one page */
    .globl enter_guest
enter_guest:
    push_all
    push %rdx
    store_all 0                         /* so that the TLB has the page */
    read_all
    store_all 0
    mov %rdi, %rax
    vmrun %rax
    read_all
    pop %rdx
    store_all 72
    pop_all

    .balign 4096
    .globl guest_code, guest_load1, guest_load4, guest_store1, guest_store4
    .globl guest_load_segment, guest_code_end
guest_code:
guest_load1:
    mov (%rsi), %al
    vmmcall
guest_load4:
    mov (%rsi), %eax
    vmmcall
guest_store1:
    mov %al, (%rsi)
    vmmcall
guest_store4:
    mov %eax, (%rsi)
    vmmcall
guest_load_segment:                     /* the CPU itself reads the descriptor */
    mov %eax, %ds
    vmmcall
guest_code_end:

    .section .note.GNU-stack, "", @progbits
