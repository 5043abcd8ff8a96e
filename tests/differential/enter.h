/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is written in assembler: the code of the guest, and the way there and
 * back.
 */
#ifndef DIFFERENTIAL_ENTER_H
#define DIFFERENTIAL_ENTER_H

#include <stddef.h>
#include <stdint.h>

/*
 * What the guest executes, from a page of its own; the same in 64-bit and in
 * 32-bit code. RSI is the address, RAX the value. Each ends with VMMCALL.
 */
extern const char guest_code[], guest_load1[], guest_load4[], guest_store1[],
    guest_store4[], guest_load_store4[], guest_load_segment[], guest_code_end[];

/* Native walks of the kernel, as CR13 has them. */
enum { NATIVE_WALKS, NATIVE_REFS, NATIVE_CHECKS, NATIVE_COUNTS };

/* [0] before the guest ran, [1] after it; [kind - 1]. */
struct native_counts {
    uint64_t count[2][3][NATIVE_COUNTS];
};

/*
 * VMRUN until #VMEXIT, with RSI for the guest. L1 makes exactly one walk
 * between the two readings of the counters, for the fetch that follows the
 * #VMEXIT.
 */
void enter_guest(uint64_t vmcb, uint64_t rsi, struct native_counts *counts);

/* -- Without a guest -- */

struct native_idt {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

/*
 * An access that L1 makes itself, and what became of it. enter.S has the
 * offsets.
 */
struct native_request {
    uint64_t rsi, rax, rip, rflags;         /* in; and out: RAX and RIP */
    void (*way)(void);                      /* one of those below */
    uint64_t vector, error;                 /* out */
    uint64_t saved_rsp, saved_rflags;
    uint64_t stack, gdt, tss;               /* for exceptions */
    struct native_counts counts;            /* out */
    struct native_idt idt, own_idt;
};

_Static_assert(offsetof(struct native_request, saved_rsp) == 56, "see enter.S");
_Static_assert(offsetof(struct native_request, counts) == 96, "see enter.S");
_Static_assert(offsetof(struct native_request, idt) == 240, "see enter.S");

extern struct native_request native_request;

/*
 * Make it. Of its own, L1 makes no walk at CPL 0 in between the two readings of
 * the counters.
 */
void enter_native(void);

/* Not to be called, but the ways to make an access. */
void native_load1(void);
void native_load4(void);
void native_store1(void);
void native_store4(void);
void native_jump(void);
void native_enter_user(void);

/* Where exceptions go: one entry of that size for each vector. */
extern const char native_entries[];
#define NATIVE_ENTRY_SIZE 16
#define NATIVE_CODE 0x08
#define NATIVE_NO_VECTOR 32

#endif
