/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * INVPCID (Intel SDM, volume 2; APM, volume 3): what it refuses, what it
 * flushes, and its intercept, in L1 and in L2.
 */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/trap.h"
#include "lib/vm.h"

/* In a GiB that L1's first tables do not map. */
#define VA (4096 * GiB)
/* 2 MiB further, where no page is. */
#define NOWHERE (VA + 2 * MiB)
#define GP TRAP(VECTOR_GP, 0)
#define OLD_BYTE 0x11u
#define NEW_BYTE 0x22u
#define LEAF (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

/* The CPU has 57 bits, in use or not. */
#define HIGHEST_LOW 0x00ffffffffffffff
#define LOWEST_HIGH 0xff00000000000000

enum { ADDRESS, CONTEXT, ALL, ALL_NONGLOBAL, TYPES };

struct descriptor {
    uint64_t pcid, address;
};

static const struct vm_shape shape = { 4, 1, 4, 1 };
static struct descriptor descriptor;
static struct arena arena;
static struct tables own;
static uint64_t first_root, first_cr4;

/* L1 with tables of its own, which map a page of OLD_BYTE at VA. */
static uint64_t begin(unsigned levels, bool pcide)
{
    uint64_t page;

    set_levels(levels);
    first_root = read_cr3();
    first_cr4 = read_cr4();
    arena = (struct arena) { MEMORY_START, MEMORY_END };
    page = arena_page(&arena);
    *(uint8_t *)at_hpa(page) = OLD_BYTE;
    tables_init_own(&own, levels, &arena);
    tables_map(&own, VA, page, PAGE, 1, PTE_P | PTE_W);
    if (pcide) {
        write_cr4(first_cr4 | CR4_PCIDE);
    }
    write_cr3(own.root);
    return page;
}

static void end(void)
{
    write_cr3(first_root);
    write_cr4(first_cr4);
}

static void feature(void)
{
    case_begin("CPUID has INVPCID");
    expect("Fn0000_0007 EBX[INVPCID]", CPUID_7_EBX_INVPCID,
           cpuid(7, 0).ebx & CPUID_7_EBX_INVPCID);
    case_end();
}

static void encodings(void)
{
    case_begin("INVPCID is #UD with a register, with LOCK, without 66h, and "
               "as VEX");
    expect("register", TRAP(VECTOR_UD, 0),
           TRY("", ".byte 0x66, 0x0f, 0x38, 0x82, 0xc0", ""));
    expect("LOCK", TRAP(VECTOR_UD, 0),
           TRY("", ".byte 0xf0, 0x66, 0x0f, 0x38, 0x82, 0x04, 0x24", ""));
    expect("no 66h", TRAP(VECTOR_UD, 0),
           TRY("", ".byte 0x0f, 0x38, 0x82, 0x04, 0x24", ""));
    expect("VEX", TRAP(VECTOR_UD, 0),
           TRY("", ".byte 0xc4, 0xe2, 0x79, 0x82, 0x04, 0x24", ""));
    case_end();
}

/* Operands, and for which types (bits 0 to 3) and when they are refused. */
static const struct {
    const char *name;
    uint64_t pcid, address;
    unsigned refused, refused_with_pcide;
} operands[] = {
    { "zeros", 0, 0, 0, 0 },
    { "PCID 1", 1, 0, 3, 0 },
    { "PCID 0xfff", 0xfff, 0, 3, 0 },
    { "bit 12", BIT(12), 0, 15, 15 },
    { "bit 12 and a PCID", BIT(12) | 1, 0, 15, 15 },
    { "bit 32", BIT(32), 0, 15, 15 },
    { "bit 63", BIT(63), 0, 15, 15 },
    { "an address", 0, VA, 0, 0 },
    { "an address of no page", 0, NOWHERE, 0, 0 },
    { "the highest low address", 0, HIGHEST_LOW, 0, 0 },
    { "the address above it", 0, HIGHEST_LOW + 1, 1, 1 },
    { "the lowest high address", 0, LOWEST_HIGH, 0, 0 },
    { "the address below it", 0, LOWEST_HIGH - 1, 1, 1 },
    { "the highest address", 0, ~0ull, 0, 0 },
    { "bit 63 of the address", 0, BIT(63), 1, 1 },
};

