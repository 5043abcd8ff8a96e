/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The L2 guest that most tests begin with. */
#include "vm.h"

#include "cpu.h"

#define LEAF_FLAGS (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

#define PAE_LEVELS 3
/* A gPA that CR3 can have outside long mode: below 4 GiB. */
#define LOW_ROOT (2 * GiB)

void boot_set_levels(unsigned levels);

void set_levels(unsigned levels)
{
    if (levels != (read_cr4() & CR4_LA57 ? 5 : 4)) {
        boot_set_levels(levels);
    }
}

/* Map at least [hpa, hpa + size) to hpa + to_offset, at hpa + at_offset. */
static void map_linear(struct tables *tables, uint64_t hpa, uint64_t size,
                       uint64_t at_offset, uint64_t to_offset, unsigned level)
{
    uint64_t start = hpa & -level_size(level);

    tables_map(tables, start + at_offset, start + to_offset, hpa + size - start,
               level, LEAF_FLAGS);
}

/* From what is left in its arenas. */
static void make(struct vm *vm, const struct vm_shape *shape,
                 unsigned outside_levels)
{
    struct arena *from[MAX_LEVELS + 1];

    set_levels(shape->nested_levels);
    for (unsigned i = 0; i <= MAX_LEVELS; i++) {
        from[i] = outside_levels >> i & 1 ? &vm->outside : &vm->inside;
    }
    vm->data_hpa = arena_pages(from[0], DATA_PAGES);
    __builtin_memset(at_hpa(vm->data_hpa), DATA_BYTE, DATA_PAGES * PAGE);

    tables_init(&vm->nested, shape->nested_levels, 0, &vm->host);
    map_linear(&vm->nested, INSIDE_START, PART_SIZE, GPA_BASE, 0,
               shape->nested_leaf);
    map_linear(&vm->nested, OUTSIDE_START, PART_SIZE, GPA_BASE, 0,
               shape->nested_leaf);
    map_linear(&vm->nested, l2_code_hpa(), PAGE, GPA_BASE, 0,
               shape->nested_leaf);

    tables_init_from(&vm->guest_tables, shape->guest_levels, -GPA_BASE, from);
    map_linear(&vm->guest_tables, vm->data_hpa, DATA_PAGES * PAGE, GVA_BASE,
               GPA_BASE, shape->guest_leaf);
    l2_map_code(&vm->guest_tables);

    guest_init(&vm->guest, at_hpa(arena_page(&vm->host)), &vm->guest_tables,
               &vm->nested);
}

void vm_init_split(struct vm *vm, const struct vm_shape *shape,
                   unsigned outside_levels)
{
    vm->inside = (struct arena) { INSIDE_START, INSIDE_START + PART_SIZE };
    vm->outside = (struct arena) { OUTSIDE_START, OUTSIDE_START + PART_SIZE };
    vm->host = (struct arena) { HOST_START, MEMORY_END };
    make(vm, shape, outside_levels);
}

void vm_init_beside(struct vm *vm, const struct vm_shape *shape,
                    const struct vm *other)
{
    vm->inside = other->inside;
    vm->outside = other->outside;
    vm->host = other->host;
    make(vm, shape, 0);
}

void vm_init(struct vm *vm, const struct vm_shape *shape)
{
    vm_init_split(vm, shape, 0);
}

uint64_t vm_page_gpa(struct vm *vm, unsigned which)
{
    uint64_t gva = to_gva(vm->data_hpa);

    return which ? tables_entry_address(&vm->guest_tables, gva, which) & -PAGE
                 : to_gpa(vm->data_hpa);
}

uint64_t vm_page_hpa(struct vm *vm, unsigned which)
{
    return vm_page_gpa(vm, which) - GPA_BASE;
}

void vm_move_page(struct vm *vm, unsigned which, uint64_t gpa)
{
    tables_map(&vm->nested, gpa, vm_page_hpa(vm, which), PAGE, 1, LEAF_FLAGS);
    if (which == vm->guest_tables.levels) {
        vm->guest.vmcb->cr3 = gpa;
    } else {
        volatile uint64_t *entry = tables_entry(
            &vm->guest_tables, to_gva(vm->data_hpa), which + 1);

        *entry = (*entry & ~PTE_ADDRESS) | gpa;
    }
}

const char *const vm_mode_names[] = {
    [VM_64] = "64-bit mode",
    [VM_COMPATIBILITY] = "compatibility mode",
    [VM_PAE] = "PAE paging without long mode",
};

/*
 * The low 4 GiB: l2_code and the data. Page-directory pointers of PAE have P
 * only.
 */
static void map_low(struct vm *vm, struct tables *tables, bool long_mode)
{
    tables_map(tables, LOW_CODE, to_gpa(l2_code_hpa()), PAGE, 1, PTE_P);
    tables_map(tables, LOW_DATA, to_gpa(vm->data_hpa), PAGE, 1, PTE_P | PTE_W);
    if (!long_mode) {
        *tables_entry(tables, 0, PAE_LEVELS) &= ~(PTE_W | PTE_U);
    }
}

void vm_set_mode(struct vm *vm, enum vm_mode mode)
{
    struct vmcb *vmcb = vm->guest.vmcb;

    if (mode != VM_PAE) {
        map_low(vm, &vm->guest_tables, true);
    } else {
        struct tables pae;

        tables_init(&pae, PAE_LEVELS, -GPA_BASE, &vm->inside);
        map_low(vm, &pae, false);
        tables_map(&vm->nested, LOW_ROOT, pae.root - GPA_BASE, PAGE, 1,
                   PTE_P | PTE_W | PTE_U);
        vmcb->cr3 = LOW_ROOT;
        vmcb->efer = EFER_SVME | EFER_NXE;
    }
    if (mode != VM_64) {
        vmcb->cs.attributes = ATTRIBUTES_CODE32;
    }
}

struct l2_end vm_access(struct vm *vm, enum access access, uint64_t gva)
{
    struct l2_end end;

    switch (access) {
    case LOAD:
        return l2_run(&vm->guest, l2_load1, gva, 0);
    case STORE:
        return l2_run(&vm->guest, l2_store1, gva, STORED_BYTE);
    default:
        end = l2_fetch(&vm->guest, gva);
        if (end.exit_code == EXIT_EXCEPTION(VECTOR_UD)) {
            end.exit_code = EXIT_VMMCALL;
        }
        return end;
    }
}
