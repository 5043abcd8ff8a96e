/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bad frames without machine checks (docs/spec/bad-frames.rst): the registers,
 * garbage, lost writes, and exact counts of whatever accesses them.
 */
#include "lib/bad-frames.h"
#include "lib/cpu.h"
#include "lib/pci.h"
#include "lib/smp.h"
#include "lib/tap.h"
#include "lib/trap.h"
#include "lib/vm.h"

#define QUADWORDS (PAGE / 8)
#define RET 0xc3
/* In a GiB that L1's first tables do not map. */
#define VA (4096 * GiB)
#define LEAF_FLAGS (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)
#define TABLE_FLAGS (PTE_P | PTE_W | PTE_U | PTE_A)
#define RESERVED (BIT(52) - PHYSICAL_END)

static const struct vm_shape shape = { 4, 1, 4, 1 };
static const uint64_t frames[] = { BAD_FRAME, OTHER_BAD_FRAME, LEAF_FRAME };

/* What a quadword reads as where zeros were before. */
static uint64_t garbage_over_zeros(uint64_t hpa)
{
    uint64_t value = garbage(hpa);

    for (unsigned shift = 0; shift < 64; shift += 8) {
        if (!(value >> shift & 0xff)) {
            value |= 0xffull << shift;
        }
    }
    return value;
}

/* First of all, while nothing has accessed the frames. */
static void registers_at_first(void)
{
    uint64_t found = 0;

    case_begin("the registers say which frames are bad");
    expect("ID", DSEG_BAD_ID_VALUE, bad_frames_read32(DSEG_BAD_ID));
    expect("VERSION", DSEG_BAD_VERSION_VALUE,
           bad_frames_read32(DSEG_BAD_VERSION));
    expect("ID and VERSION at once",
           DSEG_BAD_ID_VALUE | (uint64_t)DSEG_BAD_VERSION_VALUE << 32,
           bad_frames_read64(DSEG_BAD_ID));
    expect("CAPACITY", 64, bad_frames_read32(DSEG_BAD_CAPACITY));
    expect("COUNT", ARRAY_SIZE(frames), bad_frames_read32(DSEG_BAD_COUNT));
    expect("GENERATION", 1, bad_frames_read32(DSEG_BAD_GENERATION));
    expect("STATUS", 0, bad_frames_read32(DSEG_BAD_STATUS));
    expect("INTERRUPT", 0, bad_frames_read32(DSEG_BAD_INTERRUPT));
    expect("FEATURES", 0, bad_frames_read32(DSEG_BAD_FEATURES));
    expect("READS", 0, bad_frames_read64(DSEG_BAD_READS));
    expect("WRITES", 0, bad_frames_read64(DSEG_BAD_WRITES));
    for (unsigned i = 0; i < 64; i++) {
        uint64_t address = bad_frames_read64(DSEG_BAD_ADDRESS(i));

        for (unsigned j = 0; j < ARRAY_SIZE(frames); j++) {
            found |= address == frames[j] ? BIT(j) : 0;
        }
        if (i >= ARRAY_SIZE(frames)) {
            expect("ADDRESS behind the last", 0, address);
        }
        expect("READS of a frame", 0,
               bad_frames_read64(DSEG_BAD_FRAME_READS(i)));
        expect("WRITES of a frame", 0,
               bad_frames_read64(DSEG_BAD_FRAME_WRITES(i)));
    }
    expect("frames found", BIT(ARRAY_SIZE(frames)) - 1, found);
    case_end();
}

static void registers_that_can_be_written(void)
{
    case_begin("of the registers, only bit 0 of INTERRUPT can be set");
    for (unsigned offset = 0; offset < PAGE; offset += 4) {
        uint32_t before = bad_frames_read32(offset);

        bad_frames_write32(offset, ~0u);
        expect("value", offset == DSEG_BAD_INTERRUPT ? 1 : before,
               bad_frames_read32(offset));
    }
    bad_frames_write32(DSEG_BAD_INTERRUPT, 0);
    expect("INTERRUPT", 0, bad_frames_read32(DSEG_BAD_INTERRUPT));
    case_end();
}

