/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exceptions in L1. */
#include "trap.h"

#include "print.h"

#define VECTORS 32
#define ENTRY_SIZE 16
#define CODE64 0x08
#define PRESENT_INTERRUPT_GATE 0x8e00

struct trap_frame {
    uint64_t rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11;
    uint64_t vector, code;
    uint64_t rip, cs, rflags, rsp, ss;
};

struct fixup {
    uint64_t from, to;
};

struct gate {
    uint16_t offset_low, selector, type, offset_mid;
    uint32_t offset_high, reserved;
};

extern const char trap_entries[];
extern const struct fixup fixups_start[], fixups_end[];
void trap_handle(struct trap_frame *frame);

static struct gate idt[VECTORS];

void trap_init(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = { sizeof(idt) - 1, (uint64_t)idt };

    for (unsigned i = 0; i < VECTORS; i++) {
        uint64_t entry = (uint64_t)trap_entries + i * ENTRY_SIZE;

        idt[i] = (struct gate) {
            entry, CODE64, PRESENT_INTERRUPT_GATE, entry >> 16, entry >> 32, 0,
        };
    }
    asm volatile("lidt %0" : : "m"(pointer));
}

/*
 * A call into a page that can't be fetched from; then the stack has where to
 * return.
 */
static bool is_failed_call(const struct trap_frame *frame)
{
    return frame->vector == VECTOR_PF && frame->rip == read_cr2() &&
           frame->code & PF_I;
}

/* Called by each entry. Go on behind an instruction in TRY(), or not at all. */
void trap_handle(struct trap_frame *frame)
{
    bool call = is_failed_call(frame);
    uint64_t next = call ? *(uint64_t *)at_hpa(frame->rsp) : 0;

    for (const struct fixup *f = fixups_start; f < fixups_end; f++) {
        if (f->from == frame->rip || (call && f->to == next)) {
            frame->rip = f->to;
            frame->rsp += call ? sizeof(next) : 0;
            frame->r11 = TRAP(frame->vector, frame->code);
            return;
        }
    }
    die("exception %lu, error code 0x%lx, at 0x%lx, CR2 0x%lx",
        frame->vector, frame->code, frame->rip, read_cr2());
}

#define CASE_READ(n)                                                    \
    case n:                                                             \
        return TRY("", "mov %%cr" #n ", %%rax", "mov %%rax, (%1)", "r"(value));
#define CASE_WRITE(n)                                                   \
    case n:                                                             \
        return TRY("", "mov %1, %%cr" #n, "", "r"(value));
#define FOR_CRS(f) f(0) f(3) f(4) f(9) f(10) f(11) f(12) f(13)

uint64_t try_read_cr(unsigned n, uint64_t *value)
{
    switch (n) {
    FOR_CRS(CASE_READ)
    }
    die("try_read_cr() does not know CR%u", n);
}

uint64_t try_write_cr(unsigned n, uint64_t value)
{
    switch (n) {
    FOR_CRS(CASE_WRITE)
    }
    die("try_write_cr() does not know CR%u", n);
}

uint64_t try_read_msr(uint32_t msr, uint64_t *value)
{
    return TRY("mov %1, %%ecx", "rdmsr",
               "mov %%eax, (%2); mov %%edx, 4(%2)", "r"(msr), "r"(value));
}

uint64_t try_write_msr(uint32_t msr, uint64_t value)
{
    return TRY("mov %1, %%ecx; mov %2, %%rax; mov %2, %%rdx; shr $32, %%rdx",
               "wrmsr", "", "r"(msr), "r"(value));
}

uint64_t try_invpcid(uint64_t type, uint64_t descriptor)
{
    return TRY("", "invpcid (%1), %2", "", "r"(descriptor), "r"(type));
}

uint64_t try_load(uint64_t address, uint8_t *value)
{
    return TRY("", "mov (%1), %%al", "mov %%al, (%2)", "r"(address),
               "r"(value));
}

uint64_t try_store(uint64_t address, uint8_t value)
{
    return TRY("", "mov %b2, (%1)", "", "r"(address), "q"(value));
}

uint64_t try_call(uint64_t address)
{
    return TRY("", "call *%1", "", "r"(address));
}
