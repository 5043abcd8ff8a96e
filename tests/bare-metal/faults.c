/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nested page faults (docs/spec/translation.rst; APM, 15.25.6): for the final
 * page or for a page of the guest's tables, with an entry at each level of the
 * nested tables that does not allow what is done; where nested tables translate
 * it, and where a segment does.
 */
#include "lib/cpu.h"
#include "lib/invariants.h"
#include "lib/tap.h"
#include "lib/vm.h"

#define OFFSET_IN_PAGE 0x123
#define TOP 4

static const struct vm_shape shape = { TOP, 1, TOP, 1 };

/* What an entry of the nested tables lacks, or has too much. */
static const struct {
    const char *name;
    uint64_t clear, set;
} causes[] = {
    { "not present", PTE_P, 0 },
    { "write-protected", PTE_W, 0 },
    { "no-execute", 0, PTE_NX },
    { "a supervisor's", PTE_U, 0 },
};
enum { NOT_PRESENT, WRITE_PROTECTED, NO_EXECUTE, SUPERVISOR, CAUSES };

/* How the gPA in question is translated, and how the gVA is. */
static const struct {
    const char *name;
    bool vmm_segment, inside, escaped, guest_segment;
} modes[] = {
    { "no segments", false, false, false, false },
    { "outside the VMM segment", true, false, false, false },
    { "in the VMM segment", true, true, false, false },
    { "escaped", true, true, true, false },
    { "by the guest segment", false, false, false, true },
    { "by the guest segment, outside the VMM segment",
      true, false, false, true },
    { "by both segments", true, true, false, true },
    { "by the guest segment, escaped", true, true, true, true },
};
#define MODES (ARRAY_SIZE(modes))

/* The EXITINFO1 to expect, or 0 if no fault. */
static uint64_t expected_info1(unsigned which, unsigned cause, unsigned mode,
                               enum access access)
{
    bool table = which > 0;
    bool write = table || access == STORE;
    bool fetch = !table && access == FETCH;
    bool by_segment = modes[mode].inside && !modes[mode].escaped;

    if (by_segment || (table && modes[mode].guest_segment) ||
        (cause == WRITE_PROTECTED && !write) ||
        (cause == NO_EXECUTE && !fetch)) {
        return 0;
    }
    return (cause == NOT_PRESENT ? 0 : PF_P) | (write ? PF_W : 0) | PF_U |
           (fetch ? PF_I : 0) | (table ? NPF_TABLE : NPF_FINAL);
}

static void set_segments(struct vm *vm, unsigned which, unsigned mode)
{
    if (modes[mode].inside) {
        set_vmm_segment(segment(FAR_GPA, PAGE, vm_page_hpa(vm, which)));
    } else if (modes[mode].vmm_segment) {
        set_vmm_segment(segment(to_gpa(0), MEMORY_END, 0));
    }
    if (modes[mode].escaped) {
        filter_add(FAR_GPA);
    }
    if (modes[mode].guest_segment) {
        set_guest_segment(&vm->guest,
                          segment(to_gva(vm->data_hpa), PAGE,
                                  which ? to_gpa(vm->data_hpa) : FAR_GPA));
    }
}

/*
 * The faults are counted by kind, with the references that were made before:
 * those of the tables above, each with its nested walk, where both are walked.
 */
static void expect_counted(uint64_t info1, unsigned which, unsigned mode,
                           const uint64_t before[])
{
    unsigned guest_refs = modes[mode].guest_segment ? 0 : TOP - which;
    unsigned nested_refs = modes[mode].vmm_segment && !modes[mode].inside ? 0
                           : guest_refs * TOP;

    if (!info1) {
        guest_refs = nested_refs = 0;
    }
    expect("faults of final gPAs", !!(info1 & NPF_FINAL),
           counter(FAULTS_FINAL) - before[0]);
    expect("faults of table gPAs", !!(info1 & NPF_TABLE),
           counter(FAULTS_TABLE) - before[1]);
    expect("guest refs of walks that faulted", guest_refs,
           counter(FAULTING_GUEST_REFS) - before[2]);
    expect("nested refs of walks that faulted", nested_refs,
           counter(FAULTING_NESTED_REFS) - before[3]);
}

static void one_access(unsigned which, unsigned cause, unsigned nested_level,
                       unsigned mode, enum access access, unsigned cpl)
{
    uint64_t info1 = expected_info1(which, cause, mode, access);
    volatile uint64_t *nested_entry;
    uint64_t gva, entry, before[4];
    struct l2_end end;
    struct vm vm;

    dseg_reset();
    vm_init(&vm, &shape);
    guest_set_cpl(&vm.guest, cpl);
    /* A guest segment has NX. */
    vm.guest.vmcb->efer &= ~EFER_NXE;
    gva = to_gva(vm.data_hpa) + OFFSET_IN_PAGE;
    entry = which ? tables_entry_address(&vm.guest_tables, gva, which) % PAGE
                  : OFFSET_IN_PAGE;
    set_segments(&vm, which, mode);
    vm_move_page(&vm, which, FAR_GPA);
    nested_entry = tables_entry(&vm.nested, FAR_GPA, nested_level);
    *nested_entry = (*nested_entry & ~causes[cause].clear) | causes[cause].set;

    before[0] = counter(FAULTS_FINAL);
    before[1] = counter(FAULTS_TABLE);
    before[2] = counter(FAULTING_GUEST_REFS);
    before[3] = counter(FAULTING_NESTED_REFS);
    end = vm_access(&vm, access, gva);
    if (info1) {
        expect("exit code", EXIT_NPF, end.exit_code);
        expect("EXITINFO1", info1, end.exit_info1);
        expect("EXITINFO2", FAR_GPA + entry, end.exit_info2);
    } else {
        expect("exit code", EXIT_VMMCALL, end.exit_code);
    }
    expect_counted(info1, which, mode, before);
}

static void one_case(unsigned which, unsigned cause, unsigned nested_level,
                     unsigned mode, enum access access)
{
    /* L2's code has the top-level table in common with its data. */
    if (which == TOP && access != FETCH) {
        return;
    }
    if (which) {
        case_begin("%s, table page of level %u, nested entry of level %u %s: "
                   "%s", modes[mode].name, which, nested_level,
                   causes[cause].name, dseg_access_names[access]);
    } else {
        case_begin("%s, final page, nested entry of level %u %s: %s",
                   modes[mode].name, nested_level, causes[cause].name,
                   dseg_access_names[access]);
    }
    one_access(which, cause, nested_level, mode, access, 0);
    one_access(which, cause, nested_level, mode, access, 3);
    case_end();
}

/* Other modes than the first only need one level of nested entries. */
static void all_accesses(unsigned which, unsigned cause, unsigned mode)
{
    unsigned levels = mode ? 1 : TOP;

    for (enum access access = LOAD; access <= FETCH; access++) {
        for (unsigned level = 1; level <= levels; level++) {
            one_case(which, cause, level, mode, access);
        }
    }
}

void tests(void)
{
    for (unsigned mode = 0; mode < MODES; mode++) {
        for (unsigned which = 0; which <= TOP; which++) {
            for (unsigned cause = 0; cause < CAUSES; cause++) {
                all_accesses(which, cause, mode);
            }
        }
    }
    check_invariants();
}
