/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a segment begins and ends: [BASE, LIMIT), to the byte; and accesses
 * that straddle an edge, where each page is decided by itself. The segments
 * lead to other pages than the page tables do, so the value loaded says which
 * of both translated an address.
 */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/vm.h"

#define SEGMENT_BYTE 0x11ull
#define TABLES_BYTE 0x22ull
#define SEGMENT_PAGES 2
/* The segment begins at the second of the pages of data. */
#define START PAGE
#define END (START + SEGMENT_PAGES * PAGE)

enum level { GUEST, VMM };

static const struct vm_shape shape = { 4, 1, 4, 1 };

/*
 * Offsets from the data's start, and how many bytes of 8 the segment
 * translates.
 */
static const struct {
    const char *name;
    uint64_t offset;
    unsigned size, by_segment;
} rows[] = {
    { "the first byte", START, 1, 1 },
    { "the last byte", END - 1, 1, 1 },
    { "the byte below", START - 1, 1, 0 },
    { "the byte above", END, 1, 0 },
    { "the middle", START + PAGE, 1, 1 },
    { "the first page", START + 0x800, 1, 1 },
    { "the last page", END - 0x800, 1, 1 },
    { "the page below", START - PAGE, 1, 0 },
    { "the page above", END + PAGE - 1, 1, 0 },
    { "the first 8 bytes", START, 8, 8 },
    { "the last 8 bytes", END - 8, 8, 8 },
    { "8 bytes below", START - 8, 8, 0 },
    { "8 bytes above", END, 8, 0 },
    { "8 bytes across two pages of it", START + PAGE - 4, 8, 8 },
    { "8 bytes across BASE, 1 inside", START - 7, 8, 1 },
    { "8 bytes across BASE, 4 inside", START - 4, 8, 4 },
    { "8 bytes across BASE, 7 inside", START - 1, 8, 7 },
    { "8 bytes across LIMIT, 7 inside", END - 7, 8, 7 },
    { "8 bytes across LIMIT, 4 inside", END - 4, 8, 4 },
    { "8 bytes across LIMIT, 1 inside", END - 1, 8, 1 },
};

/*
 * A guest with a segment in the middle of its data, that leads to pages of its
 * own.
 */
static uint64_t make(struct vm *vm, enum level level)
{
    uint64_t own;

    dseg_reset();
    vm_init(vm, &shape);
    guest_set_cpl(&vm->guest, 3);
    own = arena_pages(&vm->inside, SEGMENT_PAGES);
    __builtin_memset(at_hpa(vm->data_hpa), TABLES_BYTE, DATA_PAGES * PAGE);
    __builtin_memset(at_hpa(own), SEGMENT_BYTE, SEGMENT_PAGES * PAGE);
    if (level == GUEST) {
        set_guest_segment(&vm->guest,
                          segment(to_gva(vm->data_hpa) + START, END - START,
                                  to_gpa(own)));
    } else {
        set_vmm_segment(segment(to_gpa(vm->data_hpa) + START, END - START,
                                own));
    }
    return own;
}

/*
 * The bytes that a load finds: the segment's at one end, the tables' at the
 * other.
 */
static uint64_t value_of(unsigned row)
{
    bool segment_first = rows[row].offset >= START;
    uint64_t value = 0;

    for (unsigned i = 0; i < rows[row].size; i++) {
        bool by_segment = segment_first ? i < rows[row].by_segment
                          : i >= rows[row].size - rows[row].by_segment;

        value |= (by_segment ? SEGMENT_BYTE : TABLES_BYTE) << (8 * i);
    }
    return value;
}

static void load(unsigned row, enum level level)
{
    struct l2_end end;
    struct vm vm;

    case_begin("%s segment: a load of %s", level == GUEST ? "guest" : "VMM",
               rows[row].name);
    make(&vm, level);
    end = l2_run(&vm.guest, rows[row].size == 8 ? l2_load8 : l2_load1,
                 to_gva(vm.data_hpa) + rows[row].offset, 0);
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    expect("value", value_of(row), end.rax);
    case_end();
}

/* How many bytes of that value there are. */
static unsigned bytes_of(uint64_t hpa, uint64_t size, uint8_t value)
{
    const uint8_t *memory = at_hpa(hpa);
    unsigned found = 0;

    for (uint64_t i = 0; i < size; i++) {
        found += memory[i] == value;
    }
    return found;
}

