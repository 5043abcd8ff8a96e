/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest segment outside virtualization, where it leads from virtual to
 * physical addresses: L1's own, and what its walks cost. And that a VMM segment
 * is not in force there, nor in a guest without nested paging.
 */
#include "lib/cpu.h"
#include "lib/invariants.h"
#include "lib/tap.h"
#include "lib/trap.h"
#include "lib/vm.h"

/* In a GiB that L1's first tables do not map. */
#define VA (4096 * GiB)
#define TABLES_BYTE 0x22
#define SEGMENT_BYTE 0x11
#define RET 0xc3

enum segment_is { NONE, ELSEWHERE, HIT };

static const char *const segment_names[] = {
    [NONE] = "no segment", [ELSEWHERE] = "a segment elsewhere",
    [HIT] = "a segment",
};
static struct arena arena;
/* Two pages each, in one and the same GiB, which VA maps in a linear way. */
static uint64_t tables_data, segment_data, first_root;

/* Have L1 use tables of its own, that map VA by pages of that level. */
static void use_tables(unsigned levels, unsigned leaf)
{
    struct tables tables;

    dseg_reset();
    set_levels(levels);
    first_root = read_cr3();
    arena = (struct arena) { MEMORY_START, MEMORY_END };
    tables_init_own(&tables, levels, &arena);
    tables_data = arena_pages(&arena, 2);
    segment_data = arena_pages(&arena, 2);
    __builtin_memset(at_hpa(tables_data), TABLES_BYTE, 2 * PAGE);
    __builtin_memset(at_hpa(segment_data), SEGMENT_BYTE, 2 * PAGE);
    for (uint64_t hpa = tables_data & -level_size(leaf);
         hpa < tables_data + 2 * PAGE; hpa += level_size(leaf)) {
        *tables_entry(&tables, VA + hpa, leaf) =
            hpa | PTE_P | PTE_W | PTE_A | PTE_D | (leaf > 1 ? PTE_PS : 0);
    }
    write_cr3(tables.root);
}

static void restore_tables(void)
{
    dseg_reset();
    write_cr3(first_root);
}

static void access_once(enum access access, uint64_t address)
{
    uint8_t byte = 0;

    switch (access) {
    case LOAD:
        expect("load", 0, try_load(address, &byte));
        break;
    case STORE:
        expect("store", 0, try_store(address, STORED_BYTE));
        break;
    default:
        expect("call", 0, try_call(address));
    }
}

static void cost_of(unsigned levels, unsigned leaf, enum segment_is is,
                    enum access access)
{
    unsigned g = levels + 1 - leaf;
    const struct cost cost = {
        is == HIT ? NATIVE_DIRECT : NATIVE, is == HIT ? 0 : g, 0, is != NONE, 0,
        0, 0,
    };
    struct costs before;
    uint64_t address;

    case_begin("%u levels, leaf %u, %s: a %s costs %u references", levels, leaf,
               segment_names[is], dseg_access_names[access], cost.guest_refs);
    use_tables(levels, leaf);
    write_msr(MSR_EFER, read_msr(MSR_EFER) & ~EFER_NXE);
    address = VA + tables_data;
    *(uint8_t *)at_hpa(tables_data + PAGE) = RET;
    *(uint8_t *)at_hpa(segment_data) = RET;
    *(uint8_t *)at_hpa(tables_data) = RET;
    if (is != NONE) {
        uint64_t at = is == HIT ? address : address + GiB;

        set_own_segment(segment(at, PAGE, segment_data));
    }
    /* The second time, L1's own pages are in the TLB: then it is one walk. */
    access_once(access, address + PAGE);
    before = costs_now(KERNEL, access);
    before = costs_now(KERNEL, access);
    access_once(access, address);
    expect_cost(&before, &cost);
    write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_NXE);
    restore_tables();
    case_end();
}

static void edges(void)
{
    static const struct {
        const char *name;
        uint64_t offset;
        uint8_t value;
    } rows[] = {
        { "the first byte", PAGE, SEGMENT_BYTE },
        { "the last byte", 2 * PAGE - 1, SEGMENT_BYTE },
        { "the byte below", PAGE - 1, TABLES_BYTE },
    };
    uint8_t value;

    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        case_begin("L1's own segment: a load of %s", rows[i].name);
        use_tables(4, 1);
        set_own_segment(segment(VA + tables_data + PAGE, PAGE, segment_data));
        expect("load", 0, try_load(VA + tables_data + rows[i].offset, &value));
        expect("value", rows[i].value, value);
        restore_tables();
        case_end();
    }
    case_begin("L1's own segment: the byte above is not in it");
    use_tables(4, 1);
    set_own_segment(segment(VA + tables_data + PAGE, PAGE, segment_data));
    expect("load", TRAP(VECTOR_PF, 0),
           try_load(VA + tables_data + 2 * PAGE, &value));
    restore_tables();
    case_end();
}

