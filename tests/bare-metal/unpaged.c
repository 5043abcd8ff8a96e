/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CR3 is loaded, or the world switched, where a side has CR0.PG = 0: what was
 * translated before is not used afterwards. Most is 32-bit code, for whose
 * addresses QEMU's TLB has entries of their own.
 */
#include "lib/code32.h"
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/vm.h"

/* An address with RAM, which page tables have elsewhere. */
#define VA (40 * MiB)
#define LEAF (PTE_P | PTE_W | PTE_A | PTE_D)
#define CR0_WITHOUT_PAGING 0x10033      /* the bits that the host has */
#define ROUNDS 300

/* What is at hPA VA, and at other frames. */
#define UNPAGED_BYTE 0x11u
#define FIRST_BYTE 0x22u
#define SECOND_BYTE 0x33u
#define THIRD_BYTE 0x44u
#define BYTES(a, b, c, d) ((a) | (b) << 8 | (c) << 16 | (uint32_t)(d) << 24)

static struct arena arena;
static uint64_t first_root, first, second, third;

extern const char load[], load_cr3[], run_two[];
extern const char guest_cr3_on[], guest_on[], guest_off[];

/*
 * EDI: an address. Bytes that are loaded from it are shifted into EBX, the
 * first one is lowest in the end.
 */
#define LOAD                                                            \
    "movzbl (%edi), %eax\n"                                             \
    "ror $8, %ebx\n"                                                    \
    "or %eax, %ebx\n"
#define LOADED                                                          \
    "ror $8, %ebx\n"                                                    \
    "mov %ebx, %eax\n"
#define VMRUN                                                           \
    "clgi\n"                                                            \
    "vmrun %eax\n"                                                      \
    "stgi\n"

asm(".text\n"
    ".code32\n"
    "load:\n"
    "movzbl (%edi), %eax\n"
    "ret\n"
    /* With paging; without; without after a load of CR3 (ESI); with it. */
    "load_cr3:\n"
    "xor %ebx, %ebx\n"
    LOAD
    CODE32_PAGING_OFF
    LOAD
    "mov %esi, %cr3\n"
    LOAD
    CODE32_PAGING_ON
    LOAD
    LOADED
    "ret\n"
    /* Without paging: before, between and after two guests; with it. */
    "run_two:\n"
    "xor %ebx, %ebx\n"
    CODE32_PAGING_OFF
    LOAD
    "mov %esi, %eax\n"
    VMRUN
    LOAD
    "mov %edx, %eax\n"
    VMRUN
    LOAD
    CODE32_PAGING_ON
    LOAD
    LOADED
    "ret\n"
    /* In guests. Without paging; after a load of CR3 (ESI); with paging. */
    "guest_cr3_on:\n"
    "movzbl (%edi), %ecx\n"
    "mov %esi, %cr3\n"
    "mov (%edi), %ch\n"
    CODE32_PAGING_ON
    "movzbl (%edi), %eax\n"
    "shl $16, %eax\n"
    "or %ecx, %eax\n"
    "vmmcall\n"
    /* Without paging, and with it. */
    "guest_on:\n"
    "movzbl (%edi), %ecx\n"
    CODE32_PAGING_ON
    "mov (%edi), %ch\n"
    "mov %ecx, %eax\n"
    "vmmcall\n"
    "guest_off:\n"
    CODE32_PAGING_OFF
    "movzbl (%edi), %eax\n"
    "vmmcall\n"
    ".code64\n");

static uint64_t frame(uint8_t byte)
{
    uint64_t hpa = arena_page(&arena);

    *(uint8_t *)at_hpa(hpa) = byte;
    return hpa;
}

/* Tables with the program and the arena one to one, and one page at VA. */
static struct tables make(uint64_t to, uint64_t flags)
{
    struct tables tables;

    tables_init(&tables, 4, 0, &arena);
    tables_map(&tables, 0, 0, MEMORY_END, 2, LEAF | flags);
    tables_map(&tables, VA, to, PAGE, 1, LEAF | flags);
    return tables;
}

/* With the host's own tables in force. */
static void begin(uint64_t flags)
{
    set_levels(4);
    first_root = read_cr3();
    arena = (struct arena) { MEMORY_START, MEMORY_END };
    *(uint8_t *)at_hpa(VA) = UNPAGED_BYTE;
    first = frame(FIRST_BYTE);
    second = frame(SECOND_BYTE);
    third = frame(THIRD_BYTE);
    write_cr3(make(first, flags).root);
}

