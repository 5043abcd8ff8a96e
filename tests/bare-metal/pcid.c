/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCIDs: CR4.PCIDE, and CR3 with it (APM, volume 2, 5.5.1; Intel SDM, volume 3,
 * 4.10.1 and 4.10.4.1), in L1 and in L2.
 */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/trap.h"
#include "lib/vm.h"

/* In a GiB that L1's first tables do not map. */
#define VA (4096 * GiB)
#define GP TRAP(VECTOR_GP, 0)
#define FIRST_BYTE 0x11
#define SECOND_BYTE 0x22
#define HOST_PCID 7

static const struct vm_shape shape = { 4, 1, 4, 1 };
static uint64_t first_root, first_cr4;

/* L1 as it was at first, but for its levels. */
static void restore(void)
{
    write_cr3(first_root);
    write_cr4(read_cr4() & ~CR4_PCIDE);
}

static void begin(unsigned levels)
{
    set_levels(levels);
    first_root = read_cr3();
    first_cr4 = read_cr4();
}

static void at_first(void)
{
    case_begin("CPUID has PCID, and CR4.PCIDE is 0 after reset");
    expect("CPUID Fn0000_0001 ECX[PCID]", CPUID_1_ECX_PCID,
           cpuid(1, 0).ecx & CPUID_1_ECX_PCID);
    expect("CR4.PCIDE", 0, read_cr4() & CR4_PCIDE);
    case_end();
}

static void set_without_pcid(void)
{
    case_begin("CR4.PCIDE can be set with bits 11:0 of CR3 = 0, and cleared");
    begin(4);
    expect("set", 0, try_write_cr(4, first_cr4 | CR4_PCIDE));
    expect("CR4", first_cr4 | CR4_PCIDE, read_cr4());
    expect("CR3", first_root, read_cr3());
    expect("clear", 0, try_write_cr(4, first_cr4));
    expect("CR4", first_cr4, read_cr4());
    case_end();
}

static void set_with_bit(unsigned bit)
{
    case_begin("CR4.PCIDE can't be set with bit %u of CR3", bit);
    begin(4);
    write_cr3(first_root | BIT(bit));
    expect("set", GP, try_write_cr(4, first_cr4 | CR4_PCIDE));
    expect("CR4", first_cr4, read_cr4());
    expect("CR3", first_root | BIT(bit), read_cr3());
    restore();
    case_end();
}

static void keep_and_clear_with_pcid(void)
{
    case_begin("with a PCID, CR4.PCIDE can stay and be cleared; CR3 is as "
               "before");
    begin(4);
    write_cr4(first_cr4 | CR4_PCIDE);
    write_cr3(first_root | CR3_PCID);
    expect("set again", 0, try_write_cr(4, read_cr4()));
    expect("another bit", 0, try_write_cr(4, read_cr4() ^ CR4_PGE));
    expect("clear", 0, try_write_cr(4, first_cr4));
    expect("CR4", first_cr4, read_cr4());
    expect("CR3", first_root | CR3_PCID, read_cr3());
    restore();
    case_end();
}

static void paging_stays(void)
{
    uint64_t cr0 = read_cr0();

    case_begin("CR0.PG can't be cleared with CR4.PCIDE, other bits can");
    begin(4);
    write_cr4(first_cr4 | CR4_PCIDE);
    expect("CR0.PG", GP, try_write_cr(0, cr0 & ~CR0_PG));
    expect("CR0", cr0, read_cr0());
    expect("EFER.LMA", EFER_LMA, read_msr(MSR_EFER) & EFER_LMA);
    expect("CR0.WP", 0, try_write_cr(0, cr0 & ~CR0_WP));
    expect("CR0", cr0 & ~CR0_WP, read_cr0());
    write_cr0(cr0);
    restore();
    case_end();
}

/* What MOV to CR3 does with bits that are added to the root. */
static const struct {
    uint64_t bits, with_pcide, without;
} values[] = {
    { 0, 0, 0 },
    { 1, 0, 0 },
    { BIT(3) | BIT(4), 0, 0 },
    { CR3_PCID, 0, 0 },
    { CR3_NO_FLUSH, 0, GP },
    { CR3_NO_FLUSH | 1, 0, GP },
    { CR3_NO_FLUSH | CR3_PCID, 0, GP },
    { PHYSICAL_END, GP, GP },
    { BIT(51), GP, GP },
    { BIT(52), GP, GP },
    { BIT(62), GP, GP },
    { CR3_NO_FLUSH | BIT(62), GP, GP },
    { CR3_NO_FLUSH | PHYSICAL_END, GP, GP },
};

static void value(unsigned row, bool pcide)
{
    uint64_t wanted = pcide ? values[row].with_pcide : values[row].without;
    uint64_t stored = values[row].bits & ~CR3_NO_FLUSH;

    case_begin("CR4.PCIDE=%d: CR3 %s bits 0x%lx", pcide,
               wanted ? "refuses" : "takes", values[row].bits);
    begin(4);
    write_cr4(first_cr4 | (pcide ? CR4_PCIDE : 0));
    expect("write", wanted, try_write_cr(3, first_root | values[row].bits));
    expect("CR3", first_root | (wanted ? 0 : stored), read_cr3());
    restore();
    case_end();
}

