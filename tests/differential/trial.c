/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One access, by the reference and by the CPU. */
#include "trial.h"

#include "lib/cpu.h"
#include "native.h"

#define TLB_ENTRIES 64                      /* QEMU's has at least as many */
#define FETCHED_INSTRUCTION 5               /* bytes of mov $tag, %eax */
#define ACCESS_INSTRUCTION 2                /* ... of mov (%rsi), %eax */

/* -- Memory -- */

static bool is_tables_or_data(uint64_t hpa)
{
    return hpa >= WINDOW && hpa < NESTED_TABLES_END;
}

/* Whether it is known what is there, and that it stays. */
static bool is_known(uint64_t hpa)
{
    return is_tables_or_data(hpa) || hpa >= HOLE;
}

/*
 * The bits that the steps before will have set in an entry. It may be one of
 * PAE's topmost entries, too, where they are reserved.
 */
static uint64_t set_before(const struct trial *trial, uint64_t hpa)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i + 1 < trial->steps; i++) {
        const struct ref_result *result = &trial->step[i].result;

        for (unsigned k = 0; k < result->updates; k++) {
            if (result->update[k].hpa == hpa && result->update[k].certain) {
                bits |= result->update[k].bits;
            }
        }
    }
    return bits;
}

/* For the reference; notes in the last step what it reads. */
static uint64_t read_memory(void *opaque, uint64_t hpa)
{
    struct trial *trial = opaque;
    struct step *step = &trial->step[trial->steps - 1];

    if (trial->steps > 1 && (hpa & -PAGE) == (step[-1].result.hpa & -PAGE)) {
        step->in_page_before = true;
    }
    step->known = step->known && is_known(hpa);
    step->in_hole = step->in_hole || hpa >= HOLE;
    return is_tables_or_data(hpa)
        ? *(uint64_t *)at_hpa(hpa) | set_before(trial, hpa) : 0;
}

/* -- The plan -- */

static bool is_code_fetch(const struct trial *trial, const struct step *step)
{
    return step->access.kind == REF_FETCH &&
           trial->access.ref.kind != REF_FETCH;
}

/* Whether the access may arrive where it does. */
static bool may_arrive(const struct trial *trial, const struct world *world,
                       const struct step *step)
{
    uint64_t hpa = step->result.hpa;

    if (world->without_guest && hpa >= HOLE) {
        return false;
    }
    if (is_code_fetch(trial, step)) {
        return (hpa & -PAGE) == CODE_HPA;
    }
    if (step->access.kind == REF_LOAD && !step->access.implicit) {
        return is_known(hpa);
    }
    return in_data(hpa) || (step->access.kind == REF_STORE && hpa >= HOLE);
}

static bool may_update(const struct ref_result *result)
{
    for (unsigned i = 0; i < result->updates; i++) {
        if (!in_tables(result->update[i].hpa)) {
            return false;
        }
    }
    return true;
}

/*
 * Whether QEMU's TLB needs one walk for it, as the counters have it: not if it
 * has the page already, for the code; and a device's page may go, if the code's
 * takes its place, at any time.
 */
static bool is_one_walk(const struct trial *trial, const struct step *step)
{
    uint64_t page = step->access.gva / PAGE;
    uint64_t code = trial->step[0].access.gva / PAGE;

    return step == &trial->step[0] ||
           (step->result.hpa < HOLE ? page != code
                                    : page % TLB_ENTRIES != code % TLB_ENTRIES);
}

/* CPUs differ in what they do about reserved bits in PAE's topmost entries. */
static bool is_odd_pae(const struct world *world,
                       const struct ref_result *result)
{
    return world->mode == MODE_PAE && result->fault == REF_PF_RESERVED &&
           result->guest_refs == 1;
}

/* VMRUN makes RIP and the base of the descriptor table canonical. */
static bool is_made_canonical(const struct step *step)
{
    return step->result.fault == REF_NON_CANONICAL &&
           (step->access.implicit || step->access.kind == REF_FETCH);
}

