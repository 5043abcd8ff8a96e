/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The A20 gate (port 0x92): while it is off, bit 20 of physical addresses is 0.
 * What was translated while it was on is not used then, and the other way
 * round: in the TLB, or evicted from its first level.
 */
#include "lib/cpu.h"
#include "lib/memory.h"
#include "lib/tables.h"
#include "lib/tap.h"

/* In a GiB of its own. Bit 20 of hPAs in odd MiB is 1. */
#define VA (1024 * GiB + 101 * PAGE)
#define ODD (41 * MiB)
#define EVEN (40 * MiB)
#define OTHER_FRAME (42 * MiB)
/* In the same set: sandybridge-ep's L1 for data has 16 sets of 4. */
#define STRIDE (16 * PAGE)
#define OTHERS 8
#define LEAF (PTE_P | PTE_W | PTE_A | PTE_D)

/* What is at ODD and at EVEN. */
#define ODD_BYTE 0x11
#define EVEN_BYTE 0x22
#define STORED_ON 0x33
#define STORED_OFF 0x44
/* On, off, on, off, on: the first one is highest. */
#define IN_TURN 0x1122112211ull

static struct arena arena;
static uint64_t first_root;

extern const char code[], code_end[], loads[], stores[], fetches[];

/*
 * This is executed where bit 20 of its hPA is 0, and the stack, where it may be
 * 1, is not used while A20 is off. RDI: address; RSI: that of the first of R9
 * other pages at distances of R10, which are loaded from in between.
 */
#define OFF                                                             \
    "mov $0, %al\n"                                                     \
    "outb %al, $0x92\n"
#define ON                                                              \
    "mov $2, %al\n"                                                     \
    "outb %al, $0x92\n"
#define GATHER                                                          \
    "shl $8, %r8\n"                                                     \
    "or %rax, %r8\n"
#define EVICT                                                           \
    "mov %rsi, %rdx\n"                                                  \
    "mov %r9, %rcx\n"                                                   \
    "jrcxz 2f\n"                                                        \
    "1: movb (%rdx), %al\n"                                             \
    "add %r10, %rdx\n"                                                  \
    "dec %ecx\n"                                                        \
    "jnz 1b\n"                                                          \
    "2:\n"
#define IN_TURNS(access)                                                \
    "xor %r8d, %r8d\n"                                                  \
    access GATHER EVICT OFF                                             \
    access GATHER EVICT ON                                              \
    access GATHER EVICT OFF                                             \
    access GATHER EVICT ON                                              \
    access GATHER                                                       \
    "mov %r8, %rax\n"                                                   \
    "ret\n"

asm(".text\n"
    "code:\n"
    "loads:\n"
    IN_TURNS("movzbl (%rdi), %eax\n")
    /* The code there goes on at RCX. */
    "fetches:\n"
    IN_TURNS("lea 3f(%rip), %rcx\n"
             "jmp *%rdi\n"
             "3:\n")
    /* STORED_ON, STORED_OFF */
    "stores:\n"
    "movb $0x33, (%rdi)\n"
    OFF
    "movb $0x44, (%rdi)\n"
    ON
    "ret\n"
    "code_end:\n");

/* Page tables and code are where bit 20 is 0. */
static struct tables begin(void)
{
    struct tables tables;

    first_root = read_cr3();
    arena = (struct arena) { MEMORY_START, MEMORY_START + MiB };
    tables_init(&tables, 4, 0, &arena);
    tables_map(&tables, 0, 0, MEMORY_END, 2, LEAF);
    for (unsigned i = 1; i <= OTHERS; i++) {
        tables_map(&tables, VA + i * STRIDE, OTHER_FRAME, PAGE, 1, LEAF);
    }
    tables_map(&tables, VA, ODD, PAGE, 1, LEAF);
    __builtin_memset(at_hpa(ODD), 0, PAGE);
    __builtin_memset(at_hpa(EVEN), 0, PAGE);
    return tables;
}

static void end(void)
{
    write_cr3(first_root);
    case_end();
}

/* Execute code with the tables, in a copy of it. */
static uint64_t run(const struct tables *tables, const char *start,
                    uint64_t address, bool evict)
{
    uint64_t copy = arena_page(&arena);
    uint64_t result;

    __builtin_memcpy(at_hpa(copy), code, code_end - code);
    write_cr3(tables->root);
    asm volatile("mov %[others], %%r9\n"
                 "mov %[stride], %%r10\n"
                 "call *%[start]"
                 : "=a"(result)
                 : [start] "r"(copy + (start - code)), "D"(address),
                   "S"(address + STRIDE), [others] "r"(evict ? OTHERS : 0ull),
                   [stride] "r"(STRIDE)
                 : "memory", "cc", "rcx", "rdx", "r8", "r9", "r10");
    return result;
}

static const char *how(bool evict)
{
    return evict ? "evicted in between" : "in the TLB";
}

static void loaded(bool evict)
{
    struct tables tables;

    case_begin("loads with A20 on and off in turn, %s", how(evict));
    tables = begin();
    *(uint8_t *)at_hpa(ODD) = ODD_BYTE;
    *(uint8_t *)at_hpa(EVEN) = EVEN_BYTE;
    expect("bytes", IN_TURN, run(&tables, loads, VA, evict));
    end();
}

/* Bit 20 of the last table's hPA is 1, and 0 where its entries lead. */
static void tables_masked(bool evict)
{
    struct tables tables;

    case_begin("loads by another page table with A20 off, %s", how(evict));
    tables = begin();
    __builtin_memcpy(at_hpa(ODD),
                     at_hpa(*tables_entry(&tables, VA, 2) & PTE_ADDRESS), PAGE);
    __builtin_memcpy(at_hpa(EVEN), at_hpa(ODD), PAGE);
    *tables_entry(&tables, VA, 2) = ODD | PTE_P | PTE_W;
    *tables_entry(&tables, VA, 1) = (EVEN + PAGE) | LEAF;
    *tables_entry(&tables, VA, 2) = EVEN | PTE_P | PTE_W;
    *tables_entry(&tables, VA, 1) = (EVEN + 2 * PAGE) | LEAF;
    *tables_entry(&tables, VA, 2) = ODD | PTE_P | PTE_W;
    *(uint8_t *)at_hpa(EVEN + PAGE) = ODD_BYTE;
    *(uint8_t *)at_hpa(EVEN + 2 * PAGE) = EVEN_BYTE;
    expect("bytes", IN_TURN, run(&tables, loads, VA, evict));
    end();
}

static void stored(void)
{
    struct tables tables;

    case_begin("stores with A20 on, and off");
    tables = begin();
    run(&tables, stores, VA, false);
    write_cr3(first_root);
    expect("stored with it on", STORED_ON, *(uint8_t *)at_hpa(ODD));
    expect("stored with it off", STORED_OFF, *(uint8_t *)at_hpa(EVEN));
    end();
}

/* mov $value, %eax; jmp *%rcx */
static void write_code(uint64_t hpa, uint8_t value)
{
    const uint8_t bytes[] = { 0xb8, value, 0, 0, 0, 0xff, 0xe1 };

    __builtin_memcpy(at_hpa(hpa), bytes, sizeof(bytes));
}

static void fetched(void)
{
    struct tables tables;

    case_begin("code fetched with A20 on and off in turn");
    tables = begin();
    write_code(ODD, ODD_BYTE);
    write_code(EVEN, EVEN_BYTE);
    expect("results", IN_TURN, run(&tables, fetches, VA, false));
    end();
}

void tests(void)
{
    loaded(false);
    loaded(true);
    tables_masked(false);
    tables_masked(true);
    stored();
    fetched();
}