/* Two address spaces that map VA: to a first and to a second page. */
struct spaces {
    struct arena arena;
    struct tables a, b;
    uint64_t first, second;
};

static void make_spaces(struct spaces *s, unsigned levels)
{
    begin(levels);
    s->arena = (struct arena) { MEMORY_START, MEMORY_END };
    s->first = arena_page(&s->arena);
    s->second = arena_page(&s->arena);
    *(uint8_t *)at_hpa(s->first) = FIRST_BYTE;
    *(uint8_t *)at_hpa(s->second) = SECOND_BYTE;
    tables_init_own(&s->a, levels, &s->arena);
    tables_init_own(&s->b, levels, &s->arena);
    tables_map(&s->a, VA, s->first, PAGE, 1, PTE_P | PTE_W);
    tables_map(&s->b, VA, s->second, PAGE, 1, PTE_P | PTE_W);
}

static uint8_t loaded(void)
{
    uint8_t byte = 0;

    expect("load", 0, try_load(VA, &byte));
    return byte;
}

static void walks_ignore_pcid(unsigned levels, uint64_t pcid, bool keep)
{
    uint64_t bits = pcid | (keep ? CR3_NO_FLUSH : 0);
    struct spaces s;

    case_begin("%u levels, bit 63=%d: each address space has its own pages, "
               "with PCIDs 0 and 0x%lx", levels, keep, pcid);
    make_spaces(&s, levels);
    write_cr4(first_cr4 | CR4_PCIDE);
    for (unsigned round = 0; round < 2; round++) {
        write_cr3(s.a.root | bits);
        expect("in the first", FIRST_BYTE, loaded());
        write_cr3(s.b.root | (bits & ~CR3_PCID));
        expect("in the second", SECOND_BYTE, loaded());
    }
    restore();
    case_end();
}

/* What has to remove a translation of PCID 1 that is not global. */
static const char *const flushes[] = {
    "MOV to CR3 without bit 63", "MOV to CR3, to PCID 2 and back",
    "CR4.PCIDE cleared", "CR4.PGE changed",
};

static void flush(unsigned which)
{
    struct spaces s;

    case_begin("with PCIDs, %s removes the translation", flushes[which]);
    make_spaces(&s, 4);
    write_cr4(first_cr4 | CR4_PCIDE);
    write_cr3(s.a.root | 1);
    expect("before", FIRST_BYTE, loaded());
    tables_map(&s.a, VA, s.second, PAGE, 1, PTE_P | PTE_W);
    switch (which) {
    case 0:
        write_cr3(s.a.root | 1);
        break;
    case 1:
        write_cr3(s.b.root | 2);
        write_cr3(s.a.root | 1);
        break;
    case 2:
        write_cr4(first_cr4);
        break;
    default:
        write_cr4(read_cr4() ^ CR4_PGE);
    }
    expect("after", SECOND_BYTE, loaded());
    restore();
    write_cr4(first_cr4);
    case_end();
}

/* What L2 writes into a control register, and what it has before. */
static const struct {
    const char *name, *snippet;
    bool pcide;
    uint64_t pcid, value;       /* added to the root for CR3 */
    bool refused;
} rows[] = {
    { "CR4.PCIDE set, PCID 0", l2_write_cr4, false, 0,
      CR4_PAE | CR4_PCIDE, false },
    { "CR4.PCIDE set, bit 0 of CR3", l2_write_cr4, false, 1,
      CR4_PAE | CR4_PCIDE, true },
    { "CR4.PCIDE set, bit 11 of CR3", l2_write_cr4, false, BIT(11),
      CR4_PAE | CR4_PCIDE, true },
    { "CR4.PCIDE kept, PCID 1", l2_write_cr4, true, 1,
      CR4_PAE | CR4_PCIDE, false },
    { "CR4.PCIDE cleared, PCID 1", l2_write_cr4, true, 1, CR4_PAE, false },
    { "CR0.PG cleared", l2_write_cr0, true, 0, 0x33, true },
    { "CR0.WP cleared", l2_write_cr0, true, 0, 0x80000033, false },
    { "CR3 with PCID", l2_write_cr3, true, 1, CR3_PCID, false },
    { "CR3 with bit 63", l2_write_cr3, true, 1, CR3_NO_FLUSH | 2, false },
    { "CR3 with bit 63, no PCIDs", l2_write_cr3, false, 1, CR3_NO_FLUSH, true },
    { "CR3 with bit 62", l2_write_cr3, true, 1, BIT(62), true },
};