static void operand(unsigned row, unsigned levels, bool pcide)
{
    unsigned refused = pcide ? operands[row].refused_with_pcide
                     : operands[row].refused;

    case_begin("%u levels, CR4.PCIDE=%d: %s", levels, pcide,
               operands[row].name);
    begin(levels, pcide);
    descriptor = (struct descriptor) {
        operands[row].pcid, operands[row].address,
    };
    for (unsigned type = 0; type < TYPES; type++) {
        expect("result", refused >> type & 1 ? GP : 0,
               try_invpcid(type, (uint64_t)&descriptor));
    }
    end();
    case_end();
}

static void types(bool pcide)
{
    static const uint64_t beyond[] = {
        4, 5, 8, 0x80000000, BIT(32), BIT(32) | ALL, BIT(63), ~0ull,
    };

    case_begin("CR4.PCIDE=%d: types above 3 are #GP", pcide);
    begin(4, pcide);
    descriptor = (struct descriptor) { 0, 0 };
    for (unsigned i = 0; i < ARRAY_SIZE(beyond); i++) {
        expect("result", GP, try_invpcid(beyond[i], (uint64_t)&descriptor));
    }
    end();
    case_end();
}

/* Both halves are read, by any type. */
static void page_faults(unsigned type)
{
    case_begin("type %u: a descriptor that is not mapped is a page fault",
               type);
    begin(4, false);
    expect("all", TRAP(VECTOR_PF, 0), try_invpcid(type, NOWHERE));
    expect("CR2", NOWHERE, read_cr2());
    expect("the second half", TRAP(VECTOR_PF, 0),
           try_invpcid(type, VA + PAGE - 8));
    expect("CR2", VA + PAGE, read_cr2());
    expect("none", 0, try_invpcid(type, VA + PAGE - 16));
    expect("not canonical", GP, try_invpcid(type, BIT(47)));
    end();
    case_end();
}

static unsigned loaded(void)
{
    uint8_t byte = 0;

    expect("load", 0, try_load(VA, &byte));
    return byte;
}

/* Let VA lead to a page of NEW_BYTE, or of 2 MiB. Nothing is flushed. */
static void move(unsigned level, uint64_t flags)
{
    uint64_t to = arena_page(&arena);

    if (level == 2) {
        to = MEMORY_END - 2 * MiB;
    }
    *(uint8_t *)at_hpa(to) = NEW_BYTE;
    tables_map(&own, VA, to, PAGE, level, PTE_P | PTE_W | flags);
}

/*
 * What a type has to remove: here a page that was used under the current PCID,
 * and also global ones if it is ALL.
 */
static void flush(unsigned type, uint64_t pcid, bool global)
{
    uint64_t flags = global ? PTE_G : 0, page;

    case_begin("INVPCID type %u, PCID 0x%lx, global page=%d: a changed entry "
               "is in force", type, pcid, global);
    page = begin(4, pcid);
    tables_map(&own, VA, page, PAGE, 1, PTE_P | PTE_W | flags);
    write_cr4(read_cr4() | CR4_PGE);
    write_cr3(own.root | pcid);
    expect("before", OLD_BYTE, loaded());
    move(1, flags);
    descriptor = (struct descriptor) { pcid, type == ADDRESS ? VA : 0 };
    expect("INVPCID", 0, try_invpcid(type, (uint64_t)&descriptor));
    expect("after", NEW_BYTE, loaded());
    end();
    case_end();
}

/* Any address in a page of 2 MiB stands for all of it. */
static void flush_large(uint64_t offset)
{
    case_begin("INVPCID type 0 of address 0x%lx in a page of 2 MiB: a changed "
               "entry is in force", offset);
    begin(4, true);
    *tables_entry(&own, VA, 2) = 0;
    tables_map(&own, VA, MEMORY_END - 4 * MiB, PAGE, 2, PTE_P | PTE_W);
    *(uint8_t *)at_hpa(MEMORY_END - 4 * MiB) = OLD_BYTE;
    write_cr3(own.root | 1);
    expect("before", OLD_BYTE, loaded());
    move(2, 0);
    descriptor = (struct descriptor) { 1, VA + offset };
    expect("INVPCID", 0, try_invpcid(ADDRESS, (uint64_t)&descriptor));
    expect("after", NEW_BYTE, loaded());
    end();
    case_end();
}

