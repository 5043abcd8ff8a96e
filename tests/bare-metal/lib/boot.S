/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From QEMU's -kernel (PVH: 32-bit, no paging) to main() in 64-bit mode, with
 * the first 4 GiB mapped one to one; the same for other CPUs, from real mode;
 * and the way from four levels of page tables to five and back, which leads
 * through 32-bit mode.
 */
#define CR0_BITS    0x80010033      /* PG, WP, NE, ET, MP, PE */
#define CR4_PAE     0x20
#define CR4_LA57    0x1000
#define MSR_EFER    0xc0000080
#define EFER_BITS   0x1900          /* NXE, LME; and SVME */
#define CODE64      0x08
#define DATA        0x10
#define CODE32      0x18

    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 8, 18                  /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .quad start32

    .text
    .code32
    .globl start32
start32:
    mov $boot_stack_top, %esp
    mov $4, %edi
    mov $boot64, %esi
    jmp enter_long_mode

/* Paging is off. EDI: 4 or 5 levels; ESI: where to go on, in 64-bit mode. */
enter_long_mode:
    mov %cr4, %eax
    and $~CR4_LA57, %eax
    or $CR4_PAE, %eax
    mov $boot_pml4, %ebx
    cmp $5, %edi
    jne 1f
    or $CR4_LA57, %eax
    mov $boot_pml5, %ebx
1:  mov %eax, %cr4
    mov %ebx, %cr3
    mov $MSR_EFER, %ecx
    rdmsr
    or $EFER_BITS, %eax
    wrmsr
    mov $CR0_BITS, %eax
    mov %eax, %cr0
    lgdt gdt_pointer
    ljmp $CODE64, $1f

    .code64
1:  mov $DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    jmp *%rsi

boot64:
    xor %ebp, %ebp
    call start_c

/* void boot_set_levels(unsigned levels) */
    .globl boot_set_levels
boot_set_levels:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, saved_rsp
    pushq $CODE32
    pushq $1f
    lretq
    .code32
1:  mov %cr0, %eax
    and $0x7fffffff, %eax
    mov %eax, %cr0
    mov $2f, %esi
    jmp enter_long_mode
    .code64
2:  mov saved_rsp, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

/*
 * What another CPU executes first, in real mode, after smp.c has copied it to
 * the page that its start-up interrupt names. It can only use addresses
 * relative to that page.
 */
    .code16
    .globl ap_start, ap_end
ap_start:
    cli
    mov %cs, %ax
    mov %ax, %ds
    lgdtl ap_gdt_pointer - ap_start
    mov %cr0, %eax
    or $1, %eax
    mov %eax, %cr0
    ljmpl $CODE32, $1f
ap_gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt
ap_end:
    .code32
1:  mov $DATA, %eax
    mov %eax, %ds
    mov %eax, %ss
    mov ap_levels, %edi
    mov $ap64, %esi
    jmp enter_long_mode
    .code64
ap64:
    mov ap_stack_top, %rsp
    xor %ebp, %ebp
    call start_ap

    .section .rodata
    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff        /* 64-bit code */
    .quad 0x00cf93000000ffff        /* data */
    .quad 0x00cf9b000000ffff        /* 32-bit code */
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .quad gdt

    .data
    .balign 4096
boot_pml5:
    .quad boot_pml4 + 3
    .fill 511, 8, 0
boot_pml4:
    .quad boot_pdpt + 3
    .fill 511, 8, 0
boot_pdpt:                          /* pages of 1 GiB */
    .quad 0x00000083, 0x40000083, 0x80000083, 0xc0000083
    .fill 508, 8, 0

    .bss
    .balign 16
    .skip 32768
boot_stack_top:
saved_rsp:
    .skip 8

    .section .note.GNU-stack, "", @progbits