/* Each kind of L1: without PCIDs, or with them and a PCID. */
static void begin_host(bool pcide)
{
    begin(4);
    if (pcide) {
        write_cr4(first_cr4 | CR4_PCIDE);
        write_cr3(first_root | HOST_PCID);
    }
}

static void end_host(bool pcide)
{
    expect("CR3 of L1", first_root | (pcide ? HOST_PCID : 0), read_cr3());
    expect("CR4 of L1", first_cr4 | (pcide ? CR4_PCIDE : 0), read_cr4());
    restore();
}

static void in_guest(unsigned row, bool host_pcide)
{
    uint64_t wanted = rows[row].value & ~CR3_NO_FLUSH;
    struct vmcb *vmcb;
    struct l2_end end;
    uint64_t root;
    struct vm vm;

    case_begin("L2, CR4.PCIDE=%d, L1 %d: %s %s", rows[row].pcide, host_pcide,
               rows[row].name, rows[row].refused ? "is refused" : "works");
    begin_host(host_pcide);
    vm_init(&vm, &shape);
    vmcb = vm.guest.vmcb;
    root = rows[row].snippet == l2_write_cr3 ? vmcb->cr3 : 0;
    vmcb->cr4 |= rows[row].pcide ? CR4_PCIDE : 0;
    vmcb->cr3 |= rows[row].pcid;
    end = l2_run(&vm.guest, rows[row].snippet, root | rows[row].value, 0);
    if (rows[row].refused) {
        expect("exit code", EXIT_EXCEPTION(VECTOR_GP), end.exit_code);
        expect("error code", 0, end.exit_info1);
    } else {
        expect("exit code", EXIT_VMMCALL, end.exit_code);
        expect("value then", root | wanted,
               rows[row].snippet == l2_write_cr0 ? vmcb->cr0 :
               rows[row].snippet == l2_write_cr3 ? vmcb->cr3 : vmcb->cr4);
    }
    end_host(host_pcide);
    case_end();
}

static void in_mode(enum vm_mode mode)
{
    bool refused = mode == VM_PAE;
    struct l2_end end;
    struct vm vm;

    case_begin("CR4.PCIDE can%s be set in %s", refused ? "'t" : "",
               vm_mode_names[mode]);
    vm_init(&vm, &shape);
    vm_set_mode(&vm, mode);
    vm.guest.registers.rdi = CR4_PAE | CR4_PCIDE;
    end = l2_fetch(&vm.guest, LOW_CODE + (l2_write_cr4 - l2_code));
    expect("exit code", refused ? EXIT_EXCEPTION(VECTOR_GP) : EXIT_VMMCALL,
           end.exit_code);
    expect("CR4 then", CR4_PAE | (refused ? 0 : CR4_PCIDE), vm.guest.vmcb->cr4);
    case_end();
}

static void vmrun(uint64_t bits, bool pcide, bool host_pcide)
{
    bool fails = bits & ~CR3_PCID;
    struct l2_end end;
    struct vm vm;

    case_begin("VMRUN with CR4.PCIDE=%d, L1 %d, and bits 0x%lx in CR3 %s",
               pcide, host_pcide, bits, fails ? "fails" : "works");
    begin_host(host_pcide);
    vm_init(&vm, &shape);
    vm.guest.vmcb->cr4 |= pcide ? CR4_PCIDE : 0;
    vm.guest.vmcb->cr3 |= bits;
    end = l2_run(&vm.guest, l2_load1, to_gva(vm.data_hpa), 0);
    expect("exit code", fails ? EXIT_INVALID : EXIT_VMMCALL, end.exit_code);
    if (!fails) {
        expect("value", DATA_BYTE, end.rax);
    }
    end_host(host_pcide);
    case_end();
}

static void guests(bool host_pcide)
{
    for (unsigned row = 0; row < ARRAY_SIZE(rows); row++) {
        in_guest(row, host_pcide);
    }
    for (unsigned pcide = 0; pcide < 2; pcide++) {
        vmrun(0, pcide, host_pcide);
        vmrun(CR3_PCID, pcide, host_pcide);
        vmrun(CR3_NO_FLUSH, pcide, host_pcide);
    }
}

void tests(void)
{
    at_first();
    set_without_pcid();
    for (unsigned bit = 0; bit < 12; bit++) {
        set_with_bit(bit);
    }
    keep_and_clear_with_pcid();
    paging_stays();
    for (unsigned row = 0; row < ARRAY_SIZE(values); row++) {
        value(row, false);
        value(row, true);
    }
    for (unsigned levels = 4; levels <= 5; levels++) {
        for (unsigned keep = 0; keep < 2; keep++) {
            walks_ignore_pcid(levels, 1, keep);
            walks_ignore_pcid(levels, CR3_PCID, keep);
        }
    }
    for (unsigned which = 0; which < ARRAY_SIZE(flushes); which++) {
        flush(which);
    }
    guests(false);
    guests(true);
    for (enum vm_mode mode = VM_64; mode <= VM_PAE; mode++) {
        in_mode(mode);
    }
}
