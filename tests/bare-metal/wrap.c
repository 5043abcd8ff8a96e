/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses whose linear address wraps at 4 GiB, in compatibility mode: once
 * page 0 is mapped elsewhere, that is where they go. QEMU's TLB has the page
 * that they wrap to at 4 GiB, where nothing that is done to page 0 finds it.
 */
#include "lib/code32.h"
#include "lib/cpu.h"
#include "lib/memory.h"
#include "lib/tables.h"
#include "lib/tap.h"

#define LAST (4 * GiB - PAGE)
#define LEAF (PTE_P | PTE_W | PTE_A | PTE_D)
#define MiB2 (2 * MiB)
#define ROUNDS 4

/*
 * Offsets in segments with the base 0xffffe000, whose limit they keep to: an
 * access of 4 bytes, one of 108 bytes, and 2 bytes of an instruction.
 */
#define OPERAND "0x1ffe"
#define BIG_OPERAND "0x1ff8"
#define CODE "0x1ffd"
#define HIGH_DATA "0x20"
#define HIGH_CODE "0x28"
#define DATA "0x10"

#define FIRST_WORD 0x2211u
#define SECOND_WORD 0x4433u
#define LAST_WORD 0x6655u
#define STORED 0xaa99bb88u
/* What FNSAVE stores at offset 8: the tag word of an empty stack. */
#define EMPTY_TAGS 0xffffu

static uint64_t gdt[] = {
    0,
    0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff, /* of boot.S */
    0xffcf93ffe000ffff, 0xffcf9bffe000ffff, /* data, code: 0xffffe000 */
};

static struct arena arena;
static struct tables tables, other_tables;
static uint64_t first_root, first, second, last, saved_cr4;

extern const char load[], store[], save[], fetch[], load_page0[];

#define HIGH_ES                                                         \
    "mov $" HIGH_DATA ", %eax\n"                                        \
    "mov %eax, %es\n"
#define FLAT_ES                                                         \
    "mov $" DATA ", %ecx\n"                                             \
    "mov %ecx, %es\n"

asm(".text\n"
    ".code32\n"
    "load:\n"
    HIGH_ES
    "mov %es:" OPERAND ", %eax\n"
    FLAT_ES
    "ret\n"
    /* EDI: what */
    "store:\n"
    HIGH_ES
    "mov %edi, %es:" OPERAND "\n"
    FLAT_ES
    "ret\n"
    "save:\n"
    HIGH_ES
    "fninit\n"
    "fnsave %es:" BIG_OPERAND "\n"
    FLAT_ES
    "ret\n"
    "fetch:\n"
    "lcall $" HIGH_CODE ", $" CODE "\n"
    "ret\n"
    "load_page0:\n"
    "mov 0, %eax\n"
    "ret\n"
    ".code64\n");

/* How page 0 gets to be elsewhere. */
enum way { BY_INVLPG, BY_MOV_CR3, BY_OTHER_TABLES, WAYS };

static const char *const way_names[WAYS] = {
    "INVLPG", "MOV to CR3 with what it has", "MOV to CR3 with other tables",
};

static uint16_t *word_at(uint64_t hpa)
{
    return at_hpa(hpa);
}

/*
 * The memory of the program one to one, but for page 0; no page of more than 4K
 * near that, as QEMU would flush it all with one.
 */
static void make(struct tables *t, uint64_t page0, uint64_t last_flags)
{
    tables_init(t, 4, 0, &arena);
    tables_map(t, PAGE, PAGE, MEMORY_START - PAGE, 1, LEAF);
    tables_map(t, MEMORY_START, MEMORY_START, MEMORY_END - MEMORY_START, 2,
               LEAF);
    tables_map(t, 0, page0, PAGE, 1, LEAF);
    tables_map(t, LAST, last, PAGE, 1, LEAF | last_flags);
}

static void load_gdt(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = { sizeof(gdt) - 1, (uint64_t)gdt };

    asm volatile("lgdt %0" : : "m"(pointer));
}

/* "global": the page before is, so that what CR3 does leaves that alone. */
static void begin(bool global)
{
    first_root = read_cr3();
    saved_cr4 = read_cr4();
    arena = (struct arena) { MEMORY_START, MEMORY_END };
    first = arena_page(&arena);
    second = arena_page(&arena);
    last = arena_page(&arena);
    make(&tables, first, global ? PTE_G : 0);
    make(&other_tables, second, global ? PTE_G : 0);
    load_gdt();
    write_cr3(tables.root);
    write_cr4(saved_cr4 | (global ? CR4_PGE : 0));
}

