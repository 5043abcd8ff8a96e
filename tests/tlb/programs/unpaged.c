/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest without paging of its own, whose addresses are gPAs: with pages of 4K
 * and of 2M in the nested tables, and beside a guest with paging. It also turns
 * PAE paging on and off.
 */
#include "lib/tap.h"
#include "guest.h"

#define PAGES 300
#define ROUNDS 40
#define CODE32_ATTRIBUTES 0xc9b

static struct machine paged;
static struct guest unpaged;
static struct tables nested;

extern const char unpaged_code[], pae_code[];

/*
 * 32-bit code: adds 1 to a word of each of ECX pages from EDI on, 8 bytes
 * further in each, and loads one that straddles two pages. After INVLPG of the
 * page behind them it loads from the last one once more, and after loads of CR3:
 * in all more of them than QEMU's TLB is flushed after in mode inclusive.
 */
asm(".text\n"
    ".code32\n"
    ".globl unpaged_code\n"
    "unpaged_code:\n"
    "1: mov (%edi), %eax\n"
    "inc %eax\n"
    "mov %eax, (%edi)\n"
    "mov 0xffd(%edi), %eax\n"
    "add $0x1008, %edi\n"
    "dec %ecx\n"
    "jnz 1b\n"
    "invlpg (%edi)\n"
    "mov -0x1008(%edi), %eax\n"
    "mov $8, %ecx\n"
    "1: mov %cr3, %eax\n"
    "mov %eax, %cr3\n"
    "mov -0x1008(%edi), %eax\n"
    "dec %ecx\n"
    "jnz 1b\n"
    "vmmcall\n"
    /* The same with the tables at ESI, then one more load without paging. */
    ".globl pae_code\n"
    "pae_code:\n"
    "mov %esi, %cr3\n"
    "mov %cr0, %eax\n"
    "or $0x80000000, %eax\n"
    "mov %eax, %cr0\n"
    "1: mov (%edi), %eax\n"
    "inc %eax\n"
    "mov %eax, (%edi)\n"
    "add $0x1008, %edi\n"
    "dec %ecx\n"
    "jnz 1b\n"
    "mov %cr0, %eax\n"
    "and $0x7fffffff, %eax\n"
    "mov %eax, %cr0\n"
    "mov (%edi), %eax\n"
    "vmmcall\n"
    ".code64\n");

static void accesses(uint64_t pages)
{
    for (uint64_t i = 0; i < pages; i++) {
        store(DATA + i * PAGE, load(DATA + i * PAGE + 64));
    }
}

/* gPA = hPA in it, so that 32 bits are enough. */
static void make_unpaged(void)
{
    tables_init(&nested, 4, 0, &table_arena);
    tables_map(&nested, 0, 0, MEMORY_START, 1, LEAF | PTE_U);
    tables_map(&nested, MEMORY_START, MEMORY_START, MiB2, 2, LEAF | PTE_U);
    tables_map(&nested, FRAMES, FRAMES, FRAMES_SIZE / 2, 1, LEAF | PTE_U);
    tables_map(&nested, FRAMES + FRAMES_SIZE, FRAMES, FRAMES_SIZE, 2,
               LEAF | PTE_U);
    guest_init(&unpaged, at_hpa(arena_page(&table_arena)), &nested, &nested);
    unpaged.vmcb->asid = 2;
    unpaged.vmcb->tlb_control = 0;
    unpaged.vmcb->cr0 &= ~CR0_PG;
    unpaged.vmcb->efer = EFER_SVME;
    unpaged.vmcb->cr3 = 0;
    unpaged.vmcb->cs.attributes = CODE32_ATTRIBUTES;
}

/* PAE tables: 1 GiB one to one by 2M pages. An entry at the top has P alone. */
static uint64_t make_pae(void)
{
    uint64_t *top = at_hpa(arena_page(&table_arena));
    uint64_t *directory = at_hpa(arena_page(&table_arena));

    top[0] = (uint64_t)directory | PTE_P;
    for (unsigned i = 0; i < 512; i++) {
        directory[i] = i * MiB2 | LEAF | PTE_PS;
    }
    return (uint64_t)top;
}

static void run_unpaged(const char *code, uint64_t address, unsigned pages)
{
    unpaged.vmcb->rip = (uint64_t)code;
    unpaged.registers.rdi = address;
    unpaged.registers.rcx = pages;
    expect("exit code", EXIT_VMMCALL, guest_run(&unpaged));
}

void tests(void)
{
    struct tables tables;

    case_begin("a guest without paging");
    space_init(&tables, 0);
    machine_init(&paged, 1, 1, 1);
    space_map(&paged.tables, DATA, PAGES, 1, LEAF);
    make_unpaged();
    unpaged.registers.rsi = make_pae();
    space_enter(&tables);
    REGION_BEGIN();
    for (unsigned i = 0; i < ROUNDS; i++) {
        run_unpaged(unpaged_code, FRAMES, 20 + i * 4);
        machine_call(&paged, accesses, PAGES);
        run_unpaged(unpaged_code, FRAMES + FRAMES_SIZE, 50);
        run_unpaged(pae_code, FRAMES, 40);
    }
    REGION_END();
    case_end();
}