static void end(void)
{
    write_cr3(first_root);
    case_end();
}

/* With paging: what 64-bit and 32-bit code loads. */
static void expect_host(const char *what, uint8_t byte)
{
    expect(what, byte, *(volatile uint8_t *)VA);
    expect(what, byte, code32_run(load, VA, 0, 0));
}

/* PGE as "global" has it, but as it was in the end. */
static void cr3_without_paging(bool global)
{
    uint64_t cr4 = read_cr4();
    struct tables tables;

    case_begin("CR3 loaded without paging: then no translation is used, and "
               "the new tables with paging, %s pages",
               global ? "global" : "other");
    begin(global ? PTE_G : 0);
    tables = make(second, 0);
    write_cr4(global ? cr4 | CR4_PGE : cr4);
    expect_host("byte before", FIRST_BYTE);
    expect("bytes with, without, without, with paging",
           BYTES(FIRST_BYTE, UNPAGED_BYTE, UNPAGED_BYTE, SECOND_BYTE),
           code32_run(load_cr3, VA, tables.root, 0));
    expect_host("byte after", SECOND_BYTE);
    write_cr4(cr4);
    end();
}

static void tables_changed(void)
{
    uint64_t root;

    case_begin("page tables changed, CR3 loaded without paging with what it "
               "has: they are in force with paging");
    begin(0);
    root = read_cr3();
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct tables tables = { .root = root, .levels = 4 };
        uint64_t to = i % 2 ? first : second;
        uint8_t old = i % 2 ? SECOND_BYTE : FIRST_BYTE;

        expect_host("byte before", old);
        *tables_entry(&tables, VA, 1) = to | LEAF;
        /* The first byte may be either: it is loaded without INVLPG. */
        expect("bytes without, without, with paging",
               BYTES(0u, UNPAGED_BYTE, UNPAGED_BYTE,
                     i % 2 ? FIRST_BYTE : SECOND_BYTE),
               code32_run(load_cr3, VA, root, 0) & ~0xffu);
    }
    end();
}

/* 32-bit, with the snippets of L2 and this program where they are in L1. */
static void make_guest(struct guest *guest, unsigned asid,
                       const struct tables *tables,
                       const struct tables *nested)
{
    guest_init(guest, at_hpa(arena_page(&arena)), tables, nested);
    guest->vmcb->cs.attributes = ATTRIBUTES_CODE32;
    guest->vmcb->asid = asid;
    guest->vmcb->rip = (uint64_t)l2_nothing;
    expect("exit code at first", EXIT_VMMCALL, guest_run(guest));
    guest->vmcb->tlb_control = 0;   /* that run has flushed */
}

/* With paging turned on it has tables of four levels. */
static void turn_paging_off(struct guest *guest)
{
    guest->vmcb->cr0 = CR0_WITHOUT_PAGING;
    guest->vmcb->efer = EFER_SVME | EFER_LME | EFER_NXE;
}

static uint64_t guest_result(struct guest *guest, const char *code,
                             uint64_t cr3)
{
    guest->registers.rdi = VA;
    guest->registers.rsi = cr3;
    guest->vmcb->rip = (uint64_t)code;
    expect("exit code", EXIT_VMMCALL, guest_run(guest));
    return guest->vmcb->rax;
}

/* The host has paging. Each has the address elsewhere. */
static void nested_guests(void)
{
    struct guest unpaged, other, paged;
    struct tables tables, nested[3];

    case_begin("guests without paging, and one with it, in turn, by nested "
               "paging: each by its own tables, and so the host");
    begin(0);
    nested[0] = make(second, PTE_U);
    nested[1] = make(third, PTE_U);
    nested[2] = make(first, PTE_U);
    tables = make(VA, 0);
    make_guest(&unpaged, 1, &tables, &nested[0]);
    make_guest(&other, 2, &tables, &nested[1]);
    *tables_entry(&nested[2], 2 * VA, 1) = VA | LEAF | PTE_U;
    *tables_entry(&tables, VA, 1) = 2 * VA | LEAF;
    make_guest(&paged, 3, &tables, &nested[2]);
    turn_paging_off(&unpaged);
    turn_paging_off(&other);
    for (unsigned i = 0; i < ROUNDS; i++) {
        expect_host("host", FIRST_BYTE);
        expect("guest without paging", SECOND_BYTE,
               guest_result(&unpaged, l2_load1, 0));
        expect("other guest without paging, before and after MOV to CR3",
               THIRD_BYTE | THIRD_BYTE << 8,
               guest_result(&other, l2_load_write_cr3_load, tables.root));
        expect("guest with paging", UNPAGED_BYTE,
               guest_result(&paged, l2_load1, 0));
        expect("guest without paging again", SECOND_BYTE,
               guest_result(&unpaged, l2_load1, 0));
    }
    end();
}

