/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * #PF by an entry at each level of the guest's tables, in each regime that
 * walks them: error code, address, and how it is counted. And which comes
 * first, #PF or #NPF (docs/spec/translation.rst, counters.rst).
 */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/vm.h"

#define TOP 4

static const struct vm_shape shape = { TOP, 1, TOP, 1 };

static const struct {
    const char *name;
    uint64_t clear, set, code;
    enum count counted;
    bool stores_only, users_only, fetches_only;
} causes[] = {
    { "not present", PTE_P, 0, 0, FAULTS_NOT_PRESENT, false, false, false },
    { "write-protected", PTE_W, 0, PF_P, FAULTS_PROTECTION, true, false,
      false },
    { "a supervisor's", PTE_U, 0, PF_P, FAULTS_PROTECTION, false, true, false },
    { "no-execute", 0, PTE_NX, PF_P, FAULTS_PROTECTION, false, false, true },
    { "bit 51 set", 0, BIT(51), PF_P | PF_RSVD, FAULTS_RESERVED, false, false,
      false },
    { "bit 40 set", 0, BIT(40), PF_P | PF_RSVD, FAULTS_RESERVED, false, false,
      false },
};

static const struct {
    const char *name;
    bool vmm_segment;
} modes[] = {
    { "base", false },
    { "vmm-direct", true },
};

static void make(struct vm *vm, unsigned mode, unsigned cpl)
{
    dseg_reset();
    vm_init(vm, &shape);
    guest_set_cpl(&vm->guest, cpl);
    if (modes[mode].vmm_segment) {
        set_vmm_segment(segment(to_gpa(0), MEMORY_END, 0));
    }
}

static void one_access(unsigned mode, unsigned level, unsigned cause,
                       enum access access, unsigned cpl)
{
    bool faults = (!causes[cause].stores_only || access == STORE) &&
                  (!causes[cause].users_only || cpl == 3) &&
                  (!causes[cause].fetches_only || access == FETCH);
    /* What is not permitted is found out at the end of the walk. */
    unsigned read = causes[cause].counted == FAULTS_PROTECTION ? TOP
                    : TOP + 1 - level;
    uint64_t gva, counts[3];
    volatile uint64_t *entry;
    struct l2_end end;
    struct vm vm;

    make(&vm, mode, cpl);
    gva = to_gva(vm.data_hpa);
    entry = tables_entry(&vm.guest_tables, gva, level);
    *entry = (*entry & ~causes[cause].clear) | causes[cause].set;
    counts[0] = counter(causes[cause].counted);
    counts[1] = counter(FAULTING_GUEST_REFS);
    counts[2] = counter(FAULTING_NESTED_REFS);
    end = vm_access(&vm, access, gva);
    if (faults) {
        expect("exit code", EXIT_EXCEPTION(VECTOR_PF), end.exit_code);
        expect("error code",
               causes[cause].code | (access == STORE ? PF_W : 0) |
               (access == FETCH ? PF_I : 0) | (cpl == 3 ? PF_U : 0),
               end.exit_info1);
        expect("address", gva, end.exit_info2);
    } else {
        expect("exit code", EXIT_VMMCALL, end.exit_code);
        read = 0;
    }
    expect("faults", faults, counter(causes[cause].counted) - counts[0]);
    expect("guest refs of walks that faulted", read,
           counter(FAULTING_GUEST_REFS) - counts[1]);
    expect("nested refs of walks that faulted",
           modes[mode].vmm_segment ? 0 : read * TOP,
           counter(FAULTING_NESTED_REFS) - counts[2]);
}

static void one_case(unsigned mode, unsigned level, unsigned cause,
                     enum access access)
{
    case_begin("%s, a guest's entry of level %u %s: %s", modes[mode].name,
               level, causes[cause].name, dseg_access_names[access]);
    one_access(mode, level, cause, access, 0);
    one_access(mode, level, cause, access, 3);
    case_end();
}