/*
 * A segment may be where nothing is mapped, up to the last canonical addresses.
 */
static void anywhere(unsigned levels, uint64_t start)
{
    uint8_t value = 0;

    case_begin("L1's own segment at 0x%lx, where no tables lead", start);
    use_tables(levels, 1);
    set_own_segment(segment(start, PAGE, segment_data));
    expect("load", 0, try_load(start + 0xabc, &value));
    expect("value", SEGMENT_BYTE, value);
    expect("store", 0, try_store(start + 0xabc, STORED_BYTE));
    expect("value stored", STORED_BYTE,
           *(uint8_t *)at_hpa(segment_data + 0xabc));
    restore_tables();
    case_end();
}

static void fetch_has_nx(void)
{
    uint64_t address;

    case_begin("L1's own segment: a fetch is #PF, as EFER.NXE is 1");
    use_tables(4, 1);
    address = VA + tables_data;
    set_own_segment(segment(address, PAGE, segment_data));
    expect("exception", TRAP(VECTOR_PF, PF_P | PF_I), try_call(address));
    expect("CR2", address, read_cr2());
    restore_tables();
    case_end();
}

static void vmm_segment_not_in_force(void)
{
    struct costs before;
    const struct cost cost = { NATIVE, 4, 0, 0, 0, 0, 0 };
    uint8_t value;

    case_begin("a VMM segment is not in force in L1");
    use_tables(4, 1);
    set_vmm_segment(segment(tables_data, 2 * PAGE, segment_data));
    expect("load", 0, try_load(VA + tables_data + PAGE, &value));
    before = costs_now(KERNEL, LOAD);
    before = costs_now(KERNEL, LOAD);
    expect("load", 0, try_load(VA + tables_data, &value));
    expect_cost(&before, &cost);
    expect("value", TABLES_BYTE, value);
    restore_tables();
    case_end();
}

/* Without nested paging, a guest's tables lead to hPAs. */
static void guest_without_nested_paging(enum segment_is is, bool vmm_segment)
{
    const struct cost cost = {
        is == HIT ? NATIVE_DIRECT : NATIVE, is == HIT ? 0 : 4, 0, is != NONE, 0,
        0, 0,
    };
    struct arena host = { HOST_START, MEMORY_END };
    uint64_t data = arena_page(&host), other = arena_page(&host);
    uint64_t gva = to_gva(data);
    struct tables tables;
    struct costs before;
    struct l2_end end;
    struct vm vm;

    case_begin("a guest without nested paging, %s, VMM segment=%d",
               segment_names[is], vmm_segment);
    dseg_reset();
    set_levels(4);
    *(uint8_t *)at_hpa(data) = TABLES_BYTE;
    *(uint8_t *)at_hpa(other) = SEGMENT_BYTE;
    tables_init(&tables, 4, 0, &host);
    tables_map(&tables, gva, data, PAGE, 1, PTE_P | PTE_U | PTE_A);
    l2_map_code(&tables);
    guest_init(&vm.guest, at_hpa(arena_page(&host)), &tables, NULL);
    guest_set_cpl(&vm.guest, 3);
    if (is != NONE) {
        set_guest_segment(&vm.guest, segment(is == HIT ? gva : gva + PAGE, PAGE,
                                             other));
    }
    if (vmm_segment) {
        set_vmm_segment(segment(0, GiB, MEMORY_START));
    }
    before = costs_now(USER, LOAD);
    end = l2_run(&vm.guest, l2_load1, gva, 0);
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    expect("value", is == HIT ? SEGMENT_BYTE : TABLES_BYTE, end.rax);
    expect_cost(&before, &cost);
    case_end();
}

void tests(void)
{
    for (unsigned levels = 4; levels <= 5; levels++) {
        for (unsigned leaf = 1; leaf <= 3; leaf++) {
            for (enum segment_is is = NONE; is <= HIT; is++) {
                for (enum access access = LOAD; access <= FETCH; access++) {
                    cost_of(levels, leaf, is, access);
                }
            }
        }
    }
    edges();
    anywhere(4, 0x7fffffffe000);
    anywhere(4, 0xffff800000000000);
    anywhere(4, 0xffffffffffffe000);
    anywhere(5, 0x0000800000000000);
    anywhere(5, 0x00ffffffffffe000);
    anywhere(5, 0xff00000000000000);
    fetch_has_nx();
    vmm_segment_not_in_force();
    for (enum segment_is is = NONE; is <= HIT; is++) {
        guest_without_nested_paging(is, false);
        guest_without_nested_paging(is, true);
    }
    check_invariants();
}
