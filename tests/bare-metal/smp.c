/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two CPUs: each has its own registers and counters, INIT clears the registers
 * of one, and both run guests at the same time, by segments that differ.
 */
#include "lib/smp.h"

#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/vm.h"

#define ROUNDS 500
#define CPUS 2
#define TABLES_BYTE 0x22

static const struct vm_shape shape = { 4, 1, 4, 1 };

/*
 * What the second CPU finds in its registers: CR9 to CR12, and the MSRs by
 * number.
 */
static struct {
    uint64_t cr[4], msr[4 + MAX_FILTER_WORDS], walks;
} found;

static void look(void)
{
    found.cr[0] = read_cr9();
    found.cr[1] = read_cr10();
    found.cr[2] = read_cr11();
    found.cr[3] = read_cr12();
    for (uint32_t msr = MSR_VMM_BASE; msr <= msr_last(); msr++) {
        if (msr != MSR_FILTER_ADD) {
            found.msr[msr - MSR_VMM_BASE] = read_msr(msr);
        }
    }
    found.walks = counter(WALKS);
}

/*
 * Something in each register, without a segment in force; the number of walks
 * last.
 */
static void fill(void)
{
    write_cr9(0x3000);
    write_cr10(0x2000);
    write_cr11(0x1000);
    write_msr(MSR_VMM_BASE, 0x3000);
    write_msr(MSR_VMM_LIMIT, 0x2000);
    write_msr(MSR_VMM_OFFSET, 0x1000);
    for (unsigned i = 0; i < filter_words(); i++) {
        write_msr(MSR_FILTER(i), ~0ull);
    }
    found.walks = counter(WALKS);
    write_cr12(CHECKS);
}

static void expect_zeros(void)
{
    for (unsigned i = 0; i < 4; i++) {
        expect("CR9 to CR12 of the second CPU", 0, found.cr[i]);
    }
    for (unsigned i = 0; i < 4 + filter_words(); i++) {
        expect("MSR of the second CPU", 0, found.msr[i]);
    }
}

static void run_and_wait(void (*function)(void))
{
    smp_run(function);
    smp_wait();
}

static void registers_of_its_own(void)
{
    case_begin("what one CPU writes is not in the other's registers");
    fill();
    smp_start();
    run_and_wait(look);
    expect_zeros();
    dseg_reset();
    run_and_wait(fill);
    expect("CR9 of the first CPU", 0, read_cr9());
    expect("VMM_BASE of the first CPU", 0, read_msr(MSR_VMM_BASE));
    expect("FILTER0 of the first CPU", 0, read_msr(MSR_FILTER(0)));
    case_end();
}

static void init_clears(void)
{
    uint64_t walks;

    case_begin("INIT sets CR9 to CR12 and the MSRs to 0, not the counters");
    run_and_wait(fill);
    walks = found.walks;
    smp_start();
    run_and_wait(look);
    expect_zeros();
    expect("no fewer walks", true, found.walks >= walks);
    case_end();
}

/*
 * Two virtual CPUs of one guest, each on a CPU: what they load, and how often
 * it is right.
 */
static struct {
    struct guest *guest;
    struct segment guest_segment, vmm_segment;
    enum regime regime;
    uint8_t byte;
    unsigned right;
    uint64_t walks, walks_of_others;
} runs[CPUS];
static struct vm vm;
static struct guest second_guest;
static unsigned arrived;

static void run(unsigned cpu)
{
    uint64_t all = SELECTOR(WALKS, ALL_REGIMES, USER, LOAD);
    uint64_t own = SELECTOR(WALKS, runs[cpu].regime, USER, LOAD);
    uint64_t all_before = counter(all), own_before = counter(own);

    runs[cpu].right = 0;
    set_guest_segment(runs[cpu].guest, runs[cpu].guest_segment);
    set_vmm_segment(runs[cpu].vmm_segment);
    __atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) < CPUS) {
        asm volatile("pause");
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct l2_end end = l2_run(runs[cpu].guest, l2_load1,
                                   to_gva(vm.data_hpa), 0);

        runs[cpu].right += end.exit_code == EXIT_VMMCALL &&
                           end.rax == runs[cpu].byte;
    }
    runs[cpu].walks = counter(own) - own_before;
    runs[cpu].walks_of_others = counter(all) - all_before - runs[cpu].walks;
    set_vmm_segment(NO_SEGMENT);
}