/* False if it can't be tried. */
static bool plan_step(struct trial *trial, const struct world *world,
                      const struct ref_access *access)
{
    struct step *step = &trial->step[trial->steps++];
    const struct ref_memory memory = { read_memory, trial };

    step->access = *access;
    step->known = true;
    step->in_hole = step->in_page_before = false;
    ref_translate(&world->state, access, &memory, &step->result);
    expected_add(&trial->costs, access, &step->result);
    return step->known && may_update(&step->result) &&
           is_one_walk(trial, step) &&
           !is_odd_pae(world, &step->result) && !is_made_canonical(step) &&
           (step->result.fault || may_arrive(trial, world, step));
}

/* The load before a store, if there is to be one. */
static bool plan_load(struct trial *trial, const struct world *world)
{
    struct ref_access load = trial->access.ref;

    load.kind = REF_LOAD;
    return !trial->access.after_load ||
           (plan_step(trial, world, &load) &&
            last_step(trial)->result.hpa < HOLE);
}

static bool plan_code(struct trial *trial, const struct world *world)
{
    uint64_t code = machine_code(world, &trial->access);
    const struct ref_access fetch = {
        .gva = code, .kind = REF_FETCH,
        .user = trial->access.cpl == 3, .ac = trial->access.ref.ac,
    };

    return trial->access.ref.kind == REF_FETCH || !code ||
           plan_step(trial, world, &fetch);
}

/*
 * What QEMU can't do for the second page of an access. If it finds no memory,
 * it may begin the instruction again, and walk for the first page twice. If a
 * table is in the page where the instruction begins, it hangs: that page is
 * locked while it is translated, and it locks the pages of tables too.
 */
static bool is_too_much_for_qemu(const struct step *second)
{
    return second->in_hole ||
           (second->access.kind == REF_FETCH && second->in_page_before);
}

/* The part of an access on the second page that it straddles. */
static bool plan_second_page(struct trial *trial, const struct world *world)
{
    struct ref_access second = trial->access.ref;
    uint64_t last = second.gva + trial->access.size - 1;

    if (!straddles(&trial->access)) {
        return true;
    }
    second.gva = last & -PAGE;
    return last_step(trial)->result.hpa < HOLE &&
           plan_step(trial, world, &second) &&
           !is_too_much_for_qemu(last_step(trial)) &&
           (last_step(trial)->result.fault ||
            last_step(trial)->result.hpa < HOLE);
}

bool trial_plan(struct trial *trial, const struct world *world)
{
    trial->steps = 0;
    __builtin_memset(&trial->costs, 0, sizeof(trial->costs));
    if (world->without_guest && trial->access.ref.implicit) {
        return false;
    }
    if (!plan_code(trial, world)) {
        return false;
    }
    if (trial->steps && last_step(trial)->result.fault) {
        return trial->code_may_fault;
    }
    if (!plan_load(trial, world)) {
        return false;
    }
    if (trial->steps && last_step(trial)->result.fault) {
        return true;
    }
    if (!plan_step(trial, world, &trial->access.ref)) {
        return false;
    }
    return last_step(trial)->result.fault || plan_second_page(trial, world);
}

/* -- How it ended -- */

/* The hPA of a byte of an access that does not fault. */
static uint64_t byte_hpa(const struct trial *trial, unsigned byte)
{
    uint64_t gva = trial->access.ref.gva + byte;
    const struct step *step = last_step(trial);

    if ((gva & -PAGE) != (step->access.gva & -PAGE)) {
        step--;
    }
    return (step->result.hpa & -PAGE) + gva % PAGE;
}

static uint8_t *byte_at(const struct trial *trial, unsigned byte)
{
    static uint8_t hole;
    uint64_t hpa = byte_hpa(trial, byte);

    hole = 0;
    return hpa >= HOLE ? &hole : at_hpa(hpa);
}

static uint32_t bytes_there(const struct trial *trial)
{
    uint32_t bytes = 0;

    for (unsigned i = 0; i < trial->access.size; i++) {
        bytes |= (uint32_t)*byte_at(trial, i) << (8 * i);
    }
    return bytes;
}

