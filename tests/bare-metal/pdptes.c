/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The four page-directory-pointer entries of PAE paging outside long mode. Without
 * nested paging the CPU loads them when such paging begins: one that is present
 * with a reserved bit makes VMRUN fail, and is #GP of MOV to CR3, CR0 and CR4
 * (AMD's manual, volume 2, 5.2.3, 15.5.1, 15.9). With nested paging the walk finds
 * it (15.25, "Legacy PAE Mode").
 */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/vm.h"

#define ENTRIES 4
#define PAE_LEVELS 3
#define CR4_PSE BIT(4)
#define LARGE_PAGE (PTE_P | PTE_W | PTE_A | PTE_D | PTE_PS)
#define EFER_32 (EFER_SVME | EFER_NXE)

static const struct vm_shape shape = { 4, 1, 4, 1 };

/* 40-bit physical addresses: 2:1, 8:5, 63:40. */
static bool is_reserved(unsigned bit)
{
    return bit == 1 || bit == 2 || (bit >= 5 && bit <= 8) || bit >= 40;
}

/* A guest without nested paging: gPAs are hPAs. Its code is at LOW_CODE. */
struct pae {
    struct vm vm;
    struct tables tables;
    volatile uint64_t *pdpes;
};

static void make(struct pae *pae)
{
    struct vmcb *vmcb;

    vm_init(&pae->vm, &shape);
    tables_init(&pae->tables, PAE_LEVELS, 0, &pae->vm.host);
    tables_map(&pae->tables, LOW_CODE, l2_code_hpa(), PAGE, 1, PTE_P);
    tables_map(&pae->tables, l2_code_hpa(), l2_code_hpa(), PAGE, 1, PTE_P);
    pae->pdpes = at_hpa(pae->tables.root);
    pae->pdpes[0] &= ~(PTE_W | PTE_U);
    vmcb = pae->vm.guest.vmcb;
    vmcb->np_enable = 0;
    vmcb->efer = EFER_32;
    vmcb->cr3 = pae->tables.root;
    vmcb->cs.attributes = ATTRIBUTES_CODE32;
}

static void set_bit(struct pae *pae, unsigned entry, unsigned bit)
{
    if (entry) {
        pae->pdpes[entry] = pae->pdpes[0];
    }
    pae->pdpes[entry] |= BIT(bit);
}

/* Execute a snippet, whose encoding is the same in 32-bit mode. */
static struct l2_end run(struct pae *pae, const char *snippet, uint64_t rdi)
{
    pae->vm.guest.registers.rdi = rdi;
    return l2_fetch(&pae->vm.guest, LOW_CODE + (snippet - l2_code));
}

static void vmrun_rows(void)
{
    for (unsigned entry = 0; entry < ENTRIES; entry++) {
        for (unsigned bit = 1; bit < 64; bit++) {
            struct l2_end end;
            struct pae pae;

            /* The address of the directory that is in use. */
            if (!entry && bit >= 12 && bit < 40) {
                continue;
            }
            case_begin("VMRUN, entry %u has bit %u: %s", entry, bit,
                       is_reserved(bit) ? "VMEXIT_INVALID" : "runs");
            make(&pae);
            set_bit(&pae, entry, bit);
            end = run(&pae, l2_nothing, 0);
            expect("exit code", is_reserved(bit) ? EXIT_INVALID : EXIT_VMMCALL,
                   end.exit_code);
            case_end();
        }
    }
}

static void vmrun_others(void)
{
    struct l2_end end;
    struct pae pae;

    case_begin("VMRUN, entries that are not present have all bits: runs");
    make(&pae);
    for (unsigned i = 1; i < ENTRIES; i++) {
        pae.pdpes[i] = ~PTE_P;
    }
    end = run(&pae, l2_nothing, 0);
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    case_end();

    case_begin("VMRUN, the table is in the last 32 bytes of a page: runs");
    make(&pae);
    pae.pdpes[PAGE / 8 - ENTRIES] = pae.pdpes[0];
    pae.pdpes[0] = ~0ull;
    pae.vm.guest.vmcb->cr3 += PAGE - ENTRIES * 8;
    end = run(&pae, l2_nothing, 0);
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    case_end();

    case_begin("VMRUN without paging: the table does not matter");
    make(&pae);
    pae.pdpes[1] = ~0ull;
    pae.vm.guest.vmcb->cr0 &= ~CR0_PG;
    end = l2_fetch(&pae.vm.guest, (uint64_t)l2_nothing);
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    case_end();
}

static void vmrun_nested(void)
{
    for (unsigned bit = 1; bit < 64; bit++) {
        uint64_t root;
        struct l2_end end;
        struct vm vm;

        if (bit >= 12 && bit < 40) {
            continue;
        }
        case_begin("VMRUN with nested paging, entry 0 has bit %u: %s", bit,
                   is_reserved(bit) ? "#PF of a fetch through it" : "runs");
        vm_init(&vm, &shape);
        vm_set_mode(&vm, VM_PAE);
        root = *tables_entry(&vm.nested, vm.guest.vmcb->cr3, 1) & PTE_ADDRESS;
        *(uint64_t *)at_hpa(root) |= BIT(bit);
        end = l2_fetch(&vm.guest, LOW_CODE + (l2_nothing - l2_code));
        expect("exit code", is_reserved(bit) ? EXIT_EXCEPTION(VECTOR_PF)
               : EXIT_VMMCALL, end.exit_code);
        if (is_reserved(bit)) {
            expect("error code", PF_P | PF_RSVD | PF_I, end.exit_info1);
        }
        case_end();
    }
}

/* A second table, with the same code, and one wrong entry. */
static uint64_t other_table(struct pae *pae, bool wrong)
{
    uint64_t hpa = arena_page(&pae->vm.host);
    uint64_t *pdpes = at_hpa(hpa);

    pdpes[0] = pae->pdpes[0];
    pdpes[3] = wrong ? pae->pdpes[0] | BIT(5) : 0;
    return hpa;
}

static void mov_cr3(bool wrong, bool intercepted)
{
    uint64_t to;
    struct l2_end end;
    struct pae pae;

    case_begin("MOV to CR3, wrong entry=%d, intercepted=%d", wrong, intercepted);
    make(&pae);
    to = other_table(&pae, wrong);
    pae.vm.guest.vmcb->intercept_cr_writes = intercepted ? 1 << 3 : 0;
    end = run(&pae, l2_write_cr3, to);
    expect("exit code", intercepted ? EXIT_WRITE_CR(3)
           : wrong ? EXIT_EXCEPTION(VECTOR_GP) : EXIT_VMMCALL, end.exit_code);
    expect("CR3", wrong || intercepted ? pae.tables.root : to,
           pae.vm.guest.vmcb->cr3);
    case_end();
}

static void mov_cr0(bool wrong)
{
    struct vmcb *vmcb;
    struct l2_end end;
    struct pae pae;

    case_begin("MOV to CR0 that turns PAE paging on, wrong entry=%d", wrong);
    make(&pae);
    vmcb = pae.vm.guest.vmcb;
    vmcb->cr3 = other_table(&pae, wrong);
    vmcb->cr0 &= ~CR0_PG;
    pae.vm.guest.registers.rdi = vmcb->cr0 | CR0_PG;
    end = l2_fetch(&pae.vm.guest, (uint64_t)l2_write_cr0);
    expect("exit code", wrong ? EXIT_EXCEPTION(VECTOR_GP) : EXIT_VMMCALL,
           end.exit_code);
    expect("CR0.PG", wrong ? 0 : CR0_PG, vmcb->cr0 & CR0_PG);
    case_end();
}

/*
 * From 32-bit tables of two levels to PAE, in the same page: the code is behind
 * what becomes the four entries, as an accessed bit is one that they reserve.
 */
#define PDE_OF_CODE 8
#define CODE_OFFSET (PDE_OF_CODE * 4 * MiB)

static void mov_cr4(bool wrong)
{
    uint64_t *root, *directory;
    struct vmcb *vmcb;
    struct l2_end end;
    struct pae pae;

    case_begin("MOV to CR4 that sets PAE in paging, wrong entry=%d", wrong);
    make(&pae);
    vmcb = pae.vm.guest.vmcb;
    vmcb->cr3 = arena_page(&pae.vm.host);
    vmcb->cr4 = CR4_PSE;
    root = at_hpa(vmcb->cr3);
    root[PDE_OF_CODE / 2] = LARGE_PAGE;
    root[0] = arena_page(&pae.vm.host) | PTE_P;
    root[2] = wrong ? root[0] | BIT(8) : 0;
    directory = at_hpa(root[0] & PTE_ADDRESS);
    directory[CODE_OFFSET / (2 * MiB)] = LARGE_PAGE;
    pae.vm.guest.registers.rdi = CR4_PSE | CR4_PAE;
    end = l2_fetch(&pae.vm.guest, CODE_OFFSET + (uint64_t)l2_write_cr4);
    expect("exit code", wrong ? EXIT_EXCEPTION(VECTOR_GP) : EXIT_VMMCALL,
           end.exit_code);
    expect("CR4.PAE", wrong ? 0 : CR4_PAE, vmcb->cr4 & CR4_PAE);
    case_end();
}

void tests(void)
{
    vmrun_rows();
    vmrun_others();
    vmrun_nested();
    for (unsigned wrong = 0; wrong < 2; wrong++) {
        mov_cr3(wrong, false);
        mov_cr3(wrong, true);
        mov_cr0(wrong);
        mov_cr4(wrong);
    }
}
