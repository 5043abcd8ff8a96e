/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code in a page that is a page table, too: a fetch that goes on to the next
 * page sets the accessed bit of that page's entry, in the page that the CPU is
 * just fetching from. Whatever the CPU does for self-modifying code, it comes to
 * an end, and does not execute later what the bytes were before.
 */
#include "lib/cpu.h"
#include "lib/memory.h"
#include "lib/smp.h"
#include "lib/tables.h"
#include "lib/tap.h"

/* Two regions of 2 MiB, each with a page table of its own, where L1 maps nothing. */
#define VA (4096 * GiB)
#define OTHER_VA (VA + 2 * MiB)

#define ROUNDS 3000
#define RET 0xc3
#define FLAGS (PTE_P | PTE_W | PTE_D)

static struct arena arena;
static struct tables tables;
static uint64_t first_root;

/* The page table of a region, which the first page of a region maps, as memory. */
static uint8_t *table_of(uint64_t va)
{
    return (uint8_t *)((uintptr_t)tables_entry(&tables, va, 1) & -PAGE);
}

static void map(uint64_t va, void *to, uint64_t flags)
{
    *tables_entry(&tables, va, 1) = (uint64_t)to | flags;
}

/*
 * mov eax, imm32; ret: two bytes of it at the end of @table, the others in the
 * page behind it.
 */
static void put_code(uint64_t va, uint8_t *table)
{
    static const uint8_t rest[] = { 0, 0, 0, RET };
    uint8_t *next = at_hpa(arena_page(&arena));

    table[PAGE - 2] = 0xb8;
    table[PAGE - 1] = 0;
    __builtin_memcpy(next, rest, sizeof(rest));
    map(va, table, FLAGS | PTE_A);
    map(va + PAGE, next, FLAGS);
}

static uint32_t call(uint64_t address)
{
    return ((uint32_t (*)(void))address)();
}

static void begin(void)
{
    write_cr3(first_root);
    arena = (struct arena) { MEMORY_START + 8 * MiB, MEMORY_END };
    tables_init_own(&tables, 4, &arena);
}

static void one_page(const char *what, bool has_code)
{
    uint8_t *table;

    case_begin("an instruction that begins in the page table of its end: %s", what);
    begin();
    table = table_of(VA);
    put_code(VA, table);
    table[PAGE - 1] = 42;
    table[PAGE - 8] = RET;
    write_cr3(tables.root);
    if (has_code) {
        call(VA + PAGE - 8);
    }
    expect("result", 42, call(VA + PAGE - 2));
    expect("accessed", PTE_A, *tables_entry(&tables, VA + PAGE, 1) & PTE_A);
    case_end();
}

/*
 * The entry of the next page as code, the last 8 bytes of a page; three bytes of
 * zeros follow, and RET. What it is depends on the accessed bit.
 *
 *     47 69 80 00000000 00000001   imul r8d, [r8], 1
 *     67 69 80 00000000 00000001   imul eax, [eax], 1
 */
#define CODE_WITHOUT_A 0x0100000000806947ull

static void accessed_bit_is_code(void)
{
    static const uint8_t rest[] = { 0, 0, 0, RET };
    static uint32_t without = 111, with = 222;
    uint64_t va = VA + 510 * PAGE;
    uint64_t rax, r8;

    case_begin("the accessed bit that a fetch sets is in the code: later the code is as it is then");
    begin();
    *tables_entry(&tables, va, 1) = (uint64_t)table_of(VA) | FLAGS | PTE_A;
    *tables_entry(&tables, va + PAGE, 1) = CODE_WITHOUT_A;
    __builtin_memcpy(at_hpa(CODE_WITHOUT_A & PTE_ADDRESS), rest, sizeof(rest));
    write_cr3(tables.root);
    for (int i = 0; i < 2; i++) {
        rax = (uint64_t)&with;
        r8 = (uint64_t)&without;
        asm volatile("mov %1, %%r8; call *%2; mov %%r8, %1"
                     : "+a"(rax), "+r"(r8) : "r"(va + PAGE - 8) : "r8", "memory", "cc");
        cpuid(0, 0);        /* serializes */
    }
    expect("code", CODE_WITHOUT_A | PTE_A, *tables_entry(&tables, va + PAGE, 1));
    expect("eax", 222, rax);
    expect("r8", (uint64_t)&without, r8);
    case_end();
}

static unsigned wrong;

/* New code in each round, for which the next page has to be looked up anew. */
static void execute(uint64_t va, uint8_t *code)
{
    uint64_t old = read_cr3();
    volatile uint64_t *entry = tables_entry(&tables, va + PAGE, 1);

    write_cr3(tables.root);
    for (unsigned i = 0; i < ROUNDS; i++) {
        __atomic_store_n(code + PAGE - 1, (uint8_t)i, __ATOMIC_SEQ_CST);
        __atomic_and_fetch(entry, ~PTE_A, __ATOMIC_SEQ_CST);
        asm volatile("invlpg (%0)" : : "r"(va + PAGE) : "memory");
        if (call(va + PAGE - 2) != (uint8_t)i || !(*entry & PTE_A)) {
            __atomic_add_fetch(&wrong, 1, __ATOMIC_SEQ_CST);
        }
    }
    write_cr3(old);
}

static void execute_other(void)
{
    execute(OTHER_VA, table_of(VA));
}

static void two_cpus(void)
{
    case_begin("two CPUs, each of which executes code in the page table of the other's");
    begin();
    put_code(VA, table_of(OTHER_VA));
    put_code(OTHER_VA, table_of(VA));
    smp_start();
    smp_run(execute_other);
    execute(VA, table_of(OTHER_VA));
    smp_wait();
    expect("wrong results", 0, wrong);
    case_end();
}

void tests(void)
{
    first_root = read_cr3();
    one_page("nothing else of it is code", false);
    one_page("something else of it is code, too", true);
    accessed_bit_is_code();
    two_cpus();
}