static void run_second(void)
{
    run(1);
}

/*
 * Regimes from BASE to DUAL_DIRECT: the byte that is loaded says which segments
 * acted.
 */
static void prepare(unsigned cpu, enum regime regime)
{
    bool by_guest = regime == GUEST_DIRECT || regime == DUAL_DIRECT;
    bool by_vmm = regime == VMM_DIRECT || regime == DUAL_DIRECT;
    uint64_t gpa, hpa;

    /* Each CPU's segments lead to pages of its own. */
    gpa = by_guest ? to_gpa(arena_page(&vm.inside)) : to_gpa(vm.data_hpa);
    *(uint8_t *)at_hpa(gpa - GPA_BASE) = by_guest ? 0x40 + cpu : TABLES_BYTE;
    hpa = arena_page(&vm.inside);
    *(uint8_t *)at_hpa(hpa) = 0x80 + cpu;
    runs[cpu].guest_segment = by_guest
        ? segment(to_gva(vm.data_hpa), PAGE, gpa) : NO_SEGMENT;
    runs[cpu].vmm_segment = by_vmm ? segment(gpa, PAGE, hpa) : NO_SEGMENT;
    runs[cpu].byte = by_vmm ? 0x80 + cpu : by_guest ? 0x40 + cpu : TABLES_BYTE;
    /* Page-table pages stay outside the VMM segment. */
    runs[cpu].regime = regime == VMM_DIRECT ? MIXED : regime;
}

static void at_the_same_time(enum regime first, enum regime second)
{
    case_begin("CPUs run a guest at the same time, one %s, one %s",
               dseg_regime_names[first], dseg_regime_names[second]);
    dseg_reset();
    vm_init(&vm, &shape);
    guest_init(&second_guest, at_hpa(arena_page(&vm.host)), &vm.guest_tables,
               &vm.nested);
    guest_set_cpl(&vm.guest, 3);
    guest_set_cpl(&second_guest, 3);
    runs[0].guest = &vm.guest;
    runs[1].guest = &second_guest;
    prepare(0, first);
    prepare(1, second);
    arrived = 0;
    smp_run(run_second);
    run(0);
    smp_wait();
    for (unsigned cpu = 0; cpu < CPUS; cpu++) {
        expect("right values", ROUNDS, runs[cpu].right);
        expect("walks", ROUNDS, runs[cpu].walks);
        expect("walks in another regime", 0, runs[cpu].walks_of_others);
    }
    case_end();
}

#define FPU_ROUNDS 20000

static bool stop_loading;

/* FNINIT's environment, without an exception. */
static void load_fpu(void)
{
    uint8_t environment[28] __attribute__((aligned(16)));

    asm volatile("fninit\n\tfnstenv %0" : "=m" (environment));
    while (!__atomic_load_n(&stop_loading, __ATOMIC_ACQUIRE)) {
        asm volatile("fldenv %0" :: "m" (environment));
    }
}

/*
 * QEMU's first CPU has the state of IGNNE#, which each CPU clears that loads an
 * FPU's state without exceptions.
 */
static void fpu_of_another(void)
{
    unsigned right = 0;

    case_begin("a CPU that loads its FPU's state leaves the other's world alone");
    dseg_reset();
    vm_init(&vm, &shape);
    stop_loading = false;
    smp_run(load_fpu);
    for (unsigned i = 0; i < FPU_ROUNDS; i++) {
        struct l2_end end = l2_run(&vm.guest, l2_load1, to_gva(vm.data_hpa), 0);

        right += end.exit_code == EXIT_VMMCALL && end.rax == DATA_BYTE;
    }
    __atomic_store_n(&stop_loading, true, __ATOMIC_RELEASE);
    smp_wait();
    expect("right values", FPU_ROUNDS, right);
    case_end();
}

void tests(void)
{
    registers_of_its_own();
    init_clears();
    for (enum regime first = BASE; first <= DUAL_DIRECT; first++) {
        for (enum regime second = BASE; second <= DUAL_DIRECT; second++) {
            at_the_same_time(first, second);
        }
    }
    fpu_of_another();
}
