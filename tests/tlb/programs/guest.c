/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guests that execute functions of the program itself. */
#include "guest.h"

#include "lib/print.h"

#define IMAGE_END MEMORY_START
#define STACK_SIZE 8192
#define MACHINES 4

static uint8_t stacks[MACHINES][STACK_SIZE] __attribute__((aligned(16)));
static unsigned machines;

extern const char guest_start[];

/* RDI: a function, RSI: its argument. */
asm(".text\n"
    ".globl guest_start\n"
    "guest_start:\n"
    "mov %rdi, %rax\n"
    "mov %rsi, %rdi\n"
    "call *%rax\n"
    "vmmcall\n");

static void map_nested(struct tables *nested, uint64_t hpa, uint64_t size,
                       unsigned level)
{
    tables_map(nested, to_gpa(hpa), hpa, size, level, LEAF | PTE_U);
}

void machine_tables(struct tables *tables, unsigned level, uint64_t flags)
{
    tables_init(tables, 4, -GPA_BASE, &table_arena);
    tables_map(tables, 0, to_gpa(0), IMAGE_END, level, LEAF | flags);
}

void machine_init(struct machine *machine, unsigned asid, unsigned guest_level,
                  unsigned nested_level)
{
    if (machines == MACHINES) {
        die("there are stacks for %u guests", MACHINES);
    }
    machine->stack = (uint64_t)stacks[machines++] + STACK_SIZE;
    machine_tables(&machine->tables, guest_level, PTE_G);
    tables_init(&machine->nested, 4, 0, &table_arena);
    /* The program, page tables, and the frames. */
    map_nested(&machine->nested, 0, MEMORY_START + 2 * MiB2, nested_level);
    map_nested(&machine->nested, FRAMES, FRAMES_SIZE, nested_level);
    guest_init(&machine->guest, at_hpa(arena_page(&table_arena)),
               &machine->tables, &machine->nested);
    machine->guest.vmcb->asid = asid;
    machine->guest.vmcb->tlb_control = 0;
}

void machine_call(struct machine *machine, void (*function)(uint64_t),
                  uint64_t argument)
{
    struct guest *guest = &machine->guest;

    guest->vmcb->rip = (uint64_t)guest_start;
    guest->vmcb->rsp = machine->stack;
    guest->registers.rdi = (uint64_t)function;
    guest->registers.rsi = argument;
    if (guest_run(guest) != EXIT_VMMCALL) {
        die("a guest has ended with 0x%lx, 0x%lx, 0x%lx, at 0x%lx",
            guest->vmcb->exit_code, guest->vmcb->exit_info1,
            guest->vmcb->exit_info2, guest->vmcb->rip);
    }
}