static void store(unsigned row, enum level level)
{
    struct l2_end end;
    uint64_t own;
    struct vm vm;

    case_begin("%s segment: a store to %s", level == GUEST ? "guest" : "VMM",
               rows[row].name);
    own = make(&vm, level);
    end = l2_run(&vm.guest, rows[row].size == 8 ? l2_store8 : l2_store1,
                 to_gva(vm.data_hpa) + rows[row].offset, ~0ull);
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    expect("bytes stored through the segment", rows[row].by_segment,
           bytes_of(own, SEGMENT_PAGES * PAGE, 0xff));
    expect("bytes stored through the tables",
           rows[row].size - rows[row].by_segment,
           bytes_of(vm.data_hpa, DATA_PAGES * PAGE, 0xff));
    case_end();
}

/*
 * The second half of the access faults: nothing may have been stored, and the
 * address is that of the page's first byte.
 */
static void straddling_fault(void)
{
    struct l2_end end;
    uint64_t own;
    struct vm vm;

    case_begin("guest segment: a store across LIMIT to a page not mapped "
               "stores nothing");
    own = make(&vm, GUEST);
    *tables_entry(&vm.guest_tables, to_gva(vm.data_hpa) + END, 1) = 0;
    end = l2_run(&vm.guest, l2_store8, to_gva(vm.data_hpa) + END - 4, ~0ull);
    expect("exit code", EXIT_EXCEPTION(VECTOR_PF), end.exit_code);
    expect("error code", PF_W | PF_U, end.exit_info1);
    expect("address", to_gva(vm.data_hpa) + END, end.exit_info2);
    expect("bytes stored", 0, bytes_of(own, SEGMENT_PAGES * PAGE, 0xff));
    case_end();

    case_begin("VMM segment: a store across LIMIT to a page not mapped "
               "stores nothing");
    own = make(&vm, VMM);
    *tables_entry(&vm.nested, to_gpa(vm.data_hpa) + END, 1) = 0;
    end = l2_run(&vm.guest, l2_store8, to_gva(vm.data_hpa) + END - 4, ~0ull);
    expect("exit code", EXIT_NPF, end.exit_code);
    expect("EXITINFO1", PF_W | PF_U | NPF_FINAL, end.exit_info1);
    expect("EXITINFO2", to_gpa(vm.data_hpa) + END, end.exit_info2);
    expect("bytes stored", 0, bytes_of(own, SEGMENT_PAGES * PAGE, 0xff));
    case_end();
}

/* One access is then two walks, each of which costs what its page costs. */
static void straddling_cost(void)
{
    const uint64_t direct = SELECTOR(WALKS, GUEST_DIRECT, USER, LOAD);
    const uint64_t base = SELECTOR(WALKS, BASE, USER, LOAD);
    const uint64_t checks = SELECTOR(CHECKS, ALL_REGIMES, USER, LOAD);
    uint64_t before[3];
    struct vm vm;

    case_begin("guest segment: a load across LIMIT is a walk in each regime");
    make(&vm, GUEST);
    before[0] = counter(direct);
    before[1] = counter(base);
    before[2] = counter(checks);
    l2_run(&vm.guest, l2_load8, to_gva(vm.data_hpa) + END - 4, 0);
    expect("guest-direct walks", 1, counter(direct) - before[0]);
    expect("base walks", 1, counter(base) - before[1]);
    expect("checks", 2, counter(checks) - before[2]);
    case_end();
}

/* BASE >= LIMIT is no segment. */
static void disabled(uint64_t base, uint64_t size, enum level level)
{
    struct l2_end end;
    struct vm vm;

    case_begin("%s segment: LIMIT - BASE = -0x%lx is no segment",
               level == GUEST ? "guest" : "VMM", -size);
    make(&vm, level);
    if (level == GUEST) {
        set_guest_segment(&vm.guest, segment(to_gva(vm.data_hpa) + base, size,
                                             to_gpa(vm.data_hpa)));
    } else {
        set_vmm_segment(segment(to_gpa(vm.data_hpa) + base, size, 0));
    }
    for (uint64_t offset = 0; offset < DATA_PAGES * PAGE; offset += PAGE) {
        end = l2_run(&vm.guest, l2_load1, to_gva(vm.data_hpa) + offset, 0);
        expect("value", TABLES_BYTE, end.rax);
    }
    case_end();
}

void tests(void)
{
    for (enum level level = GUEST; level <= VMM; level++) {
        for (unsigned row = 0; row < ARRAY_SIZE(rows); row++) {
            load(row, level);
            store(row, level);
        }
        disabled(PAGE, 0, level);
        disabled(2 * PAGE, -PAGE, level);
    }
    straddling_fault();
    straddling_cost();
}