/* The final page is one that L1 has not mapped. */
static void page_fault_first(void)
{
    struct l2_end end;
    uint64_t gva;
    struct vm vm;

    case_begin("a #PF by the leaf comes before the #NPF of the final page");
    make(&vm, 0, 3);
    gva = to_gva(vm.data_hpa);
    *tables_entry(&vm.guest_tables, gva, 1) &= ~PTE_W;
    *tables_entry(&vm.nested, to_gpa(vm.data_hpa), 1) = 0;
    end = vm_access(&vm, STORE, gva);
    expect("exit code of a store", EXIT_EXCEPTION(VECTOR_PF), end.exit_code);
    expect("error code", PF_P | PF_W | PF_U, end.exit_info1);
    end = vm_access(&vm, LOAD, gva);
    expect("exit code of a load", EXIT_NPF, end.exit_code);
    expect("EXITINFO1", PF_U | NPF_FINAL, end.exit_info1);
    case_end();

    case_begin("a #PF by the guest segment comes before the #NPF of the final "
               "page");
    make(&vm, 0, 3);
    gva = to_gva(vm.data_hpa);
    set_guest_segment(&vm.guest, segment(gva, PAGE, to_gpa(vm.data_hpa)));
    *tables_entry(&vm.nested, to_gpa(vm.data_hpa), 1) = 0;
    end = vm_access(&vm, FETCH, gva);
    expect("exit code of a fetch", EXIT_EXCEPTION(VECTOR_PF), end.exit_code);
    expect("error code", PF_P | PF_U | PF_I, end.exit_info1);
    end = vm_access(&vm, LOAD, gva);
    expect("exit code of a load", EXIT_NPF, end.exit_code);
    case_end();
}

/* A table page that L1 has not mapped comes before what the tables say. */
static void nested_fault_first(void)
{
    struct l2_end end;
    uint64_t gva;
    struct vm vm;

    case_begin("an #NPF of a table page comes before the #PF by its entries");
    make(&vm, 0, 3);
    gva = to_gva(vm.data_hpa);
    *tables_entry(&vm.guest_tables, gva, 1) = 0;
    *tables_entry(&vm.guest_tables, gva, 2) &= ~PTE_W;
    *tables_entry(&vm.nested, vm_page_gpa(&vm, 1), 1) = 0;
    end = vm_access(&vm, STORE, gva);
    expect("exit code", EXIT_NPF, end.exit_code);
    expect("EXITINFO1", PF_W | PF_U | NPF_TABLE, end.exit_info1);
    case_end();
}

/* An address that is not canonical is not walked at all, segment or not. */
static void not_canonical(bool guest_segment)
{
    const uint64_t walks = SELECTOR(WALKS, ALL_REGIMES, USER, LOAD);
    uint64_t faults_before, walks_before;
    struct l2_end end;
    struct vm vm;

    case_begin("an address that is not canonical is #GP and no walk, guest "
               "segment=%d", guest_segment);
    make(&vm, 0, 3);
    if (guest_segment) {
        /* The addresses between the last of L2's code and -PAGE. */
        set_guest_segment(&vm.guest, (struct segment) {
            L2_CODE_USER + PAGE, -PAGE, 0,
        });
    }
    faults_before = counter(FAULTS_NOT_PRESENT) + counter(FAULTS_RESERVED);
    walks_before = counter(walks);
    end = vm_access(&vm, LOAD, BIT(47));
    expect("exit code", EXIT_EXCEPTION(VECTOR_GP), end.exit_code);
    expect("error code", 0, end.exit_info1);
    expect("faults", faults_before,
           counter(FAULTS_NOT_PRESENT) + counter(FAULTS_RESERVED));
    expect("walks", walks_before, counter(walks));
    case_end();
}

