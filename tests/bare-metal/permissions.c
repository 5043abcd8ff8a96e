/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may be done through a guest segment, and which #PF there is otherwise:
 * the table of docs/spec/translation.rst. The same is expected of a page with
 * U, W and NX, in each way to translate: a guest segment is such a page.
 */
#include "lib/cpu.h"
#include "lib/invariants.h"
#include "lib/tap.h"
#include "lib/vm.h"

#define PKRU_AD0 BIT(0)
#define PKRU_WD0 BIT(1)

static const struct vm_shape shape = { 4, 1, 4, 1 };

static const struct {
    const char *name;
    bool nested, guest_segment, vmm_segment, escaped;
} modes[] = {
    { "native", false, false, false, false },
    { "native-direct", false, true, false, false },
    { "base", true, false, false, false },
    { "vmm-direct", true, false, true, false },
    { "vmm-direct, escaped", true, false, true, true },
    { "guest-direct", true, true, false, false },
    { "guest-direct, escaped", true, true, true, true },
    { "dual-direct", true, true, true, false },
};

/* What decides, besides the page. */
struct setting {
    bool nxe, smep, smap, ac, wp, pke;
    uint8_t pkru;
};

/* The error code, or 0 if the access is allowed. */
static uint64_t expected_code(const struct setting *s, enum access access,
                              bool user)
{
    uint64_t code = PF_P | (user ? PF_U : 0);
    bool access_denied = s->pke && s->pkru & PKRU_AD0;
    bool write_denied = s->pke && s->pkru & PKRU_WD0 && (user || s->wp);

    if (access == FETCH) {
        return s->nxe || (s->smep && !user) ? code | PF_I : 0;
    }
    if (access == STORE) {
        code |= PF_W;
    }
    if (!user && s->smap && !s->ac) {
        return code;
    }
    if (access_denied || (access == STORE && write_denied)) {
        return code | PF_PK;
    }
    return 0;
}

static void make(struct vm *vm, unsigned mode, const struct setting *s,
                 unsigned cpl)
{
    struct vmcb *vmcb;
    uint64_t gva;

    dseg_reset();
    vm_init(vm, &shape);
    guest_set_cpl(&vm->guest, cpl);
    gva = to_gva(vm->data_hpa);
    vmcb = vm->guest.vmcb;
    vmcb->efer = (vmcb->efer & ~EFER_NXE) | (s->nxe ? EFER_NXE : 0);
    vmcb->cr4 |= (s->smep ? CR4_SMEP : 0) | (s->smap ? CR4_SMAP : 0) |
                 (s->pke ? CR4_PKE : 0);
    vmcb->cr0 = (vmcb->cr0 & ~CR0_WP) | (s->wp ? CR0_WP : 0);
    vmcb->rflags |= s->ac ? RFLAGS_AC : 0;
    if (modes[mode].guest_segment) {
        /* What is behind the segment allows nothing. */
        *tables_entry(&vm->guest_tables, gva, 1) = 0;
        set_guest_segment(&vm->guest, segment(gva, PAGE, to_gpa(vm->data_hpa)));
    } else if (s->nxe) {
        *tables_entry(&vm->guest_tables, gva, 1) |= PTE_NX;
    }
    if (modes[mode].vmm_segment) {
        set_vmm_segment(segment(to_gpa(0), MEMORY_END, 0));
    }
    if (modes[mode].escaped) {
        filter_add(to_gpa(vm->data_hpa));
    }
}

/* A guest without nested paging: its addresses are L1's. */
static void make_native(struct vm *vm)
{
    struct tables tables;
    struct vmcb *vmcb = vm->guest.vmcb;
    uint64_t gva = to_gva(vm->data_hpa);
    uint64_t leaf = *tables_entry(&vm->guest_tables, gva, 1);

    tables_init(&tables, 4, 0, &vm->host);
    l2_map_code(&tables);
    *tables_entry(&tables, gva, 1) = leaf ? leaf - GPA_BASE : 0;
    vmcb->cr3 = tables.root;
    vmcb->np_enable = 0;
    vmcb->dseg_cr11 -= vmcb->dseg_cr10 ? GPA_BASE : 0;
}

static void one_access(unsigned mode, const struct setting *s,
                       enum access access, unsigned cpl)
{
    uint64_t code = expected_code(s, access, cpl == 3);
    uint64_t gva, faults;
    struct l2_end end;
    struct vm vm;

    make(&vm, mode, s, cpl);
    if (!modes[mode].nested) {
        make_native(&vm);
    }
    gva = to_gva(vm.data_hpa);
    faults = counter(FAULTS_PROTECTION);
    write_pkru(s->pkru);
    end = vm_access(&vm, access, gva);
    write_pkru(0);
    if (code) {
        expect("exit code", EXIT_EXCEPTION(VECTOR_PF), end.exit_code);
        expect(access == LOAD ? "error code of a load" :
               access == STORE ? "error code of a store" :
               "error code of a fetch", code, end.exit_info1);
        expect("address", gva, end.exit_info2);
        faults++;
    } else {
        expect(access == LOAD ? "exit code of a load" :
               access == STORE ? "exit code of a store" :
               "exit code of a fetch", EXIT_VMMCALL, end.exit_code);
    }
    expect("faults", faults, counter(FAULTS_PROTECTION));
}

static void one_setting(unsigned mode, const struct setting *s)
{
    case_begin("%s: NXE=%d SMEP=%d SMAP=%d AC=%d WP=%d PKE=%d PKRU=%u",
               modes[mode].name, s->nxe, s->smep, s->smap, s->ac, s->wp, s->pke,
               s->pkru);
    for (enum access access = LOAD; access <= FETCH; access++) {
        one_access(mode, s, access, 0);
        one_access(mode, s, access, 3);
    }
    case_end();
}

/*
 * All settings, but for those where two things forbid an access, and manuals do
 * not say whether the error code then has PK.
 */
static void all_settings(unsigned mode)
{
    static const struct setting keys[] = {
        { .pke = false, .pkru = 0 },
        { .pke = false, .pkru = PKRU_AD0 | PKRU_WD0 },
        { .pke = true, .pkru = 0 },
        { .pke = true, .pkru = PKRU_AD0 },
        { .pke = true, .pkru = PKRU_WD0 },
        { .pke = true, .pkru = PKRU_AD0 | PKRU_WD0 },
    };

    for (unsigned bits = 0; bits < 32; bits++) {
        for (unsigned key = 0; key < ARRAY_SIZE(keys); key++) {
            struct setting s = keys[key];

            s.nxe = bits & 1;
            s.smep = bits & 2;
            s.wp = bits & 4;
            s.smap = bits & 8;
            s.ac = bits & 16;
            if (s.smap && !s.ac && s.pke && s.pkru) {
                continue;
            }
            one_setting(mode, &s);
        }
    }
}

void tests(void)
{
    write_cr4(read_cr4() | CR4_PKE);
    for (unsigned mode = 0; mode < ARRAY_SIZE(modes); mode++) {
        all_settings(mode);
    }
    check_invariants();
}
