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

/* -- Without a guest -- */

/* Offsets in struct native_request. */
#define RSI 0
#define RAX 8
#define RIP 16
#define RFLAGS 24
#define WAY 32
#define VECTOR 40
#define ERROR 48
#define SAVED_RSP 56
#define SAVED_RFLAGS 64
#define STACK 72
#define GDT 80
#define TSS 88
#define COUNTS 96
#define IDT 240
#define OWN_IDT 250

#define KERNEL_DATA 0x10
#define USER_DATA 0x23
#define USER_CODE 0x2b
#define NO_VECTOR 32

/* Have the pages in the TLB that exceptions, and the way to the user, need. */
    .macro touch_all
    push %rax
    pop %rax
    mov STACK(%rdx), %rax
    lock orq $0, (%rax)
    mov IDT + 2(%rdx), %rax
    mov (%rax), %eax
    mov GDT(%rdx), %rax
    mov (%rax), %eax
    mov TSS(%rdx), %rax
    mov (%rax), %eax
    lock orq $0, COUNTS(%rdx)
    lock orq $0, COUNTS + 64(%rdx)
    .endm

    .balign 2048                        /* all of this in one page */
    .globl enter_native, native_entries
    .globl native_load1, native_load4, native_store1, native_store4
    .globl native_jump, native_enter_user
enter_native:
    push_all
    mov $native_request, %edx
    mov %rsp, SAVED_RSP(%rdx)
    pushf
    pop SAVED_RFLAGS(%rdx)
    lidt IDT(%rdx)
    touch_all                           /* as the CPU itself accesses them */
    push RFLAGS(%rdx)
    popf                                /* AC */
    touch_all
    read_all
    store_all COUNTS
    mov RSI(%rdx), %rsi
    mov RAX(%rdx), %rax
    mov WAY(%rdx), %rdi
    mov $NO_VECTOR, %ebp
    jmp *%rdi

native_load1:
    mov (%rsi), %al
    jmp native_done
native_load4:
    mov (%rsi), %eax
    jmp native_done
native_store1:
    mov %al, (%rsi)
    jmp native_done
native_store4:
    mov %eax, (%rsi)
    jmp native_done
native_jump:
    jmp *%rsi
native_enter_user:
    push $USER_DATA
    push $0
    push RFLAGS(%rdx)
    push $USER_CODE
    push RIP(%rdx)
    iretq

    .balign 16
native_entries:
    .set vector, 0
    .rept 32
    .balign 16
    mov $vector, %ebp
    jmp native_done
    .set vector, vector + 1
    .endr

/* EBP: what was raised. If it has an error code, that is on the stack. */
native_done:
    mov %rax, %rcx
    mov $native_request, %edx
    read_all
    store_all COUNTS + 72
    mov %rcx, RAX(%rdx)
    mov %rbp, VECTOR(%rdx)
    movq $0, ERROR(%rdx)
    cmp $NO_VECTOR, %ebp
    je 1f
    mov $0x60227d00, %eax               /* vectors with an error code */
    bt %ebp, %eax
    jnc 2f
    pop ERROR(%rdx)
2:  pop RIP(%rdx)
1:  mov $KERNEL_DATA, %eax              /* after a user it is null */
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov SAVED_RSP(%rdx), %rsp
    lidt OWN_IDT(%rdx)
    push SAVED_RFLAGS(%rdx)
    popf
    pop_all
    .org enter_native + 2048            /* an error if it is longer */

    .balign 4096
    .globl guest_code, guest_load1, guest_load4, guest_store1, guest_store4
    .globl guest_load_store4, guest_load_segment, guest_code_end
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
guest_load_store4:
    mov (%rsi), %ecx
    mov %eax, (%rsi)
    vmmcall
guest_load_segment:                     /* the CPU reads the descriptor */
    mov %eax, %ds
    vmmcall
guest_code_end:

    .section .note.GNU-stack, "", @progbits