/* Bits that are reserved in entries of one level only. */
static void reserved_bits(void)
{
    static const struct {
        const char *name;
        unsigned levels, leaf, level, bit;
    } rows[] = {
        { "bit 7 of a PML4 entry", 4, 1, 4, 7 },
        { "bit 8 of a PML4 entry", 4, 1, 4, 8 },
        { "bit 7 of a PML4 entry of 5 levels", 5, 1, 4, 7 },
        { "bit 7 of a PML5 entry", 5, 1, 5, 7 },
        { "bit 8 of a PML5 entry", 5, 1, 5, 8 },
        { "bit 13 of a 1 GiB page's entry", 4, 3, 3, 13 },
        { "bit 29 of a 1 GiB page's entry", 4, 3, 3, 29 },
        { "bit 13 of a 2 MiB page's entry", 4, 2, 2, 13 },
        { "bit 20 of a 2 MiB page's entry", 4, 2, 2, 20 },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct vm_shape own_shape = {
            rows[i].levels, rows[i].leaf, 4, 1,
        };
        uint64_t gva, entry;
        struct l2_end end;
        struct vm vm;

        case_begin("%s is reserved in a guest's tables", rows[i].name);
        dseg_reset();
        vm_init(&vm, &own_shape);
        gva = to_gva(vm.data_hpa);
        *tables_entry(&vm.guest_tables, gva, rows[i].level) |= BIT(rows[i].bit);
        entry = gva;
        /* The code is fetched by the same entry of level 5. */
        if (rows[i].level == 5) {
            entry = L2_CODE_KERNEL + (l2_load1 - l2_code);
        }
        end = vm_access(&vm, LOAD, gva);
        expect("exit code", EXIT_EXCEPTION(VECTOR_PF), end.exit_code);
        expect("error code", PF_P | PF_RSVD | (entry == gva ? 0 : PF_I),
               end.exit_info1);
        expect("address", entry, end.exit_info2);
        case_end();
    }
}

/*
 * The host's own settings are nothing to nested translations: all are a user's.
 */
static void host_settings(void)
{
    struct l2_end end;
    struct vm vm;

    case_begin("CR4.SMEP and SMAP of L1 do not matter to nested tables");
    write_cr4(read_cr4() | CR4_SMEP | CR4_SMAP);
    for (enum access access = LOAD; access <= FETCH; access++) {
        make(&vm, 0, 0);
        end = vm_access(&vm, access, to_gva(vm.data_hpa));
        expect("exit code", EXIT_VMMCALL, end.exit_code);
    }
    write_cr4(read_cr4() & ~(CR4_SMEP | CR4_SMAP));
    case_end();

    case_begin("CR0.WP of L1 and of L2 does not matter to nested tables");
    make(&vm, 0, 0);
    *tables_entry(&vm.nested, to_gpa(vm.data_hpa), 1) &= ~PTE_W;
    vm.guest.vmcb->cr0 &= ~CR0_WP;
    write_cr0(read_cr0() & ~CR0_WP);
    end = vm_access(&vm, STORE, to_gva(vm.data_hpa));
    write_cr0(read_cr0() | CR0_WP);
    expect("exit code", EXIT_NPF, end.exit_code);
    expect("EXITINFO1", PF_P | PF_W | PF_U | NPF_FINAL, end.exit_info1);
    case_end();

    for (unsigned bits = 0; bits < 4; bits++) {
        uint64_t nxe = bits & 1 ? EFER_NXE : 0, smep = bits & 2 ? CR4_SMEP : 0;

        case_begin("EXITINFO1 has I/D for a fetch if L1 has NXE or SMEP: "
                   "NXE=%d SMEP=%d", !!nxe, !!smep);
        make(&vm, 0, 0);
        *tables_entry(&vm.nested, to_gpa(vm.data_hpa), 1) = 0;
        write_msr(MSR_EFER, (read_msr(MSR_EFER) & ~EFER_NXE) | nxe);
        write_cr4(read_cr4() | smep);
        end = vm_access(&vm, FETCH, to_gva(vm.data_hpa));
        write_cr4(read_cr4() & ~smep);
        write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_NXE);
        expect("exit code", EXIT_NPF, end.exit_code);
        expect("EXITINFO1", PF_U | (bits ? PF_I : 0) | NPF_FINAL,
               end.exit_info1);
        case_end();
    }
}

void tests(void)
{
    for (unsigned mode = 0; mode < ARRAY_SIZE(modes); mode++) {
        for (unsigned level = 1; level <= TOP; level++) {
            for (unsigned i = 0; i < ARRAY_SIZE(causes); i++) {
                for (enum access access = LOAD; access <= FETCH; access++) {
                    one_case(mode, level, i, access);
                }
            }
        }
    }
    page_fault_first();
    nested_fault_first();
    not_canonical(false);
    not_canonical(true);
    reserved_bits();
    host_settings();
}