/* The page was used under PCID 1, and the CPU has gone on to PCID 2. */
static void flush_other(unsigned type)
{
    case_begin("INVPCID type %u for another PCID: a changed entry is in force "
               "there", type);
    begin(4, true);
    write_cr3(own.root | 1);
    expect("before", OLD_BYTE, loaded());
    write_cr3(first_root | 2 | CR3_NO_FLUSH);
    move(1, 0);
    descriptor = (struct descriptor) { 1, type == ADDRESS ? VA : 0 };
    expect("INVPCID", 0, try_invpcid(type, (uint64_t)&descriptor));
    write_cr3(own.root | 1 | CR3_NO_FLUSH);
    expect("after", NEW_BYTE, loaded());
    end();
    case_end();
}

/* A guest whose second page of data is the descriptor. */
static struct descriptor *make(struct vm *vm)
{
    struct descriptor *d;

    set_levels(4);
    vm_init(vm, &shape);
    d = at_hpa(vm->data_hpa + PAGE);
    *d = (struct descriptor) { 0, 0 };
    return d;
}

static void in_guest(unsigned type, unsigned cpl, uint32_t intercepts)
{
    struct l2_end end;
    uint64_t gva;
    struct vm vm;

    case_begin("L2: INVPCID type %u at CPL %u, intercepts 0x%x", type, cpl,
               intercepts);
    make(&vm);
    gva = to_gva(vm.data_hpa + PAGE);
    guest_set_cpl(&vm.guest, cpl);
    vm.guest.vmcb->intercepts3 = intercepts;
    end = l2_run(&vm.guest, l2_invpcid, gva, type);
    if (cpl || type >= TYPES) {
        expect("exit code", EXIT_EXCEPTION(VECTOR_GP), end.exit_code);
        expect("error code", 0, end.exit_info1);
    } else if (intercepts & INTERCEPT3_INVPCID) {
        expect("exit code", EXIT_INVPCID, end.exit_code);
        expect("EXITINFO1", gva, end.exit_info1);
        expect("EXITINFO2", type, end.exit_info2);
        expect("RIP", L2_CODE_KERNEL + (l2_invpcid - l2_code),
               vm.guest.vmcb->rip);
    } else {
        expect("exit code", EXIT_VMMCALL, end.exit_code);
    }
    case_end();
}

static void operand_in_guest(unsigned row, unsigned type, bool pcide)
{
    unsigned refused = pcide ? operands[row].refused_with_pcide
                     : operands[row].refused;
    struct descriptor *d;
    struct l2_end end;
    struct vm vm;

    case_begin("L2, CR4.PCIDE=%d, type %u: %s", pcide, type,
               operands[row].name);
    d = make(&vm);
    *d = (struct descriptor) { operands[row].pcid, operands[row].address };
    vm.guest.vmcb->cr4 |= pcide ? CR4_PCIDE : 0;
    end = l2_run(&vm.guest, l2_invpcid, to_gva(vm.data_hpa + PAGE), type);
    expect("exit code", refused >> type & 1 ? EXIT_EXCEPTION(VECTOR_GP)
           : EXIT_VMMCALL, end.exit_code);
    case_end();
}

/* The descriptor is read as data, through both dimensions. */
static void faults_in_guest(void)
{
    uint64_t gva;
    struct l2_end end;
    struct vm vm;

    case_begin("L2: a descriptor that is not mapped is a page fault, or a "
               "nested one");
    make(&vm);
    gva = to_gva(vm.data_hpa + PAGE);
    *tables_entry(&vm.guest_tables, gva, 1) = 0;
    end = l2_run(&vm.guest, l2_invpcid, gva, ALL);
    expect("exit code", EXIT_EXCEPTION(VECTOR_PF), end.exit_code);
    expect("error code", 0, end.exit_info1);
    expect("address", gva, end.exit_info2);
    make(&vm);
    *tables_entry(&vm.nested, to_gpa(vm.data_hpa + PAGE), 1) = 0;
    end = l2_run(&vm.guest, l2_invpcid, gva, ALL);
    expect("exit code", EXIT_NPF, end.exit_code);
    expect("error code", NPF_FINAL | PF_U, end.exit_info1);
    expect("address", to_gpa(vm.data_hpa + PAGE), end.exit_info2);
    case_end();
}

