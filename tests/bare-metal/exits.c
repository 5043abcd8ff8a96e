/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which instructions of a guest its intercepts make exit, with which code, and
 * what comes before (AMD's manual, volume 2, 15.9, table 15-7). The guest has
 * nested paging, or not.
 */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/vm.h"

#define MSR_FS_BASE 0xc0000100
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR4_TSD BIT(2)

/* The bits of intercepts1 and intercepts2, by their exit codes. */
#define INTERCEPT1(exit) (1u << ((exit) - 0x60))
#define INTERCEPT2(exit) (1u << ((exit) - 0x80))
enum {
    EXIT_CR0_SEL_WRITE = 0x65, EXIT_RDTSC = 0x6e, EXIT_VMLOAD = 0x82,
    EXIT_VMSAVE = 0x83, EXIT_SKINIT = 0x86, EXIT_RDTSCP = 0x87,
    EXIT_MWAIT = 0x8b,
};
#define SEL_WRITE INTERCEPT1(EXIT_CR0_SEL_WRITE)
#define RDTSC INTERCEPT1(EXIT_RDTSC)
#define RDTSCP INTERCEPT2(EXIT_RDTSCP)
#define VMLOAD INTERCEPT2(EXIT_VMLOAD)
#define VMSAVE INTERCEPT2(EXIT_VMSAVE)
#define SKINIT INTERCEPT2(EXIT_SKINIT)
#define MWAIT INTERCEPT2(EXIT_MWAIT)
#define DONE EXIT_VMMCALL
#define GP EXIT_EXCEPTION(VECTOR_GP)
#define UD EXIT_EXCEPTION(VECTOR_UD)

#define CODE(bytes) bytes, sizeof(bytes) - 1
#define RDTSC_CODE CODE("\x0f\x31")
#define RDTSCP_CODE CODE("\x0f\x01\xf9")
#define MOV_CR0_CODE CODE("\x0f\x22\xc0")
#define CLTS_CODE CODE("\x0f\x06")
#define LMSW_CODE CODE("\x0f\x01\xf0")          /* AX */
#define LMSW_MEMORY_CODE CODE("\x0f\x01\x30")   /* (%rax) */
#define SKINIT_CODE CODE("\x0f\x01\xde")
#define MWAIT_CODE CODE("\x0f\x01\xc9")
#define VMLOAD_CODE CODE("\x0f\x01\xda")
#define VMSAVE_CODE CODE("\x0f\x01\xdb")

#define CR0_GUEST 0x80010033    /* what guest_init() sets */
#define UNMAPPED (1ull << 40)

static const struct vm_shape shape = { 4, 1, 4, 1 };

static const struct {
    const char *name, *code;
    unsigned size;
    uint32_t intercepts1, intercepts2;
    uint16_t cr_writes;
    uint64_t rax, rcx, cr4;
    unsigned cpl;
    uint64_t exit_code;
} rows[] = {
    { "RDTSC, its intercept", RDTSC_CODE, RDTSC, 0, 0, 0, 0, 0, 0, EXIT_RDTSC },
    { "RDTSC, RDTSCP's intercept", RDTSC_CODE, 0, RDTSCP, 0, 0, 0, 0, 0, DONE },
    { "RDTSCP, its intercept", RDTSCP_CODE, 0, RDTSCP, 0, 0, 0, 0, 0,
      EXIT_RDTSCP },
    { "RDTSCP, RDTSC's intercept", RDTSCP_CODE, RDTSC, 0, 0, 0, 0, 0, 0, DONE },
    { "RDTSCP, both intercepts", RDTSCP_CODE, RDTSC, RDTSCP, 0, 0, 0, 0, 3,
      EXIT_RDTSCP },
    { "RDTSCP with CR4.TSD at CPL 3", RDTSCP_CODE, RDTSC, RDTSCP, 0, 0, 0,
      CR4_TSD, 3, GP },
    { "RDTSCP with CR4.TSD at CPL 0", RDTSCP_CODE, RDTSC, RDTSCP, 0, 0, 0,
      CR4_TSD, 0, EXIT_RDTSCP },

    { "LMSW of the same, selective", LMSW_CODE, SEL_WRITE, 0, 0, CR0_GUEST, 0, 0,
      0, EXIT_CR0_SEL_WRITE },
    { "LMSW that sets TS, selective", LMSW_CODE, SEL_WRITE, 0, 0,
      CR0_GUEST | CR0_TS, 0, 0, 0, EXIT_CR0_SEL_WRITE },
    { "LMSW that clears MP, selective", LMSW_CODE, SEL_WRITE, 0, 0,
      CR0_GUEST & ~CR0_MP, 0, 0, 0, EXIT_CR0_SEL_WRITE },
    { "LMSW that sets EM, selective", LMSW_CODE, SEL_WRITE, 0, 0,
      CR0_GUEST | CR0_EM, 0, 0, 0, EXIT_CR0_SEL_WRITE },
    { "LMSW, both intercepts of CR0 writes", LMSW_CODE, SEL_WRITE, 0, 1,
      CR0_GUEST, 0, 0, 0, EXIT_WRITE_CR(0) },
    { "LMSW from nowhere, selective", LMSW_MEMORY_CODE, SEL_WRITE, 0, 0,
      UNMAPPED, 0, 0, 0, EXIT_CR0_SEL_WRITE },
    { "LMSW at CPL 3, selective", LMSW_CODE, SEL_WRITE, 0, 0, CR0_GUEST, 0, 0, 3,
      GP },
    { "LMSW that sets TS, no intercept", LMSW_CODE, 0, 0, 0, CR0_GUEST | CR0_TS,
      0, 0, 0, DONE },
    { "MOV to CR0 that sets TS, selective", MOV_CR0_CODE, SEL_WRITE, 0, 0,
      CR0_GUEST | CR0_TS, 0, 0, 0, DONE },
    { "MOV to CR0 that clears MP, selective", MOV_CR0_CODE, SEL_WRITE, 0, 0,
      CR0_GUEST & ~CR0_MP, 0, 0, 0, DONE },
    { "MOV to CR0 that clears WP, selective", MOV_CR0_CODE, SEL_WRITE, 0, 0,
      CR0_GUEST & ~CR0_WP, 0, 0, 0, EXIT_CR0_SEL_WRITE },
    { "CLTS, selective", CLTS_CODE, SEL_WRITE, 0, 0, 0, 0, 0, 0, DONE },

    { "SKINIT, which CPUID does not have, its intercept", SKINIT_CODE, 0, SKINIT,
      0, 0, 0, 0, 0, UD },
    { "SKINIT at CPL 3, its intercept", SKINIT_CODE, 0, SKINIT, 0, 0, 0, 0, 3,
      UD },
    { "SKINIT, no intercept", SKINIT_CODE, 0, 0, 0, 0, 0, 0, 0, UD },

    { "MWAIT, ECX = 1, its intercept", MWAIT_CODE, 0, MWAIT, 0, 0, 1, 0, 0,
      EXIT_MWAIT },
    { "MWAIT, ECX = 2, its intercept", MWAIT_CODE, 0, MWAIT, 0, 0, 2, 0, 0, GP },
    { "MWAIT, ECX = 1, no intercept", MWAIT_CODE, 0, 0, 0, 0, 1, 0, 0, DONE },

    { "VMLOAD of an unaligned address, its intercept", VMLOAD_CODE, 0, VMLOAD, 0,
      1, 0, 0, 0, GP },
    { "VMSAVE of an unaligned address, its intercept", VMSAVE_CODE, 0, VMSAVE, 0,
      1, 0, 0, 0, GP },
    { "VMLOAD at CPL 3, its intercept", VMLOAD_CODE, 0, VMLOAD, 0, 0, 0, 0, 3,
      GP },
};

/* Without nested paging gPAs are hPAs. */
static void make(struct vm *vm, bool nested)
{
    vm_init(vm, &shape);
    if (!nested) {
        struct tables *tables = &vm->guest_tables;

        tables_init(tables, 4, 0, &vm->host);
        tables_map(tables, to_gva(vm->data_hpa), vm->data_hpa, PAGE, 1,
                   PTE_P | PTE_W | PTE_U);
        l2_map_code(tables);
        vm->guest.vmcb->cr3 = tables->root;
        vm->guest.vmcb->np_enable = 0;
    }
}

static struct l2_end run(struct vm *vm, const char *code, unsigned size)
{
    char *to = at_hpa(vm->data_hpa);

    __builtin_memcpy(to, code, size);
    __builtin_memcpy(to + size, L2_VMMCALL, 3);
    return l2_fetch(&vm->guest, to_gva(vm->data_hpa));
}

static void one(unsigned row, bool nested)
{
    struct vmcb *vmcb;
    struct l2_end end;
    struct vm vm;

    case_begin("%s, nested paging=%d: exit 0x%lx", rows[row].name, nested,
               rows[row].exit_code);
    make(&vm, nested);
    vmcb = vm.guest.vmcb;
    guest_set_cpl(&vm.guest, rows[row].cpl);
    vmcb->intercepts1 |= rows[row].intercepts1;
    vmcb->intercepts2 |= rows[row].intercepts2;
    vmcb->intercept_cr_writes |= rows[row].cr_writes;
    vmcb->cr4 |= rows[row].cr4;
    vmcb->rax = rows[row].rax;
    vm.guest.registers.rcx = rows[row].rcx;
    end = run(&vm, rows[row].code, rows[row].size);
    expect("exit code", rows[row].exit_code, end.exit_code);
    if (end.exit_code == GP) {
        expect("error code", 0, end.exit_info1);
    }
    if (rows[row].exit_code != DONE) {
        expect("RIP", to_gva(vm.data_hpa), vmcb->rip);
        expect("CR0", CR0_GUEST, vmcb->cr0);
    }
    case_end();
}

/* VMLOAD and VMSAVE of FS.base: done on hPAs, or intercepted, and not done. */
static void load_and_save(bool nested, bool intercepted)
{
    const uint64_t old = 0x1111000, other = 0x2222000;
    struct l2_end end;
    struct vmcb *at;
    struct vm vm;

    case_begin("VMSAVE, nested paging=%d, intercepted=%d", nested, intercepted);
    make(&vm, nested);
    at = at_hpa(arena_page(&vm.host));
    vm.guest.vmcb->intercepts2 |= intercepted ? VMLOAD | VMSAVE : 0;
    vm.guest.vmcb->rax = (uint64_t)at;
    write_msr(MSR_FS_BASE, old);
    end = run(&vm, VMSAVE_CODE);
    expect("exit code", intercepted ? EXIT_VMSAVE : DONE, end.exit_code);
    expect("saved", intercepted ? 0 : old, at->fs.base);
    case_end();

    case_begin("VMLOAD, nested paging=%d, intercepted=%d", nested, intercepted);
    at->fs.base = other;
    end = run(&vm, VMLOAD_CODE);
    expect("exit code", intercepted ? EXIT_VMLOAD : DONE, end.exit_code);
    expect("FS_BASE", intercepted ? old : other, read_msr(MSR_FS_BASE));
    write_msr(MSR_FS_BASE, 0);
    case_end();
}

void tests(void)
{
    for (unsigned nested = 0; nested < 2; nested++) {
        for (unsigned row = 0; row < ARRAY_SIZE(rows); row++) {
            one(row, nested);
        }
        load_and_save(nested, false);
        load_and_save(nested, true);
    }
}