/* RAX after an access that does not fault. */
static uint64_t expected_rax(const struct trial *trial)
{
    switch (trial->access.ref.kind) {
    case REF_STORE:
        return trial->value;
    case REF_FETCH:
        return *(uint32_t *)at_hpa(last_step(trial)->result.hpa + 1);
    default:
        return trial->access.size == 4
            ? bytes_there(trial) : (trial->value & ~0xffu) | bytes_there(trial);
    }
}

static struct outcome expected_fault(const struct step *step)
{
    const struct ref_result *result = &step->result;
    struct outcome outcome = {
        .exit_code = EXIT_NPF, .info1 = result->error, .info2 = result->address,
    };

    if (result->fault == REF_NON_CANONICAL) {
        outcome.exit_code = EXIT_EXCEPTION(VECTOR_GP);
    } else if (result->fault < REF_NPF_FINAL) {
        outcome.exit_code = EXIT_EXCEPTION(VECTOR_PF);
    }
    return outcome;
}

static struct outcome expected_success(const struct trial *trial)
{
    if (trial->access.ref.implicit) {       /* that is no descriptor */
        return (struct outcome) {
            .exit_code = EXIT_EXCEPTION(VECTOR_GP),
            .info1 = DESCRIPTOR_SELECTOR,
        };
    }
    return (struct outcome) {
        .exit_code = EXIT_VMMCALL, .rax = expected_rax(trial),
    };
}

static void compare_outcome(const struct trial *trial,
                            const struct outcome *expected,
                            trial_mismatch *mismatch, void *opaque)
{
    const struct outcome *got = &trial->outcome;

    if (got->exit_code != expected->exit_code) {
        mismatch(opaque, "exit code", expected->exit_code, got->exit_code);
    } else if (got->exit_code == EXIT_VMMCALL) {
        if (got->rax != expected->rax) {
            mismatch(opaque, "RAX", expected->rax, got->rax);
        }
        return;
    }
    if (got->info1 != expected->info1) {
        mismatch(opaque, "error code", expected->info1, got->info1);
    }
    if (got->info2 != expected->info2 && expected->info2) {
        mismatch(opaque, "faulting address", expected->info2, got->info2);
    }
}

/* Where a fault left RIP, or VMMCALL. */
static void compare_rip(const struct trial *trial, const struct world *world,
                        trial_mismatch *mismatch, void *opaque)
{
    uint64_t expected = machine_code(world, &trial->access);

    if (trial->access.after_load &&
        last_step(trial)->access.kind == REF_STORE) {
        expected += ACCESS_INSTRUCTION;
    }
    if (!last_step(trial)->result.fault && !trial->access.ref.implicit) {
        expected += trial->access.ref.kind == REF_FETCH
                    ? FETCHED_INSTRUCTION + straddles(&trial->access)
                    : ACCESS_INSTRUCTION;
    }
    if (trial->outcome.rip != expected && machine_code(world, &trial->access)) {
        mismatch(opaque, "RIP", expected, trial->outcome.rip);
    }
}

/* -- Traces in memory -- */

static bool stores(const struct trial *trial)
{
    return trial->access.ref.kind == REF_STORE &&
           !last_step(trial)->result.fault;
}

static void write_bytes(const struct trial *trial, uint32_t bytes)
{
    for (unsigned i = 0; i < trial->access.size; i++) {
        *byte_at(trial, i) = bytes >> (8 * i);
    }
}

static void compare_store(const struct trial *trial, trial_mismatch *mismatch,
                          void *opaque)
{
    unsigned unused = 8 * (4 - trial->access.size);
    uint32_t expected = trial->value << unused >> unused;

    if (byte_hpa(trial, 0) < HOLE && bytes_there(trial) != expected) {
        mismatch(opaque, "bytes stored", expected, bytes_there(trial));
    }
}

/*
 * Set the bits in the shadow that the walks have to set; and of those that they
 * may set, what they did set.
 */