/* The register operand has 64 bits in 64-bit mode, else 32. */
static void in_mode(enum vm_mode mode, uint64_t type, uint64_t pcid)
{
    bool refused = (mode == VM_64 && type >= TYPES) || pcid;
    struct l2_end end;
    struct vm vm;

    case_begin("INVPCID in %s, RSI = 0x%lx, PCID %lu: %s", vm_mode_names[mode],
               type, pcid, refused ? "#GP" : "works");
    make(&vm);
    *(struct descriptor *)at_hpa(vm.data_hpa) = (struct descriptor) { pcid, 0 };
    vm_set_mode(&vm, mode);
    vm.guest.registers.rdi = LOW_DATA;
    vm.guest.registers.rsi = type;
    end = l2_fetch(&vm.guest, LOW_CODE + (l2_invpcid - l2_code));
    expect("exit code", refused ? EXIT_EXCEPTION(VECTOR_GP) : EXIT_VMMCALL,
           end.exit_code);
    case_end();
}

/* L2 loads, changes its page table, invalidates, and loads again. */
static void flush_in_guest(unsigned type, uint64_t pcid)
{
    uint64_t gva, entry_gpa, entry_gva;
    struct descriptor *d;
    struct l2_end end;
    struct vm vm;

    case_begin("L2: INVPCID type %u, PCID 0x%lx: a changed entry is in force",
               type, pcid);
    d = make(&vm);
    gva = to_gva(vm.data_hpa);
    *(uint8_t *)at_hpa(vm.data_hpa) = OLD_BYTE;
    *(uint8_t *)at_hpa(vm.data_hpa + 2 * PAGE) = NEW_BYTE;
    *d = (struct descriptor) { pcid, type == ADDRESS ? gva : 0 };
    entry_gpa = tables_entry_address(&vm.guest_tables, gva, 1);
    entry_gva = to_gva(vm.data_hpa + 3 * PAGE) + entry_gpa % PAGE;
    tables_map(&vm.guest_tables, entry_gva & -PAGE, entry_gpa & -PAGE, PAGE, 1,
               LEAF);
    vm.guest.vmcb->cr4 |= pcid ? CR4_PCIDE : 0;
    vm.guest.vmcb->cr3 |= pcid;
    vm.guest.registers.r8 = to_gpa(vm.data_hpa + 2 * PAGE) | LEAF;
    vm.guest.registers.r9 = entry_gva;
    vm.guest.registers.r10 = to_gva(vm.data_hpa + PAGE);
    end = l2_run(&vm.guest, l2_load_store8_invpcid_load, gva, type);
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    expect("bytes before and after", OLD_BYTE | NEW_BYTE << 8, end.rax);
    case_end();
}

static void native(void)
{
    for (unsigned bits = 0; bits < 4; bits++) {
        for (unsigned row = 0; row < ARRAY_SIZE(operands); row++) {
            operand(row, bits & 1 ? 5 : 4, bits & 2);
        }
    }
    types(false);
    types(true);
    for (unsigned type = 0; type < TYPES; type++) {
        page_faults(type);
        flush(type, 0, false);
        flush(type, 1, false);
        flush(type, 0xfff, false);
        flush_other(type);
    }
    flush(ALL, 0, true);
    flush(ALL, 1, true);
    flush_large(0);
    flush_large(2 * MiB - 1);
}

static void guests(void)
{
    static const uint32_t intercepts[] = {
        0, INTERCEPT3_INVPCID, ~INTERCEPT3_INVPCID, ~0u,
    };

    for (unsigned i = 0; i < ARRAY_SIZE(intercepts); i++) {
        /* Which comes first, the intercept or a wrong type, is not documented. */
        unsigned end = intercepts[i] & INTERCEPT3_INVPCID ? TYPES : TYPES + 1;

        for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
            for (unsigned type = 0; type < end; type++) {
                in_guest(type, cpl, intercepts[i]);
            }
        }
    }
    for (unsigned row = 0; row < ARRAY_SIZE(operands); row++) {
        for (unsigned type = 0; type < TYPES; type++) {
            operand_in_guest(row, type, false);
            operand_in_guest(row, type, true);
        }
    }
    faults_in_guest();
    for (enum vm_mode mode = VM_64; mode <= VM_PAE; mode++) {
        in_mode(mode, ALL, 0);
        in_mode(mode, BIT(32) | ALL, 0);
        in_mode(mode, CONTEXT, 1);
    }
    for (unsigned type = 0; type < TYPES; type++) {
        flush_in_guest(type, 0);
        flush_in_guest(type, 1);
    }
}

void tests(void)
{
    feature();
    encodings();
    native();
    guests();
}
