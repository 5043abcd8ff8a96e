/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accessed and dirty bits (docs/spec/translation.rst): what a walk sets in the
 * guest's and in the nested tables, and that segments set none.
 */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/vm.h"

#define TOP 4
#define AD (PTE_A | PTE_D)

static const struct vm_shape shape = { TOP, 1, TOP, 1 };

static const struct {
    const char *name;
    bool guest_segment, vmm_segment, escaped;
} modes[] = {
    { "no segments", false, false, false },
    { "VMM segment", false, true, false },
    { "VMM segment, escaped", false, true, true },
    { "guest segment", true, false, false },
    { "both segments", true, true, false },
    { "both segments, escaped", true, true, true },
};

/*
 * One of the pages of a walk, with nested entries of its own, and all that
 * leads there.
 */
struct entries {
    volatile uint64_t *guest[TOP + 1], *nested[TOP + 1];
};

static struct entries make(struct vm *vm, unsigned which, unsigned mode)
{
    struct entries entries;
    uint64_t gva;

    dseg_reset();
    vm_init(vm, &shape);
    vm->guest.vmcb->efer &= ~EFER_NXE;
    gva = to_gva(vm->data_hpa);
    if (modes[mode].vmm_segment) {
        set_vmm_segment(segment(FAR_GPA, PAGE, vm_page_hpa(vm, which)));
    }
    if (modes[mode].escaped) {
        filter_add(FAR_GPA);
    }
    if (modes[mode].guest_segment) {
        set_guest_segment(&vm->guest, segment(
            gva, PAGE, which ? to_gpa(vm->data_hpa) : FAR_GPA));
    }
    for (unsigned level = 1; level <= TOP; level++) {
        entries.guest[level] = tables_entry(&vm->guest_tables, gva, level);
    }
    vm_move_page(vm, which, FAR_GPA);
    for (unsigned level = 1; level <= TOP; level++) {
        entries.nested[level] = tables_entry(&vm->nested, FAR_GPA, level);
        *entries.guest[level] &= ~AD;
        *entries.nested[level] &= ~AD;
    }
    return entries;
}

static void expect_bits(const struct entries *entries, unsigned which,
                        unsigned mode, bool stored)
{
    bool walked = !modes[mode].guest_segment;
    bool nested_walked = (!which || walked) &&
                         (!modes[mode].vmm_segment || modes[mode].escaped);
    /* L2's code has the top-level table in common with the data. */
    bool always = which == TOP && (!modes[mode].vmm_segment ||
                                   modes[mode].escaped);

    nested_walked |= always;
    for (unsigned level = 1; level <= TOP; level++) {
        bool dirty = level == 1 && stored;
        bool nested_dirty = level == 1 && (stored || which);

        expect("A and D of a guest's entry",
               walked ? PTE_A | (dirty ? PTE_D : 0) : 0,
               *entries->guest[level] & AD);
        expect("A and D of a nested entry",
               nested_walked ? PTE_A | (nested_dirty ? PTE_D : 0) : 0,
               *entries->nested[level] & AD);
    }
}

static void one_access(unsigned which, unsigned mode, enum access access)
{
    struct entries entries;
    struct l2_end end;
    struct vm vm;

    if (which == TOP && access == FETCH && modes[mode].guest_segment) {
        return;     /* nothing reads that table */
    }
    case_begin("%s, %s%u: bits set by a %s", modes[mode].name,
               which ? "table " : "page ", which, dseg_access_names[access]);
    entries = make(&vm, which, mode);
    end = vm_access(&vm, access, to_gva(vm.data_hpa));
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    expect_bits(&entries, which, mode, access == STORE);
    case_end();
}

static void store_after_load(unsigned mode)
{
    struct entries entries;
    struct l2_end end;
    struct vm vm;

    case_begin("%s: a store after a load sets D", modes[mode].name);
    entries = make(&vm, 0, mode);
    end = l2_run(&vm.guest, l2_load1_store1, to_gva(vm.data_hpa), STORED_BYTE);
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    expect("value stored", STORED_BYTE, *(uint8_t *)at_hpa(vm.data_hpa));
    expect_bits(&entries, 0, mode, true);
    case_end();
}

void tests(void)
{
    for (unsigned mode = 0; mode < ARRAY_SIZE(modes); mode++) {
        for (unsigned which = 0; which <= TOP; which++) {
            for (enum access access = LOAD; access <= FETCH; access++) {
                one_access(which, mode, access);
            }
        }
        store_after_load(mode);
    }
}