/* Nested or not: without nested paging, what is at hPA VA. */
static void paging_in_a_guest(bool is_nested)
{
    uint8_t without = is_nested ? SECOND_BYTE : UNPAGED_BYTE;
    struct tables tables, nested;
    struct guest guest;

    case_begin("a guest %s nested paging loads CR3 and turns paging on, and "
               "off again", is_nested ? "with" : "without");
    begin(0);
    nested = make(second, PTE_U);
    tables = make(third, 0);
    make_guest(&guest, 1, &tables, is_nested ? &nested : NULL);
    turn_paging_off(&guest);
    for (unsigned i = 0; i < ROUNDS; i++) {
        expect_host("host", FIRST_BYTE);
        expect("guest, without paging twice, and with",
               BYTES(without, without, THIRD_BYTE, 0u),
               guest_result(&guest, guest_cr3_on, tables.root));
        expect_host("host in between", FIRST_BYTE);
        expect("guest, without paging again", without,
               guest_result(&guest, guest_off, 0));
    }
    end();
}

/* Without nested paging, which a host without paging can't use. */
static void host_without_paging(void)
{
    struct tables tables[2];
    struct guest a, b;

    case_begin("a host without paging runs two guests with it in turn: each by "
               "its own tables, the host by none");
    begin(0);
    tables[0] = make(second, 0);
    tables[1] = make(third, 0);
    make_guest(&a, 1, &tables[0], NULL);
    make_guest(&b, 2, &tables[1], NULL);
    for (unsigned i = 0; i < ROUNDS; i++) {
        a.vmcb->rip = b.vmcb->rip = (uint64_t)l2_load1;
        expect("host: without paging three times, and with",
               BYTES(UNPAGED_BYTE, UNPAGED_BYTE, UNPAGED_BYTE, FIRST_BYTE),
               code32_run(run_two, VA, (uint64_t)a.vmcb, (uint64_t)b.vmcb));
        expect_host("host, with paging", FIRST_BYTE);
        expect("one guest", SECOND_BYTE, a.vmcb->rax);
        expect("the other", THIRD_BYTE, b.vmcb->rax);
    }
    expect("exit code", EXIT_VMMCALL, a.vmcb->exit_code);
    expect("exit code of the other", EXIT_VMMCALL, b.vmcb->exit_code);
    end();
}

/* One guest turns paging on, and ends with it. */
static void all_without_paging(void)
{
    struct tables tables;
    struct guest a, b;

    case_begin("without paging in the host, one guest turns it on: host and "
               "another guest go on without");
    begin(0);
    tables = make(second, 0);
    make_guest(&a, 1, &tables, NULL);
    make_guest(&b, 2, &tables, NULL);
    turn_paging_off(&b);
    for (unsigned i = 0; i < ROUNDS; i++) {
        turn_paging_off(&a);
        a.vmcb->rip = (uint64_t)guest_on;
        b.vmcb->rip = (uint64_t)l2_load1;
        expect("host: without paging three times, and with",
               BYTES(UNPAGED_BYTE, UNPAGED_BYTE, UNPAGED_BYTE, FIRST_BYTE),
               code32_run(run_two, VA, (uint64_t)a.vmcb, (uint64_t)b.vmcb));
        expect("guest, without paging and with",
               UNPAGED_BYTE | SECOND_BYTE << 8, a.vmcb->rax);
        expect("guest without paging", UNPAGED_BYTE, b.vmcb->rax);
    }
    end();
}

void tests(void)
{
    cr3_without_paging(false);
    cr3_without_paging(true);
    tables_changed();
    nested_guests();
    paging_in_a_guest(true);
    paging_in_a_guest(false);
    host_without_paging();
    all_without_paging();
}