/* The RAM was all zeros when the frame went bad. */
static void reads_give_garbage(void)
{
    const volatile uint64_t *data = at_hpa(BAD_FRAME);
    struct accesses before = accesses_of(BAD_FRAME);

    case_begin("each quadword reads as garbage, twice the same, no byte as it "
               "was");
    for (unsigned i = 0; i < QUADWORDS; i++) {
        uint64_t expected = garbage_over_zeros(BAD_FRAME + 8 * i);

        expect("quadword", expected, data[i]);
        expect("the same again", expected, data[i]);
    }
    expect_accesses(BAD_FRAME, before, 2 * QUADWORDS, 0);
    case_end();
}

static void writes_are_lost(void)
{
    volatile uint64_t *data = at_hpa(BAD_FRAME + 0x100);
    uint64_t right = garbage(BAD_FRAME + 0x100);
    struct accesses before = accesses_of(BAD_FRAME);

    case_begin("what is written is lost, and no byte reads as it was written");
    *data = ~right;
    expect("after the complement of the garbage", right, *data);
    *data = ~right ^ 0x1111111111111111;
    expect("after something else", right, *data);
    *data = right;
    expect("after the garbage itself", ~right, *data);
    *(volatile uint16_t *)data = ~right;
    expect("after 2 bytes of something else", ~right ^ 0xffff, *data);
    expect_accesses(BAD_FRAME, before, 4, 4);
    case_end();
}

#define COUNT_SIZE(type)                                                \
    do {                                                                \
        volatile type *data_ = at_hpa(BAD_FRAME + 0x200);               \
        struct accesses before_ = accesses_of(BAD_FRAME);               \
        struct accesses other_ = accesses_of(OTHER_BAD_FRAME);          \
                                                                        \
        (void)*data_;                                                   \
        expect_accesses(BAD_FRAME, before_, 1, 0);                      \
        *data_ = 0;                                                     \
        expect_accesses(BAD_FRAME, before_, 1, 1);                      \
        expect_accesses(OTHER_BAD_FRAME, other_, 0, 0);                 \
    } while (0)

static void loads_and_stores_are_counted(void)
{
    struct accesses before;
    uint64_t reads = bad_frames_read64(DSEG_BAD_READS);
    uint64_t writes = bad_frames_read64(DSEG_BAD_WRITES);

    case_begin("a load is one read and a store one write, of 1, 2, 4, 8 bytes");
    COUNT_SIZE(uint8_t);
    COUNT_SIZE(uint16_t);
    COUNT_SIZE(uint32_t);
    COUNT_SIZE(uint64_t);
    expect("READS in all", 4, bad_frames_read64(DSEG_BAD_READS) - reads);
    expect("WRITES in all", 4, bad_frames_read64(DSEG_BAD_WRITES) - writes);
    case_end();

    case_begin("8 bytes at a multiple of 4 are two accesses");
    before = accesses_of(BAD_FRAME);
    (void)*(volatile uint64_t *)at_hpa(BAD_FRAME + 0x204);
    expect_accesses(BAD_FRAME, before, 2, 0);
    case_end();

    case_begin("a locked instruction is one read and one write");
    before = accesses_of(BAD_FRAME);
    __atomic_fetch_add((uint64_t *)at_hpa(BAD_FRAME + 0x200), 1,
                       __ATOMIC_SEQ_CST);
    expect_accesses(BAD_FRAME, before, 1, 1);
    case_end();
}

static void frames_beside_it_are_good(void)
{
    volatile uint64_t *across = at_hpa(BAD_FRAME + PAGE - 4);
    volatile uint64_t *below = at_hpa(BAD_FRAME - 8);
    volatile uint64_t *above = at_hpa(BAD_FRAME + PAGE);
    struct accesses before = accesses_of(BAD_FRAME);

    case_begin("the frames beside a bad one are good");
    *below = 0x1122334455667788;
    *above = 0x99aabbccddeeff00;
    expect("below", 0x1122334455667788, *below);
    expect("above", 0x99aabbccddeeff00, *above);
    expect_accesses(BAD_FRAME, before, 0, 0);
    expect("across the end", garbage_over_zeros(BAD_FRAME + PAGE - 8) >> 32 |
           0xddeeff0000000000, *across);
    expect_accesses(BAD_FRAME, before, 1, 0);
    case_end();
}

/* The hPA of such a byte in a bad frame. */
static uint64_t find_byte(uint8_t byte)
{
    const volatile uint8_t *data = at_hpa(OTHER_BAD_FRAME);
    unsigned i = 0;

    while (data[i] != byte) {
        i++;
    }
    return OTHER_BAD_FRAME + i;
}