static void end(void)
{
    write_cr4(saved_cr4);
    write_cr3(first_root);
    case_end();
}

/* Page 0 is at "second" afterwards, or at "first" again. */
static void remap(enum way way, bool to_second)
{
    if (way == BY_OTHER_TABLES) {
        write_cr3((to_second ? other_tables : tables).root);
        return;
    }
    *tables_entry(&tables, 0, 1) = (to_second ? second : first) | LEAF;
    if (way == BY_INVLPG) {
        asm volatile("invlpg (%0)" : : "r"(0ull) : "memory");
    } else {
        write_cr3(tables.root);
    }
}

static const char *which_last(bool global)
{
    return global ? ", the page before it is global" : "";
}

static void loads(enum way way, bool global)
{
    case_begin("a load that wraps to page 0, which is elsewhere since %s%s",
               way_names[way], which_last(global));
    begin(global);
    *word_at(last + PAGE - 2) = LAST_WORD;
    *word_at(first) = FIRST_WORD;
    *word_at(second) = SECOND_WORD;
    for (unsigned i = 0; i < ROUNDS; i++) {
        expect("before", FIRST_WORD << 16 | LAST_WORD,
               code32_run(load, 0, 0, 0));
        remap(way, true);
        expect("after", SECOND_WORD << 16 | LAST_WORD,
               code32_run(load, 0, 0, 0));
        expect("page 0 itself", SECOND_WORD, code32_run(load_page0, 0, 0, 0));
        remap(way, false);
    }
    end();
}

static void stores(enum way way, bool global)
{
    case_begin("a store that wraps to page 0, which is elsewhere since %s%s",
               way_names[way], which_last(global));
    begin(global);
    for (unsigned i = 0; i < ROUNDS; i++) {
        code32_run(store, STORED, 0, 0);
        expect("in the last page", STORED & 0xffff, *word_at(last + PAGE - 2));
        expect("in page 0", STORED >> 16, *word_at(first));
        *word_at(first) = *word_at(second) = 0;
        remap(way, true);
        code32_run(store, STORED, 0, 0);
        expect("in page 0, after", STORED >> 16, *word_at(second));
        expect("where that was before", 0, *word_at(first));
        remap(way, false);
    }
    end();
}

/* QEMU looks both pages up first, and stores to them without its TLB. */
static void big_stores(enum way way, bool global)
{
    case_begin("FNSAVE that wraps to page 0, which is elsewhere since %s%s",
               way_names[way], which_last(global));
    begin(global);
    for (unsigned i = 0; i < ROUNDS; i++) {
        code32_run(save, 0, 0, 0);
        expect("in page 0", EMPTY_TAGS, *word_at(first));
        *word_at(first) = *word_at(second) = 0;
        remap(way, true);
        code32_run(save, 0, 0, 0);
        expect("in page 0, after", EMPTY_TAGS, *word_at(second));
        expect("where that was before", 0, *word_at(first));
        remap(way, false);
    }
    end();
}

/* mov $(word << 16 | LAST_WORD), %eax; lret: three bytes in the last page. */
static void write_code(uint64_t page0, uint16_t word)
{
    *(uint8_t *)at_hpa(last + PAGE - 3) = 0xb8;
    *word_at(last + PAGE - 2) = LAST_WORD;
    *word_at(page0) = word;
    *(uint8_t *)at_hpa(page0 + 2) = 0xcb;
}

static void fetches(enum way way, bool global)
{
    case_begin("an instruction that wraps to page 0, which is elsewhere since "
               "%s%s", way_names[way], which_last(global));
    begin(global);
    write_code(first, FIRST_WORD);
    write_code(second, SECOND_WORD);
    for (unsigned i = 0; i < ROUNDS; i++) {
        expect("before", FIRST_WORD << 16 | LAST_WORD,
               code32_run(fetch, 0, 0, 0));
        remap(way, true);
        expect("after", SECOND_WORD << 16 | LAST_WORD,
               code32_run(fetch, 0, 0, 0));
        remap(way, false);
    }
    end();
}

void tests(void)
{
    for (enum way way = 0; way < WAYS; way++) {
        for (unsigned global = 0; global < 2; global++) {
            loads(way, global);
            stores(way, global);
            big_stores(way, global);
            fetches(way, global);
        }
    }
}
