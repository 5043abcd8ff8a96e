/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reserved bits in nested tables, at each level, and sums beyond the physical
 * addresses (docs/spec/translation.rst; APM, 5.3.3 and 15.25.6): #NPF with P
 * and RSVD. And bits that are none.
 */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/trap.h"
#include "lib/vm.h"

#define TOP 4                       /* of the guest's tables */

/* In which entry of the nested tables, on the way to a leaf of which level. */
static const struct {
    const char *name;
    unsigned nested_levels, leaf, level;
    uint64_t bits;
    bool reserved, without_nx;
} rows[] = {
    { "bit 40 of a page's", 4, 1, 1, BIT(40), true, false },
    { "bit 51 of a page's", 4, 1, 1, BIT(51), true, false },
    { "bit 40 of a page directory's", 4, 1, 2, BIT(40), true, false },
    { "bit 51 of a page directory's", 4, 1, 2, BIT(51), true, false },
    { "bit 40 of a PDP's", 4, 1, 3, BIT(40), true, false },
    { "bit 51 of a PDP's", 4, 1, 3, BIT(51), true, false },
    { "bit 40 of a PML4's", 4, 1, 4, BIT(40), true, false },
    { "bit 51 of a PML4's", 4, 1, 4, BIT(51), true, false },
    { "bit 7 of a PML4's", 4, 1, 4, BIT(7), true, false },
    { "bit 8 of a PML4's", 4, 1, 4, BIT(8), true, false },
    { "bit 7 of a PML4's of 5 levels", 5, 1, 4, BIT(7), true, false },
    { "bit 8 of a PML4's of 5 levels", 5, 1, 4, BIT(8), true, false },
    { "bit 40 of a PML5's", 5, 1, 5, BIT(40), true, false },
    { "bit 51 of a PML5's", 5, 1, 5, BIT(51), true, false },
    { "bit 7 of a PML5's", 5, 1, 5, BIT(7), true, false },
    { "bit 8 of a PML5's", 5, 1, 5, BIT(8), true, false },
    { "bit 40 of a 2 MiB page's", 4, 2, 2, BIT(40), true, false },
    { "bit 13 of a 2 MiB page's", 4, 2, 2, BIT(13), true, false },
    { "bit 20 of a 2 MiB page's", 4, 2, 2, BIT(20), true, false },
    { "bit 51 of a 1 GiB page's", 4, 3, 3, BIT(51), true, false },
    { "bit 13 of a 1 GiB page's", 4, 3, 3, BIT(13), true, false },
    { "bit 29 of a 1 GiB page's", 4, 3, 3, BIT(29), true, false },
    { "bit 63 without NXE of a page's", 4, 1, 1, BIT(63), true, true },
    { "bit 63 without NXE of a page directory's", 4, 1, 2, BIT(63), true,
      true },
    { "bit 63 without NXE of a PDP's", 4, 1, 3, BIT(63), true, true },
    { "bit 63 without NXE of a PML4's", 4, 1, 4, BIT(63), true, true },
    { "bit 63 without NXE of a PML5's", 5, 1, 5, BIT(63), true, true },
    { "bit 63 without NXE of a 2 MiB page's", 4, 2, 2, BIT(63), true, true },
    { "bit 63 without NXE of a 1 GiB page's", 4, 3, 3, BIT(63), true, true },
    { "bits 8 and 9 to 11 of a page's", 4, 1, 1, 0xf00, false, false },
    { "bits 52 to 58 of a page's", 4, 1, 1, 0x7full << 52, false, false },
    { "bits 9 to 11 of a PML4's", 4, 1, 4, 0xe00, false, false },
    { "bits 52 to 58 of a PML4's", 4, 1, 4, 0x7full << 52, false, false },
    { "bits 52 to 58 of a PML5's", 5, 1, 5, 0x7full << 52, false, false },
    { "bits 8 to 11 of a page directory's", 4, 1, 2, 0xf00, false, false },
    { "bit 12 (PAT) of a 2 MiB page's", 4, 2, 2, BIT(12), false, false },
    { "bit 12 (PAT) of a 1 GiB page's", 4, 3, 3, BIT(12), false, false },
    { "bit 7 (PAT) of a page's", 4, 1, 1, BIT(7), false, false },
};

static uint64_t expected_info1(unsigned which, enum access access, bool nx)
{
    return PF_P | PF_RSVD | PF_U | (which || access == STORE ? PF_W : 0) |
           (!which && access == FETCH && nx ? PF_I : 0) |
           (which ? NPF_TABLE : NPF_FINAL);
}

static void set_host_nxe(bool nxe)
{
    uint64_t efer = read_msr(MSR_EFER) & ~EFER_NXE;

    write_msr(MSR_EFER, nxe ? efer | EFER_NXE : efer);
}

