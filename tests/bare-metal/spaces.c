/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A translation made under one state of segments and filter is not used under
 * another: each write of a register, address spaces that a guest switches
 * between, guests side by side.
 */
#include "lib/cpu.h"
#include "lib/invariants.h"
#include "lib/tap.h"
#include "lib/vm.h"

#define TABLES_BYTE 0x22u           /* where the page tables lead */
/* Where segments lead: the first page, or the second. */
#define FIRST_BYTE 0x11u
#define SECOND_BYTE 0x33u
#define ROUNDS 100

static const struct vm_shape shape = { 4, 1, 4, 1 };

/*
 * A guest with one page of data, and two other pages for segments to lead to.
 */
struct space {
    struct vm vm;
    uint64_t gva, first, second;    /* the last two are hPAs */
};

static void make(struct space *s, const struct space *beside)
{
    if (beside) {
        vm_init_beside(&s->vm, &shape, &beside->vm);
    } else {
        dseg_reset();
        vm_init(&s->vm, &shape);
    }
    s->gva = to_gva(s->vm.data_hpa);
    s->first = arena_page(&s->vm.inside);
    s->second = arena_page(&s->vm.inside);
    *(uint8_t *)at_hpa(s->vm.data_hpa) = TABLES_BYTE;
    *(uint8_t *)at_hpa(s->first) = FIRST_BYTE;
    *(uint8_t *)at_hpa(s->second) = SECOND_BYTE;
    s->vm.guest.vmcb->tlb_control = 0;
}

/*
 * CR9 to CR11 before (0: gva, 1: gva + a page for CR9 and CR10), and the write.
 */
static const struct {
    const char *name, *snippet;
    bool base_above, limit_above, second;
    unsigned before, after;
} rows[] = {
    { "CR10 raised", l2_load_write_cr10_load, false, false, false,
      TABLES_BYTE, FIRST_BYTE },
    { "CR10 lowered", l2_load_write_cr10_load, false, true, false,
      FIRST_BYTE, TABLES_BYTE },
    { "CR9 raised", l2_load_write_cr9_load, false, true, false,
      FIRST_BYTE, TABLES_BYTE },
    { "CR9 lowered", l2_load_write_cr9_load, true, true, false,
      TABLES_BYTE, FIRST_BYTE },
    { "CR11 changed", l2_load_write_cr11_load, false, true, false,
      FIRST_BYTE, SECOND_BYTE },
    { "CR11 changed back", l2_load_write_cr11_load, false, true, true,
      SECOND_BYTE, FIRST_BYTE },
};

/* The other value of the register that the snippet writes. */
static uint64_t new_value(const struct space *s, unsigned row)
{
    if (rows[row].snippet == l2_load_write_cr9_load) {
        return s->gva + (rows[row].base_above ? 0 : PAGE);
    }
    if (rows[row].snippet == l2_load_write_cr10_load) {
        return s->gva + (rows[row].limit_above ? 0 : PAGE);
    }
    return to_gpa(rows[row].second ? s->first : s->second) - s->gva;
}

static void register_write(unsigned row, bool vmm_segment, bool global)
{
    struct l2_end end;
    struct space s;

    case_begin("L2, %s, VMM segment=%d, global page=%d: the next load is by "
               "the new value", rows[row].name, vmm_segment, global);
    make(&s, NULL);
    set_guest_segment(&s.vm.guest, (struct segment) {
        s.gva + (rows[row].base_above ? PAGE : 0),
        s.gva + (rows[row].limit_above ? PAGE : 0),
        to_gpa(rows[row].second ? s.second : s.first) - s.gva,
    });
    if (vmm_segment) {
        set_vmm_segment(segment(to_gpa(0), MEMORY_END, 0));
    }
    if (global) {
        *tables_entry(&s.vm.guest_tables, s.gva, 1) |= PTE_G;
        s.vm.guest.vmcb->cr4 |= CR4_PGE;
    }
    end = l2_run(&s.vm.guest, rows[row].snippet, s.gva, new_value(&s, row));
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    expect("bytes before and after", rows[row].before | rows[row].after << 8,
           end.rax);
    case_end();
}

static void cr3_alone(void)
{
    struct l2_end end;
    struct space s;

    case_begin("a write of CR3 leaves the segment in force");
    make(&s, NULL);
    set_guest_segment(&s.vm.guest, segment(s.gva, PAGE, to_gpa(s.first)));
    end = l2_run(&s.vm.guest, l2_load_write_cr3_load, s.gva,
                 s.vm.guest.vmcb->cr3);
    expect("bytes before and after", FIRST_BYTE | FIRST_BYTE << 8, end.rax);
    case_end();
}

/*
 * Two processes of one guest: each with its CR3, and a segment of its own or
 * none.
 */
