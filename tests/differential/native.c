/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Accesses without a guest. */
#include "native.h"

#include "enter.h"
#include "lib/cpu.h"
#include "lib/dseg.h"

#define VECTORS 32
#define STACK_SIZE 4096
#define INTERRUPT_GATE_IST1 0x8e01
#define TSS_AVAILABLE 0x0000890000000000ull
#define CPU_DESCRIPTORS 8
#define DROPPING_REGISTERS 11               /* CR9 to CR11, and 8 MSRs */

struct gate {
    uint16_t offset_low, selector, type, offset_mid;
    uint32_t offset_high, reserved;
};

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3], reserved1, ist[7];
    uint64_t reserved2;
    uint16_t reserved3, io_map;
} __attribute__((packed));

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

/*
 * The first four are those that L1 began with, see lib/boot.S; accessed bits
 * are set.
 */
static uint64_t gdt[CPU_DESCRIPTORS] = {
    0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff,
    0x00cff3000000ffff, 0x00affb000000ffff,
};
static struct tss tss;
static struct gate idt[VECTORS];
static uint8_t stack[STACK_SIZE] __attribute__((aligned(STACK_SIZE)));
static uint64_t own_cr3;

struct native_request native_request;

static void load_gdt(void)
{
    struct table_pointer pointer = { sizeof(gdt) - 1, (uint64_t)gdt };

    asm volatile("lgdt %0" : : "m"(pointer));
}

void native_init(void)
{
    uint64_t base = (uint64_t)&tss;

    for (unsigned i = 0; i < VECTORS; i++) {
        uint64_t entry = (uint64_t)native_entries + i * NATIVE_ENTRY_SIZE;

        idt[i] = (struct gate) {
            entry, NATIVE_CODE, INTERRUPT_GATE_IST1, entry >> 16,
            entry >> 32, 0,
        };
    }
    tss.ist[0] = (uint64_t)stack + STACK_SIZE;
    gdt[6] = TSS_AVAILABLE | (sizeof(tss) - 1) | (base & 0xffffff) << 16 |
             (base >> 24 & 0xff) << 56;
    gdt[7] = base >> 32;
    load_gdt();
    asm volatile("ltr %w0" : : "r"(6 * 8));
    native_request.idt = (struct native_idt) { sizeof(idt) - 1, (uint64_t)idt };
    native_request.stack = tss.ist[0] - sizeof(uint64_t);
    native_request.gdt = (uint64_t)gdt;
    native_request.tss = base;
    asm volatile("sidt %0" : "=m"(native_request.own_idt));
}

void native_load(const struct world *world)
{
    const struct ref_state *state = &world->state;

    own_cr3 = read_cr3();
    load_gdt();
    write_cr4(state->guest.cr4 | CR4_PKE);
    write_pkru(state->pkru);
    write_cr4(state->guest.cr4);
    write_cr0(state->guest.cr0);
    write_msr(MSR_EFER, state->guest.efer);
    write_cr3(state->guest.cr3);
    write_cr10(0);
    write_cr9(state->guest_segment.base);
    write_cr11(state->guest_segment.offset);
    write_cr10(state->guest_segment.limit);
}

void native_unload(void)
{
    write_cr10(0);
    write_cr9(0);
    write_cr11(0);
    write_cr3(own_cr3);
}

/* Write one of the registers that drop all translations, as it is. */
static void drop_translations(unsigned which)
{
    uint32_t msr = MSR_VMM_BASE + which - 3;

    switch (which) {
    case 0:
        write_cr9(read_cr9());
        break;
    case 1:
        write_cr10(read_cr10());
        break;
    case 2:
        write_cr11(read_cr11());
        break;
    default:
        msr = msr < msr_last() ? msr : msr_last();
        write_msr(msr, msr == MSR_FILTER_ADD ? 0 : read_msr(msr));
        break;
    }
}

/* How it is to be made, by L1's own code or by the user's. */
static void (*way(const struct world *world, const struct try *access))(void)
{
    if (access->cpl == 3) {
        native_request.rip = machine_code(world, access);
        return native_enter_user;
    }
    if (access->ref.kind == REF_FETCH) {
        return native_jump;
    }
    if (access->ref.kind == REF_STORE) {
        return access->size == 1 ? native_store1 : native_store4;
    }
    return access->size == 1 ? native_load1 : native_load4;
}

void native_access(const struct world *world, const struct try *access,
                   uint64_t value, struct outcome *outcome)
{
    native_request.way = way(world, access);
    native_request.rsi = access->ref.gva;
    native_request.rax = value;
    native_request.rflags = RFLAGS_FIXED | (access->ref.ac ? RFLAGS_AC : 0);
    drop_translations(value % DROPPING_REGISTERS);
    enter_native();
    outcome->native = native_request.counts;
    outcome->rax = native_request.rax;
    outcome->rip = native_request.rip;
    outcome->exit_code = EXIT_EXCEPTION(native_request.vector);
    outcome->info1 = native_request.error;
    outcome->info2 = native_request.vector == VECTOR_PF ? read_cr2() : 0;
    if (native_request.vector == NATIVE_NO_VECTOR ||
        native_request.vector == VECTOR_UD) {
        outcome->exit_code = EXIT_VMMCALL;      /* which is #UD here */
    }
}
