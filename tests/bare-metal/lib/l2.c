/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What L2 executes. */
#include "l2.h"

#include "cpu.h"
#include "memory.h"
#include "svm.h"
#include "tables.h"

void l2_map_code(struct tables *guest_tables)
{
    uint64_t gpa = l2_code_hpa() - guest_tables->to_hpa;

    tables_map(guest_tables, L2_CODE_KERNEL, gpa, PAGE, 1,
               PTE_P | PTE_A | PTE_D);
    tables_map(guest_tables, L2_CODE_USER, gpa, PAGE, 1,
               PTE_P | PTE_U | PTE_A | PTE_D);
}

static struct l2_end run(struct guest *guest, uint64_t rip)
{
    guest->vmcb->rip = rip;
    guest_run(guest);
    return (struct l2_end) {
        guest->vmcb->exit_code, guest->vmcb->exit_info1,
        guest->vmcb->exit_info2, guest->vmcb->rax,
    };
}

struct l2_end l2_run(struct guest *guest, const char *snippet, uint64_t rdi,
                     uint64_t rsi)
{
    uint64_t code = guest->vmcb->cpl == 3 ? L2_CODE_USER : L2_CODE_KERNEL;

    guest->registers.rdi = rdi;
    guest->registers.rsi = rsi;
    return run(guest, code + (snippet - l2_code));
}

struct l2_end l2_fetch(struct guest *guest, uint64_t gva)
{
    return run(guest, gva);
}