/* A guest, a page of which lies at *gpa, in a nested page of that level. */
static void make(struct vm *vm, unsigned which, unsigned nested_levels,
                 unsigned leaf, uint64_t *gpa)
{
    const struct vm_shape shape = { TOP, 1, nested_levels, 1 };
    uint64_t hpa;

    dseg_reset();
    vm_init(vm, &shape);
    hpa = vm_page_hpa(vm, which);
    *gpa = FAR_GPA + hpa;
    vm_move_page(vm, which, *gpa);
    if (leaf > 1) {
        *tables_entry(&vm->nested, *gpa, leaf) =
            (hpa & -level_size(leaf)) | PTE_P | PTE_W | PTE_U | PTE_PS;
    }
}

static void nested_entry(unsigned row, unsigned which, enum access access)
{
    uint64_t gpa, gva, in_page, faults;
    bool nx = !rows[row].without_nx;
    struct l2_end end;
    struct vm vm;

    /*
     * The top-level tables are those of L2's code, too, which is fetched first.
     */
    if ((which == TOP || rows[row].level == 5) &&
        (which != TOP || access != FETCH)) {
        return;
    }
    case_begin("%s entry is %s, at a %s of %s%u", rows[row].name,
               rows[row].reserved ? "reserved" : "not reserved",
               dseg_access_names[access], which ? "table " : "page ", which);
    make(&vm, which, rows[row].nested_levels, rows[row].leaf, &gpa);
    gva = to_gva(vm.data_hpa);
    in_page = which ? gva / level_size(which) % 512 * sizeof(uint64_t) : 0;
    *tables_entry(&vm.nested, gpa, rows[row].level) |= rows[row].bits;
    faults = counter(which ? FAULTS_TABLE : FAULTS_FINAL);
    set_host_nxe(nx);
    end = vm_access(&vm, access, gva);
    set_host_nxe(true);
    if (rows[row].reserved) {
        expect("exit code", EXIT_NPF, end.exit_code);
        expect("EXITINFO1", expected_info1(which, access, nx), end.exit_info1);
        expect("EXITINFO2", gpa + in_page, end.exit_info2);
        faults++;
    } else {
        expect("exit code", EXIT_VMMCALL, end.exit_code);
    }
    expect("faults", faults, counter(which ? FAULTS_TABLE : FAULTS_FINAL));
    case_end();
}

/* An entry that is not present has no reserved bits. */
static void not_present(void)
{
    struct l2_end end;
    uint64_t gpa;
    struct vm vm;

    case_begin("a nested entry that is not present has no reserved bits");
    make(&vm, 0, 4, 1, &gpa);
    *tables_entry(&vm.nested, gpa, 1) = BIT(51) | PTE_W | PTE_U;
    end = vm_access(&vm, LOAD, to_gva(vm.data_hpa));
    expect("exit code", EXIT_NPF, end.exit_code);
    expect("EXITINFO1", PF_U | NPF_FINAL, end.exit_info1);
    case_end();
}

/* Reserved bits come before what the entries above do not permit. */
static void before_permissions(void)
{
    struct l2_end end;
    uint64_t gpa;
    struct vm vm;

    case_begin("a reserved bit comes before a missing permission");
    make(&vm, 0, 4, 1, &gpa);
    *tables_entry(&vm.nested, gpa, 2) &= ~PTE_W;
    *tables_entry(&vm.nested, gpa, 1) |= BIT(51);
    end = vm_access(&vm, STORE, to_gva(vm.data_hpa));
    expect("exit code", EXIT_NPF, end.exit_code);
    expect("EXITINFO1", expected_info1(0, STORE, true), end.exit_info1);
    case_end();
}

/* A VMM segment whose sum is no physical address. */
static void wide_sum(uint64_t to, unsigned which, enum access access)
{
    struct l2_end end;
    uint64_t gpa, gva, in_page;
    struct vm vm;

    if (which == TOP && access != FETCH) {
        return;
    }
    case_begin("a VMM segment's sum of 0x%lx is a reserved bit, at a %s of "
               "%s%u", to, dseg_access_names[access],
               which ? "table " : "page ", which);
    make(&vm, which, 4, 1, &gpa);
    gva = to_gva(vm.data_hpa);
    in_page = which ? gva / level_size(which) % 512 * sizeof(uint64_t) : 0;
    set_vmm_segment(segment(gpa, PAGE, to));
    end = vm_access(&vm, access, gva);
    expect("exit code", EXIT_NPF, end.exit_code);
    expect("EXITINFO1", expected_info1(which, access, true), end.exit_info1);
    expect("EXITINFO2", gpa + in_page, end.exit_info2);
    filter_add(gpa);
    end = vm_access(&vm, access, gva);
    expect("exit code where the page escapes", EXIT_VMMCALL, end.exit_code);
    case_end();
}

void tests(void)
{
    static const uint64_t sums[] = {
        PHYSICAL_END, PHYSICAL_END + PAGE, -PAGE, -(PHYSICAL_END / 4),
    };

    for (unsigned which = 0; which <= TOP; which++) {
        for (enum access access = LOAD; access <= FETCH; access++) {
            for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
                nested_entry(i, which, access);
            }
            for (unsigned i = 0; i < ARRAY_SIZE(sums); i++) {
                wide_sum(sums[i], which, access);
            }
        }
    }
    not_present();
    before_permissions();
}