static void two_address_spaces(bool from_segment, bool to_segment)
{
    struct tables other;
    struct l2_end end;
    struct space s;

    case_begin("L2 goes from a process %s a segment to one %s",
               from_segment ? "with" : "without",
               to_segment ? "with" : "without");
    make(&s, NULL);
    if (from_segment) {
        set_guest_segment(&s.vm.guest, segment(s.gva, PAGE, to_gpa(s.first)));
    }
    tables_init(&other, 4, -GPA_BASE, &s.vm.inside);
    l2_map_code(&other);
    tables_map(&other, s.gva, to_gpa(s.second), PAGE, 1, PTE_P | PTE_W);
    s.vm.guest.registers.r8 = s.gva;
    s.vm.guest.registers.r9 = s.gva + (to_segment ? PAGE : 0);
    s.vm.guest.registers.r10 = to_gpa(s.first) - s.gva;
    end = l2_run(&s.vm.guest, l2_load_switch_load, s.gva, other.root);
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    expect("bytes before and after", (from_segment ? FIRST_BYTE : TABLES_BYTE) |
           (to_segment ? FIRST_BYTE : SECOND_BYTE) << 8, end.rax);
    case_end();
}

static uint64_t loaded(struct space *s)
{
    return l2_run(&s->vm.guest, l2_load1, s->gva, 0).rax;
}

/* Each write of an MSR between two VMRUNs that do not flush the TLB. */
static void msr_writes(void)
{
    uint64_t gpa, words[MAX_FILTER_WORDS] = { 0 };
    struct space s;

    make(&s, NULL);
    gpa = to_gpa(s.vm.data_hpa);
    case_begin("a write of VMM_LIMIT, BASE, OFFSET or the filter is in force "
               "at the next VMRUN, without a flush");
    expect("no segment", TABLES_BYTE, loaded(&s));
    set_vmm_segment(segment(gpa, PAGE, s.first));
    expect("segment", FIRST_BYTE, loaded(&s));
    write_msr(MSR_VMM_LIMIT, gpa);
    expect("LIMIT lowered", TABLES_BYTE, loaded(&s));
    write_msr(MSR_VMM_LIMIT, gpa + 2 * PAGE);
    expect("LIMIT raised", FIRST_BYTE, loaded(&s));
    write_msr(MSR_VMM_BASE, gpa + PAGE);
    expect("BASE raised", TABLES_BYTE, loaded(&s));
    write_msr(MSR_VMM_BASE, gpa);
    expect("BASE lowered", FIRST_BYTE, loaded(&s));
    write_msr(MSR_VMM_OFFSET, s.second - gpa);
    expect("OFFSET changed", SECOND_BYTE, loaded(&s));
    filter_add(gpa);
    expect("page added to the filter", TABLES_BYTE, loaded(&s));
    filter_bits(gpa, words);
    for (unsigned i = 0; i < filter_words(); i++) {
        if (!words[i]) {
            continue;
        }
        write_msr(MSR_FILTER(i), 0);
        expect("filter word cleared", SECOND_BYTE, loaded(&s));
        write_msr(MSR_FILTER(i), words[i]);
        expect("filter word set", TABLES_BYTE, loaded(&s));
    }
    case_end();
}

/*
 * Guests that have something else at the same gVA, and of which L1 runs one,
 * then the other.
 */
static void guests_in_turn(bool own_asid)
{
    static struct space a, b;

    case_begin("two guests in turn, with %s: each by its own segments",
               own_asid ? "an ASID each" : "the same ASID");
    make(&a, NULL);
    make(&b, &a);
    /* Both have data at the gVA of b's. */
    tables_map(&a.vm.guest_tables, b.gva, to_gpa(a.vm.data_hpa), PAGE, 1,
               PTE_P | PTE_W);
    b.vm.guest.vmcb->asid = own_asid ? 2 : 1;
    set_guest_segment(&a.vm.guest, segment(b.gva, PAGE, to_gpa(a.first)));
    set_guest_segment(&b.vm.guest, segment(b.gva, PAGE, to_gpa(b.second)));
    a.gva = b.gva;
    for (unsigned i = 0; i < ROUNDS; i++) {
        expect("a, guest-direct", FIRST_BYTE, loaded(&a));
        expect("b, guest-direct", SECOND_BYTE, loaded(&b));
    }
    set_guest_segment(&b.vm.guest, NO_SEGMENT);
    for (unsigned i = 0; i < ROUNDS; i++) {
        set_vmm_segment(segment(to_gpa(a.first), PAGE, a.second));
        expect("a, dual-direct", SECOND_BYTE, loaded(&a));
        set_vmm_segment(segment(to_gpa(b.vm.data_hpa), PAGE, b.first));
        expect("b, vmm-direct", FIRST_BYTE, loaded(&b));
        set_vmm_segment(NO_SEGMENT);
        expect("a, guest-direct", FIRST_BYTE, loaded(&a));
        expect("b, base", TABLES_BYTE, loaded(&b));
    }
    case_end();
}

void tests(void)
{
    for (unsigned row = 0; row < ARRAY_SIZE(rows); row++) {
        for (unsigned bits = 0; bits < 4; bits++) {
            register_write(row, bits & 1, bits & 2);
        }
    }
    cr3_alone();
    for (unsigned bits = 0; bits < 4; bits++) {
        two_address_spaces(bits & 1, bits & 2);
    }
    msr_writes();
    guests_in_turn(false);
    guests_in_turn(true);
    check_invariants();
}