static void update_shadow(const struct ref_result *result)
{
    for (unsigned i = 0; i < result->updates; i++) {
        const struct ref_update *update = &result->update[i];
        uint64_t now = *(uint64_t *)at_hpa(update->hpa);

        *shadow_of(update->hpa) |=
            update->certain ? update->bits : update->bits & now;
    }
}

static void compare_shadow(const struct ref_result *result,
                           trial_mismatch *mismatch, void *opaque)
{
    for (unsigned i = 0; i < result->updates; i++) {
        uint64_t hpa = result->update[i].hpa;
        uint64_t now = *(uint64_t *)at_hpa(hpa);

        if (now != *shadow_of(hpa)) {
            mismatch(opaque, "hPA of an entry whose A or D is wrong", hpa, hpa);
            mismatch(opaque, "... that entry", *shadow_of(hpa), now);
            *shadow_of(hpa) = now;
        }
    }
}

static void compare_updates(const struct trial *trial,
                            trial_mismatch *mismatch, void *opaque)
{
    for (unsigned i = 0; i < trial->steps; i++) {
        update_shadow(&trial->step[i].result);
    }
    for (unsigned i = 0; i < trial->steps; i++) {
        compare_shadow(&trial->step[i].result, mismatch, opaque);
    }
}

/* -- Native walks of the kernel -- */

/*
 * L1's fetch after the #VMEXIT: its pages have 1 GiB, so two levels less than
 * it has.
 */
static void add_own_fetch(uint64_t counts[NATIVE_COUNTS],
                          const struct world *world)
{
    counts[NATIVE_WALKS]++;
    counts[NATIVE_REFS] += world->state.host.cr4 & CR4_LA57 ? 3 : 2;
    counts[NATIVE_CHECKS] +=
        world->host_segment.base < world->host_segment.limit;
}

static void compare_native(const struct trial *trial, const struct world *world,
                           trial_mismatch *mismatch, void *opaque)
{
    static const unsigned count[NATIVE_COUNTS] = { WALKS, GUEST_REFS, CHECKS };
    const struct native_counts *got = &trial->outcome.native;

    for (unsigned kind = LOAD; kind <= FETCH; kind++) {
        uint64_t expected[NATIVE_COUNTS];

        for (unsigned i = 0; i < NATIVE_COUNTS; i++) {
            expected[i] = expected_count(&trial->costs,
                                   SELECTOR(count[i], NATIVE, KERNEL, kind));
        }
        if (kind == FETCH && !world->without_guest) {
            add_own_fetch(expected, world);
        }
        for (unsigned i = 0; i < NATIVE_COUNTS; i++) {
            uint64_t delta = got->count[1][kind - 1][i] -
                             got->count[0][kind - 1][i];

            if (delta != expected[i]) {
                mismatch(opaque, "selector of a wrong count",
                         SELECTOR(count[i], NATIVE, KERNEL, kind),
                         SELECTOR(count[i], NATIVE, KERNEL, kind));
                mismatch(opaque, "... that count", expected[i], delta);
            }
        }
    }
}

void trial_run(struct trial *trial, const struct world *world,
               struct guest *guest, trial_mismatch *mismatch, void *opaque)
{
    uint32_t overwritten = stores(trial) ? bytes_there(trial) : 0;
    struct outcome expected;

    if (world->without_guest) {
        native_access(world, &trial->access, trial->value, &trial->outcome);
    } else {
        machine_access(guest, world, &trial->access, trial->value,
                       &trial->outcome);
    }
    expected = last_step(trial)->result.fault
               ? expected_fault(last_step(trial)) : expected_success(trial);
    compare_outcome(trial, &expected, mismatch, opaque);
    compare_rip(trial, world, mismatch, opaque);
    compare_updates(trial, mismatch, opaque);
    if (stores(trial)) {
        compare_store(trial, mismatch, opaque);
        write_bytes(trial, overwritten);
    }
    if (!trial->access.after_load &&
        (!world->without_guest || trial->access.cpl == 0)) {
        compare_native(trial, world, mismatch, opaque);
    }
}