static void fetches_are_counted(void)
{
    uint64_t code = find_byte(RET);
    struct accesses before = accesses_of(OTHER_BAD_FRAME);

    case_begin("garbage is executed; each byte that is decoded is a read");
    expect("call", 0, try_call(code));
    expect_accesses(OTHER_BAD_FRAME, before, 1, 0);
    expect("call once more", 0, try_call(code));
    expect_accesses(OTHER_BAD_FRAME, before, 2, 0);
    case_end();
}

/* The error code that an entry that does not work adds to a fault. */
static uint64_t fault_of(uint64_t entry)
{
    return !(entry & PTE_P) ? 0 : entry & RESERVED ? PF_P | PF_RSVD : ~0ull;
}

/* A table of that level is bad; the entry with that index is used. */
static void native_walk(unsigned level, unsigned index)
{
    uint64_t first_root = read_cr3(), entry_hpa = BAD_FRAME + 8 * index;
    uint64_t address = VA + index * level_size(level);
    struct arena arena = { MEMORY_START, MEMORY_END };
    struct accesses before;
    struct tables tables;
    uint8_t byte;

    lose_quadword(entry_hpa);
    case_begin("a walk reads entry %u of a bad table of level %u once", index,
               level);
    tables_init(&tables, 4, 0, &arena);
    *tables_entry(&tables, 0, 4) = *(uint64_t *)at_hpa(first_root);
    *tables_entry(&tables, VA, level + 1) = BAD_FRAME | TABLE_FLAGS;
    write_cr3(tables.root);
    before = accesses_of(BAD_FRAME);
    expect("load", TRAP(VECTOR_PF, fault_of(garbage(entry_hpa))),
           try_load(address, &byte));
    expect("CR2", address, read_cr2());
    expect_accesses(BAD_FRAME, before, 1, 0);
    write_cr3(first_root);
    case_end();
}

/* Where it leads to there is nothing, which is no fault. */
static void accessed_bit_is_lost(void)
{
    uint64_t first_root = read_cr3(), entry_hpa = LEAF_FRAME + 8 * LEAF_INDEX;
    struct arena arena = { MEMORY_START, MEMORY_END };
    struct accesses before;
    struct tables tables;
    uint8_t byte;

    lose_quadword(entry_hpa);
    case_begin("setting an accessed bit reads and writes the bad table");
    tables_init(&tables, 4, 0, &arena);
    *tables_entry(&tables, 0, 4) = *(uint64_t *)at_hpa(first_root);
    *tables_entry(&tables, VA, 2) = LEAF_FRAME | TABLE_FLAGS;
    write_cr3(tables.root);
    before = accesses_of(LEAF_FRAME);
    expect("load", 0, try_load(VA + LEAF_INDEX * PAGE, &byte));
    expect_accesses(LEAF_FRAME, before, 2, 1);
    write_cr3(first_root);
    expect("bit A of the entry then", 0,
           *(volatile uint64_t *)at_hpa(entry_hpa) & PTE_A);
    case_end();
}

static void nested_walk(unsigned level, unsigned index)
{
    uint64_t gpa = FAR_GPA + (index & 1) * level_size(level);
    uint64_t entry_hpa = BAD_FRAME + 8 * index;
    struct accesses before;
    struct l2_end end;
    struct vm vm;

    lose_quadword(entry_hpa);
    case_begin("a nested walk reads entry %u of a bad nested table of level %u "
               "once", index, level);
    vm_init(&vm, &shape);
    vm_move_page(&vm, 0, gpa);
    *tables_entry(&vm.nested, gpa, level + 1) = BAD_FRAME | TABLE_FLAGS;
    before = accesses_of(BAD_FRAME);
    end = vm_access(&vm, LOAD, to_gva(vm.data_hpa));
    expect("exit code", EXIT_NPF, end.exit_code);
    expect("EXITINFO1", fault_of(garbage(entry_hpa)) | PF_U | NPF_FINAL,
           end.exit_info1);
    expect("EXITINFO2", gpa, end.exit_info2);
    expect_accesses(BAD_FRAME, before, 1, 0);
    case_end();
}

