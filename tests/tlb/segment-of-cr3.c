/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A page that is elsewhere in two address spaces, and that the monitor gives a
 * segment in the first one: test_segment_of_cr3.py.
 */
#include "lib/print.h"
#include "lib/tap.h"
#include "programs/space.h"

/* What is in the pages: of the two address spaces, and of the segment. */
#define FIRST_BYTE 0x11
#define SECOND_BYTE 0x22
#define SEGMENT_BYTE 0x33
/* More than there are until QEMU's TLB is flushed in any case. */
#define ROUNDS 600

static volatile uint8_t *const page = (uint8_t *)DATA;

/* DATA is mapped to that frame; 0 and 1 are the tables', 2 is the segment's. */
static struct tables make(unsigned frame)
{
    struct tables tables;

    space_init(&tables, 0);
    tables_map(&tables, DATA, FRAMES + frame * PAGE, PAGE, 1, LEAF);
    return tables;
}

static void write_frame(unsigned frame, uint8_t byte)
{
    *(uint8_t *)at_hpa(FRAMES + frame * PAGE) = byte;
}

/* The test has a time-out. */
static void wait_for_segment(void)
{
    REGION_BEGIN();     /* tells the test */
    while (*page != SEGMENT_BYTE) {
    }
}

static void stores(uint64_t first, uint64_t second)
{
    case_begin("stores: by the segment in its address space, by the page "
               "tables in the other");
    write_cr3(first);
    page[1] = SEGMENT_BYTE;
    write_cr3(second);
    page[1] = SECOND_BYTE;
    write_cr3(first);
    expect("of the segment", SEGMENT_BYTE,
           *(uint8_t *)at_hpa(FRAMES + 2 * PAGE + 1));
    expect("of the page tables", SECOND_BYTE,
           *(uint8_t *)at_hpa(FRAMES + PAGE + 1));
    expect("where the segment is before the page tables", 0,
           *(uint8_t *)at_hpa(FRAMES + 1));
    case_end();
}

/* CR3's bits beside the root: PCIDs, and whether to keep what is of them. */
static void loads(const char *how, uint64_t first, uint64_t second)
{
    uint8_t in_first = SEGMENT_BYTE, in_second = SECOND_BYTE;

    case_begin("loads, %s: by the segment in its address space, by the page "
               "tables in the other", how);
    for (unsigned i = 0; i < ROUNDS && in_first == SEGMENT_BYTE &&
                         in_second == SECOND_BYTE; i++) {
        write_cr3(first);
        in_first = *page;
        write_cr3(second);
        in_second = *page;
    }
    expect("in its address space", SEGMENT_BYTE, in_first);
    expect("in the other", SECOND_BYTE, in_second);
    write_cr3(first);
    case_end();
}

void tests(void)
{
    struct tables first = make(0), second = make(1);

    write_frame(0, FIRST_BYTE);
    write_frame(1, SECOND_BYTE);
    write_frame(2, SEGMENT_BYTE);
    space_enter(&first);
    wait_for_segment();
    loads("without PCIDs", first.root, second.root);
    stores(first.root, second.root);
    write_cr4(read_cr4() | CR4_PCIDE);
    loads("of one PCID", first.root, second.root);
    loads("of two PCIDs", first.root | 1, second.root | 2);
    loads("of two PCIDs that are kept", first.root | 1 | CR3_NO_FLUSH,
          second.root | 2 | CR3_NO_FLUSH);
    write_cr3(first.root);
    write_cr4(read_cr4() & ~CR4_PCIDE);
}
