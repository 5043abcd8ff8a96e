/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was tried, and what went wrong. */
#include "report.h"

#include "lib/print.h"

static const char *const regime_names[REGIMES] = {
    [NATIVE] = "native", [NATIVE_DIRECT] = "native-direct", [BASE] = "base",
    [VMM_DIRECT] = "vmm-direct", [GUEST_DIRECT] = "guest-direct",
    [DUAL_DIRECT] = "dual-direct", [MIXED] = "mixed",
};
static const char *const fault_names[REF_NPF_TABLE + 1] = {
    [REF_NON_CANONICAL] = "non-canonical",
    [REF_PF_NOT_PRESENT] = "#PF not present",
    [REF_PF_PROTECTION] = "#PF protection",
    [REF_PF_RESERVED] = "#PF reserved bit",
    [REF_NPF_FINAL] = "#NPF final gPA", [REF_NPF_TABLE] = "#NPF table's gPA",
};
static const char *const mode_names[] = {
    [MODE_LONG] = "64-bit", [MODE_COMPATIBILITY] = "compatibility",
    [MODE_PAE] = "PAE", [MODE_UNPAGED] = "no paging",
};
static const char *const kind_names[] = {
    [REF_LOAD] = "load", [REF_STORE] = "store", [REF_FETCH] = "fetch",
};

/* -- Coverage -- */

void coverage_add(struct coverage *coverage, const struct world *world,
                  const struct trial *trial)
{
    const struct step *step = last_step(trial);
    const struct ref_result *result = &step->result;
    uint64_t (*row)[2] = result->fault ? coverage->fault[result->fault]
                                       : coverage->regime[result->regime];

    row[step->access.kind - 1][!step->access.user]++;
    coverage->mode[world->mode]++;
    coverage->without_guest += world->without_guest;
    coverage->implicit += step->access.implicit;
    coverage->after_load += trial->access.after_load;
    coverage->straddling += straddles(&trial->access);
    coverage->escapes += result->escapes;
    coverage->false_escapes += result->false_escapes;
}

/* Print text or a number, in a column of its own. */
static void print_column(const char *text, unsigned width)
{
    unsigned length = 0;

    while (text[length]) {
        length++;
    }
    print("%s", text);
    for (; length < width; length++) {
        print(" ");
    }
}

static void print_number(uint64_t number, unsigned width)
{
    char digits[21];
    unsigned at = sizeof(digits) - 1;

    digits[at] = 0;
    do {
        digits[--at] = '0' + number % 10;
        number /= 10;
    } while (number);
    print_column("", width - (sizeof(digits) - 1 - at));
    print("%s", digits + at);
}

static unsigned print_row(const char *name, const uint64_t row[3][2],
                          unsigned kinds)
{
    unsigned missing = 0;

    print_column(name, 20);
    for (unsigned i = 0; i < kinds; i++) {
        for (unsigned j = 0; j < 2; j++) {
            print_number(row[i][j], 10);
            missing += !row[i][j];
        }
    }
    print("\n");
    return missing;
}

static unsigned print_total(const char *name, uint64_t total)
{
    print_column(name, 20);
    print_number(total, 10);
    print("\n");
    return !total;
}

unsigned coverage_print(const struct coverage *coverage)
{
    unsigned missing = 0;

    print("                        load      load     store     store"
          "     fetch     fetch\n"
          "                        user    kernel      user    kernel"
          "      user    kernel\n");
    for (unsigned i = NATIVE; i < REGIMES; i++) {
        missing += print_row(regime_names[i], coverage->regime[i], 3);
    }
    for (unsigned i = REF_PF_NOT_PRESENT; i <= REF_NPF_TABLE; i++) {
        missing += print_row(fault_names[i], coverage->fault[i], 3);
    }
    /* VMRUN can't begin at an address that is not canonical. */
    missing += print_row(fault_names[REF_NON_CANONICAL],
                         coverage->fault[REF_NON_CANONICAL], 2);
    for (unsigned i = 0; i <= MODE_UNPAGED; i++) {
        missing += print_total(mode_names[i], coverage->mode[i]);
    }
    missing += print_total("without a guest", coverage->without_guest);
    missing += print_total("implicit", coverage->implicit);
    missing += print_total("straddling", coverage->straddling);
    missing += print_total("store after a load", coverage->after_load);
    missing += print_total("escapes", coverage->escapes);
    missing += print_total("false escapes", coverage->false_escapes);
    print_total("not tried", coverage->skipped);
    return missing;
}

/* -- One trial -- */

static void report_segment(const char *name, const struct ref_segment *segment)
{
    print("  %s: BASE 0x%lx LIMIT 0x%lx OFFSET 0x%lx\n", name, segment->base,
          segment->limit, segment->offset);
}

static void report_paging(const char *name, const struct ref_paging *paging)
{
    print("  %s: CR0 0x%lx CR3 0x%lx CR4 0x%lx EFER 0x%lx\n", name, paging->cr0,
          paging->cr3, paging->cr4, paging->efer);
}

void report_world(const struct world *world)
{
    const struct ref_state *state = &world->state;

    print("  %s code, %s, PKRU 0x%x, MAXPHYADDR %u\n", mode_names[world->mode],
          world->without_guest ? "no guest"
          : state->nested ? "nested paging" : "no nested paging", state->pkru,
          state->maxphyaddr);
    report_paging("guest", &state->guest);
    report_paging("host", &state->host);
    report_segment("segment of L1", &world->host_segment);
    report_segment("guest segment", &state->guest_segment);
    report_segment("VMM segment", &state->vmm_segment);
    print("  filter:");
    for (unsigned i = 0; i < state->filter_bits / 64; i++) {
        print(" 0x%lx", state->filter[i]);
    }
    print(", %u pages added%s\n", state->added_count,
          state->added_known ? "" : ", not known");
}

static void report_step(const struct step *step)
{
    const struct ref_access *access = &step->access;
    const struct ref_result *result = &step->result;

    print("  %s%s of gVA 0x%lx, %s, AC=%u: ",
          access->implicit ? "implicit " : "", kind_names[access->kind],
          access->gva, access->user ? "user" : "kernel", access->ac);
    if (result->fault) {
        print("%s, error code 0x%lx, address 0x%lx", fault_names[result->fault],
              result->error, result->address);
    } else {
        print("hPA 0x%lx, %s", result->hpa, regime_names[result->regime]);
    }
    print("; %u guest and %u nested references, %u checks, %u lookups, "
          "%u escapes, %u false\n", result->guest_refs, result->nested_refs,
          result->checks, result->filter_lookups, result->escapes,
          result->false_escapes);
    for (unsigned i = 0; i < result->updates; i++) {
        print("    entry at hPA 0x%lx: %s 0x%lx\n", result->update[i].hpa,
              result->update[i].certain ? "sets" : "may set",
              result->update[i].bits);
    }
}

void report_trial(const struct trial *trial)
{
    const struct outcome *got = &trial->outcome;

    print("  expected, at CPL %u, %u bytes:\n", trial->access.cpl,
          trial->access.size);
    for (unsigned i = 0; i < trial->steps; i++) {
        report_step(&trial->step[i]);
    }
    print("  got: exit code 0x%lx, EXITINFO1 0x%lx, EXITINFO2 0x%lx, "
          "RIP 0x%lx, RAX 0x%lx\n", got->exit_code, got->info1, got->info2,
          got->rip, got->rax);
}
