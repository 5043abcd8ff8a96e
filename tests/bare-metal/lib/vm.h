/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The L2 guest that most tests begin with: its memory lies at gPA = hPA +
 * GPA_BASE, and its data at gVA = hPA + GVA_BASE, by page tables in both
 * dimensions. No address is the same in two of the three spaces.
 */
#ifndef BARE_METAL_VM_H
#define BARE_METAL_VM_H

#include "dseg.h"
#include "l2.h"
#include "memory.h"
#include "svm.h"
#include "tables.h"

#define GPA_BASE (256 * GiB)
#define GVA_BASE (4096 * GiB)

/*
 * Memory of the guest, in two parts of PART_SIZE; of L1 (VMCB, nested tables).
 * hPAs.
 */
#define INSIDE_START (8 * MiB)
#define OUTSIDE_START (16 * MiB)
#define HOST_START (24 * MiB)
#define PART_SIZE MiB

#define DATA_PAGES 4
/*
 * What the data consists of at first: an opcode of 1 byte that is #UD at each
 * CPL.
 */
#define DATA_BYTE 0x06

/*
 * Levels of tables, 4 or 5, and the level of the leaves: 1, 2, 3 for 4K, 2M,
 * 1G.
 */
struct vm_shape {
    unsigned guest_levels, guest_leaf, nested_levels, nested_leaf;
};

struct vm {
    struct guest guest;
    struct tables guest_tables, nested;
    struct arena inside, outside, host;
    /* The first of DATA_PAGES pages, from "inside". */
    uint64_t data_hpa;
};

/*
 * Make that guest, at CPL 0, and with it all that it needs; what was made
 * before is gone. The leaves of both tables have P, W, U, A and D. L1 takes on
 * shape->nested_levels.
 */
void vm_init(struct vm *vm, const struct vm_shape *shape);

/* As vm_init(), with memory of its own beside a guest that was made before. */
void vm_init_beside(struct vm *vm, const struct vm_shape *shape,
                    const struct vm *other);

/*
 * As vm_init(), but the guest's tables of level i come from the part "outside"
 * if bit i of "outside_levels" is set, and its data if bit 0 is.
 */
void vm_init_split(struct vm *vm, const struct vm_shape *shape,
                   unsigned outside_levels);

/*
 * A page that the walk of the data's first page needs: its gPA, and its hPA.
 * "which" is the level of a table, or 0 for the page itself.
 */
uint64_t vm_page_gpa(struct vm *vm, unsigned which);
uint64_t vm_page_hpa(struct vm *vm, unsigned which);

/*
 * Let the guest's tables have such a page at another gPA, which is mapped to
 * the same hPA in the nested tables, as a 4 KiB page. After that, no more calls
 * for these guest tables.
 */
void vm_move_page(struct vm *vm, unsigned which, uint64_t gpa);

/* Nothing is there. It has an entry of its own in nested tables of level 4. */
#define FAR_GPA (600 * GiB)

/*
 * One access of a byte at a gVA. Its exit code is EXIT_VMMCALL if nothing was
 * wrong, also of a fetch (of DATA_BYTE). What is stored is STORED_BYTE.
 */
struct l2_end vm_access(struct vm *vm, enum access access, uint64_t gva);

#define STORED_BYTE 0x5a

/* Modes of a guest's CPU; in the last one there is no long mode. */
enum vm_mode { VM_64, VM_COMPATIBILITY, VM_PAE };

extern const char *const vm_mode_names[VM_PAE + 1];

/*
 * Give the guest that mode, and its code and the first page of its data at
 * addresses below 4 GiB: for l2_fetch(), and snippets whose encoding is the
 * same in all of them.
 */
void vm_set_mode(struct vm *vm, enum vm_mode mode);

#define LOW_CODE 0x10000ull
#define LOW_DATA 0x20000ull

static inline uint64_t to_gpa(uint64_t hpa)
{
    return hpa + GPA_BASE;
}

static inline uint64_t to_gva(uint64_t hpa)
{
    return hpa + GVA_BASE;
}

/*
 * Levels of page tables that L1 has, and so its nested tables: 4 (at first) or
 * 5.
 */
void set_levels(unsigned levels);

#endif
