/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages that a modelled TLB has evicted, which QEMU's own only hides, and shows
 * again when they come back: what has happened to them meanwhile is in force.
 */
#include "lib/cpu.h"
#include "lib/smp.h"
#include "lib/tap.h"
#include "lib/trap.h"
#include "lib/vm.h"

/*
 * In a GiB that L1's first tables do not map; QEMU's TLB has few others where it
 * has this page, or those that evict it.
 */
#define VA (4096 * GiB + 101 * PAGE)
/* In the same set: sandybridge-ep's L1 for data has 16 sets of 4. */
#define STRIDE (16 * PAGE)
#define OTHERS 8
#define LEAF (PTE_P | PTE_W | PTE_A | PTE_D)
#define DATA_BYTE_0 0x33
#define VECTOR_DB 1
#define DR7_WATCH_STORES (BIT(0) | BIT(16)) /* L0; stores, 1 byte */
#define CHANGES 20

static struct arena arena;
static uint64_t data_hpa, first_root;
static volatile uint8_t *const page = (uint8_t *)VA;

static void begin(void)
{
    struct tables tables;

    set_levels(4);
    first_root = read_cr3();
    arena = (struct arena) { MEMORY_START, MEMORY_END };
    tables_init_own(&tables, 4, &arena);
    data_hpa = arena_page(&arena);
    tables_map(&tables, VA, data_hpa, PAGE, 1, LEAF);
    for (unsigned i = 1; i <= OTHERS; i++) {
        tables_map(&tables, VA + i * STRIDE, arena_page(&arena), PAGE, 1, LEAF);
    }
    write_cr3(tables.root);
}

static void evict(void)
{
    for (unsigned i = 1; i <= OTHERS; i++) {
        (void)page[i * STRIDE];
    }
}

static void write_dr0(uint64_t value)
{
    asm volatile("mov %0, %%dr0" : : "r"(value));
}

static void write_dr7(uint64_t value)
{
    asm volatile("mov %0, %%dr7" : : "r"(value));
}

/* #DB is a trap: it is the next instruction that it finds. */
static uint64_t store(uint64_t address)
{
    return TRY("movb $1, (%[address])", "nop", "", [address] "r"(address));
}

static void watched(void)
{
    case_begin("a watchpoint on an evicted page is hit");
    begin();
    page[0] = 0;
    evict();
    write_dr0(VA);
    write_dr7(DR7_WATCH_STORES);
    expect("store there", TRAP(VECTOR_DB, 0), store(VA));
    expect("store beside it", 0, store(VA + 1));
    write_dr7(0);
    evict();
    expect("store there, after its end", 0, store(VA));
    write_cr3(first_root);
    case_end();
}

static uint64_t returned;

/* On the second CPU, by its own tables. */
static void call(void)
{
    returned = ((uint64_t (*)(void))at_hpa(data_hpa))();
}

/* mov $value, %eax; ret */
static void write_code(uint8_t value)
{
    const uint8_t code[] = { 0xb8, value, 0, 0, 0, 0xc3 };

    for (unsigned i = 0; i < sizeof(code); i++) {
        page[i] = code[i];
    }
}

static void code_changed(void)
{
    case_begin("code in an evicted page that a CPU changes is executed so by the "
               "other");
    begin();
    smp_start();
    for (unsigned i = 1; i <= CHANGES; i++) {
        write_code(i);
        evict();
        smp_run(call);
        smp_wait();
        expect("returned", i, returned);
    }
    write_cr3(first_root);
    case_end();
}

/* By CR3, without INVLPG: the page is not global. */
static void moved(void)
{
    struct tables tables;

    case_begin("an evicted page that other page tables have elsewhere is found "
               "there");
    begin();
    page[0] = DATA_BYTE_0;
    evict();
    tables_init_own(&tables, 4, &arena);
    tables_map(&tables, VA, arena_page(&arena), PAGE, 1, LEAF);
    write_cr3(tables.root);
    expect("loaded", 0, page[0]);
    page[0] = 1;
    write_cr3(first_root);
    expect("the old page", DATA_BYTE_0, *(uint8_t *)at_hpa(data_hpa));
    case_end();
}

void tests(void)
{
    watched();
    code_changed();
    moved();
}