/* Which of the bad table's entries that is follows from the address. */
static void guest_walk(unsigned level, unsigned page)
{
    struct accesses before;
    uint64_t gva, entry_hpa;
    struct l2_end end;
    struct vm vm;

    vm_init(&vm, &shape);
    gva = to_gva(vm.data_hpa) + page * PAGE;
    entry_hpa = BAD_FRAME + gva / level_size(level) % 512 * 8;
    lose_quadword(entry_hpa);
    case_begin("a guest's walk for page %u reads its bad table of level %u "
               "once", page, level);
    *tables_entry(&vm.nested, vm_page_gpa(&vm, level), 1) = BAD_FRAME |
                                                            LEAF_FLAGS;
    before = accesses_of(BAD_FRAME);
    end = vm_access(&vm, LOAD, gva);
    expect("exit code", EXIT_EXCEPTION(VECTOR_PF), end.exit_code);
    expect("error code", fault_of(garbage(entry_hpa)), end.exit_info1);
    expect("address", gva, end.exit_info2);
    expect_accesses(BAD_FRAME, before, 1, 0);
    case_end();
}

static void guest_data(void)
{
    struct accesses before;
    struct l2_end end;
    uint64_t gva;
    struct vm vm;

    case_begin("a guest's load and store of a bad frame are counted");
    vm_init(&vm, &shape);
    gva = to_gva(vm.data_hpa);
    lose_quadword(BAD_FRAME);
    *tables_entry(&vm.nested, to_gpa(vm.data_hpa), 1) = BAD_FRAME | LEAF_FLAGS;
    before = accesses_of(BAD_FRAME);
    end = l2_run(&vm.guest, l2_load8, gva, 0);
    expect("exit code of the load", EXIT_VMMCALL, end.exit_code);
    expect("value", garbage(BAD_FRAME), end.rax);
    expect_accesses(BAD_FRAME, before, 1, 0);
    end = l2_run(&vm.guest, l2_store8, gva, STORED_BYTE);
    expect("exit code of the store", EXIT_VMMCALL, end.exit_code);
    expect_accesses(BAD_FRAME, before, 1, 1);
    case_end();
}

/* What the escape filter is for. */
static void escaped_page(void)
{
    struct accesses before;
    struct l2_end end;
    uint64_t gva, gpa;
    struct vm vm;

    case_begin("in the VMM segment a bad frame does damage, escaped none");
    dseg_reset();
    vm_init(&vm, &shape);
    gva = to_gva(vm.data_hpa);
    gpa = to_gpa(vm.data_hpa);
    lose_quadword(BAD_FRAME);
    set_vmm_segment(segment(gpa, PAGE, BAD_FRAME));
    before = accesses_of(BAD_FRAME);
    end = l2_run(&vm.guest, l2_load8, gva, 0);
    expect("value without the filter", garbage(BAD_FRAME), end.rax);
    expect_accesses(BAD_FRAME, before, 1, 0);
    filter_add(gpa);
    end = l2_run(&vm.guest, l2_load8, gva, 0);
    expect("value with the filter", 0x0101010101010101 * DATA_BYTE, end.rax);
    expect_accesses(BAD_FRAME, before, 1, 0);
    dseg_reset();
    case_end();
}

static void devices_are_counted(void)
{
    struct accesses before = accesses_of(BAD_FRAME);

    case_begin("4 bytes that a device writes are one write");
    write_by_dma(BAD_FRAME);
    expect_accesses(BAD_FRAME, before, 0, 1);
    case_end();
}

static uint64_t seen_by_second;

static void load_on_second(void)
{
    seen_by_second = *(volatile uint64_t *)at_hpa(BAD_FRAME);
}

static void second_cpu(void)
{
    struct accesses before;

    case_begin("another CPU sees the same garbage");
    lose_quadword(BAD_FRAME);
    before = accesses_of(BAD_FRAME);
    smp_start();
    smp_run(load_on_second);
    smp_wait();
    expect("value", garbage(BAD_FRAME), seen_by_second);
    expect_accesses(BAD_FRAME, before, 1, 0);
    case_end();
}

void tests(void)
{
    registers_at_first();
    registers_that_can_be_written();
    reads_give_garbage();
    writes_are_lost();
    loads_and_stores_are_counted();
    frames_beside_it_are_good();
    fetches_are_counted();
    for (unsigned level = 1; level <= 3; level++) {
        native_walk(level, 0);
        native_walk(level, 1);
    }
    accessed_bit_is_lost();
    for (unsigned level = 1; level <= 3; level++) {
        unsigned index = FAR_GPA / level_size(level) % 512;

        nested_walk(level, index);
        nested_walk(level, index + 1);
        guest_walk(level, 0);
        guest_walk(level, 1);
    }
    guest_data();
    escaped_page();
    devices_are_counted();
    second_cpu();
}
