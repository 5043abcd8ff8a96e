/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TCG plugin that writes what CPU 0 does into a file (trace.h), from the MOV
 * to CR0 that turns paging on up to the marker 2:
 *
 *     -plugin trace-plugin.so,trace=FILE,ram=BYTES
 *
 * It knows a machine with one CPU, and programs like those in programs/: no
 * interrupts and no faults, VMCBs mapped one to one, guests that do not execute
 * at the address behind the host's VMRUN.
 */
#include <glib.h>
#include <inttypes.h>
#include <qemu-plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace-decode.h"
#include "trace.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

#define PAGE 4096
#define LABEL_END 2
#define CR0_PG (1ull << 31)
#define MSR_EFER 0xc0000080
#define MSR_DSEG 0x445347
#define VMCB_ASID 0x58
#define VMCB_TLB_CONTROL 0x5c
#define VMCB_NP_ENABLE 0x90
#define VMCB_NCR3 0xb0

/*
 * One instruction, as it was translated: "pc" is where it was then. QEMU uses a
 * block for all virtual addresses that its code has, so it may be elsewhere now.
 */
struct instruction {
    uint64_t pc;
    unsigned size;
    bool begins_block;
    struct decoded decoded;
};

/* The order is that of struct trace_state, up to the filter. */
static const char *const state_names[] = {
    "cr0", "cr3", "cr4", "efer", "cr9", "cr10", "cr11",
    "vmm_base", "vmm_limit", "vmm_offset",
    "vmm_filter0", "vmm_filter1", "vmm_filter2", "vmm_filter3",
};

static const char *const register_names[] = {
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
};

static struct qemu_plugin_register *state_handles[G_N_ELEMENTS(state_names)];
static struct qemu_plugin_register *handles[G_N_ELEMENTS(register_names)];
static GByteArray *buffer;
static FILE *file;
static uint64_t ram_size;
static struct qemu_plugin_register *rip_handle, *cs_handle;
static uint64_t privilege;      /* the CPL that the trace has been told */
static uint64_t moved;          /* where the block is now, less where it was */
static bool tracing, ended;

/* What the CPU is about to do; the operation is 0 if it is nothing of that. */
static struct trace_record pending;
static unsigned descriptor_parts;   /* those of INVPCID's that have been read */

/* Guest mode: what VMRUN has found in the VMCB, and where #VMEXIT leads. */
static struct {
    bool running;
    uint64_t asid, nested, ncr3;
    uint64_t exit_pc;
} guest;

static void die(const char *text)
{
    fprintf(stderr, "trace-plugin: %s\n", text);
    exit(1);
}

static void write_bytes(const void *bytes, size_t size)
{
    if (fwrite(bytes, 1, size, file) != size) {
        die("can't write the trace: is the disk full?");
    }
}

static uint64_t read_register(struct qemu_plugin_register *handle)
{
    uint64_t value = 0;
    int size;

    if (!handle) {
        return 0;
    }
    g_byte_array_set_size(buffer, 0);
    size = qemu_plugin_read_register(handle, buffer);
    if (size < 1 || (size_t)size > sizeof(value)) {
        die("a register can't be read");
    }
    memcpy(&value, buffer->data, size);
    return value;
}

static bool read_memory(uint64_t address, void *bytes, size_t size)
{
    if (!qemu_plugin_read_memory_vaddr(address, buffer, size)) {
        return false;
    }
    memcpy(bytes, buffer->data, size);
    return true;
}

/* -- The beginning -- */

/* RAM, but for the pages that are all zeros. */
static void write_ram(void)
{
    static const uint8_t zeros[PAGE];
    struct trace_record record = {
        .type = TRACE_MEMORY, .value = { PAGE, ram_size },
    };
    uint8_t bytes[PAGE];

    for (record.address = 0; record.address < ram_size;
         record.address += PAGE) {
        bool is_ram = read_memory(record.address, bytes, PAGE);

        /* The first record always: it says how much there is. */
        if (!record.address || (is_ram && memcmp(bytes, zeros, PAGE))) {
            write_bytes(&record, sizeof(record));
            write_bytes(bytes, PAGE);
        }
    }
}

static bool turns_paging_on(const struct decoded *d)
{
    return d->what == WHAT_MOV_TO_CR && d->cr == 0 &&
           read_register(handles[d->reg]) & CR0_PG;
}

/* -- Operations -- */

static uint64_t operand_address(const struct instruction *i)
{
    const struct operand *o = &i->decoded.operand;
    uint64_t address = o->displacement;

    if (o->rip_relative) {
        return address + i->pc + moved + i->size;
    }
    if (o->base != NO_REGISTER) {
        address += read_register(handles[o->base]);
    }
    if (o->index != NO_REGISTER) {
        address += read_register(handles[o->index]) * o->scale;
    }
    return address;
}

static void begin_mov_to_cr(const struct decoded *d)
{
    static const uint8_t operations[16] = {
        [0] = OPERATION_MOV_CR0, [3] = OPERATION_MOV_CR3,
        [4] = OPERATION_MOV_CR4, [9] = OPERATION_MOV_SEGMENT,
        [10] = OPERATION_MOV_SEGMENT, [11] = OPERATION_MOV_SEGMENT,
    };

    pending.operation = operations[d->cr];
    pending.value[0] = read_register(handles[d->reg]);
}

static void begin_wrmsr(void)
{
    uint32_t msr = read_register(handles[RCX]);

    if (msr == MSR_EFER || msr >> 8 == MSR_DSEG) {
        pending.operation = OPERATION_WRMSR;
    }
}

static void begin_vmrun(const struct instruction *i)
{
    uint64_t vmcb = read_register(handles[RAX]);
    uint32_t asid = 0, control = 0;

    guest.exit_pc = i->pc + moved + i->size;
    if (!read_memory(vmcb + VMCB_ASID, &asid, sizeof(asid)) ||
        !read_memory(vmcb + VMCB_TLB_CONTROL, &control, sizeof(control)) ||
        !read_memory(vmcb + VMCB_NP_ENABLE, &guest.nested, 8) ||
        !read_memory(vmcb + VMCB_NCR3, &guest.ncr3, 8)) {
        die("a VMCB can't be read: it has to be mapped one to one");
    }
    guest.asid = asid;
    guest.nested &= 1;
    pending.operation = OPERATION_VMRUN;
    pending.value[0] = control & 0xff;
}

/* What of the instruction is known before it is executed. */
static void begin_operation(const struct instruction *i)
{
    const struct decoded *d = &i->decoded;

    pending = (struct trace_record) { .type = TRACE_OPERATION };
    switch (d->what) {
    case WHAT_MOV_TO_CR:
        begin_mov_to_cr(d);
        break;
    case WHAT_WRMSR:
        begin_wrmsr();
        break;
    case WHAT_INVLPG:
        pending.operation = OPERATION_INVLPG;
        pending.address = operand_address(i);
        break;
    case WHAT_INVPCID:
        pending.operation = OPERATION_INVPCID;
        pending.value[0] = read_register(handles[d->reg]);
        descriptor_parts = 0;
        break;
    case WHAT_INVLPGA:
        pending.operation = OPERATION_INVLPGA;
        pending.address = read_register(handles[RAX]);
        pending.value[0] = (uint32_t)read_register(handles[RCX]);
        break;
    case WHAT_VMRUN:
        begin_vmrun(i);
        break;
    default:
        break;
    }
}

static void write_operation(const struct trace_record *record)
{
    struct trace_state state = { 0 };
    uint64_t *field = &state.cr0;

    for (unsigned i = 0; i < G_N_ELEMENTS(state_names); i++) {
        field[i] = read_register(state_handles[i]);
    }
    if (guest.running) {
        state.asid = guest.asid;
        state.nested = guest.nested;
        state.ncr3 = guest.ncr3;
    }
    write_bytes(record, sizeof(*record));
    write_bytes(&state, sizeof(state));
}

/* The instruction before has been executed; the next one is at pc. */
static void end_operation(uint64_t pc)
{
    const struct trace_record exit = {
        .type = TRACE_OPERATION, .operation = OPERATION_VMEXIT,
    };
    bool vmrun = pending.operation == OPERATION_VMRUN;

    if (vmrun && pc == guest.exit_pc) {
        die("a guest has not executed one instruction");
    }
    guest.running |= vmrun;
    if (pending.operation) {
        write_operation(&pending);
        pending.operation = 0;
    }
    if (guest.running && pc == guest.exit_pc) {
        guest.running = false;
        write_operation(&exit);
    }
}

/* Outside real mode the CPL is in the selector of CS. */
static void note_privilege(void)
{
    const struct trace_record record = {
        .type = TRACE_PRIVILEGE, .value = { read_register(cs_handle) & 3 },
    };

    if (record.value[0] != privilege) {
        privilege = record.value[0];
        write_bytes(&record, sizeof(record));
    }
}

/* The descriptor of INVPCID: PCID, then address. */
static void take_descriptor(const struct trace_record *load)
{
    for (unsigned i = 0; i < load->size / sizeof(uint64_t); i++) {
        if (descriptor_parts++ == 0) {
            pending.value[1] = load->value[i];
        } else {
            pending.address = load->value[i];
        }
    }
}

/* -- Callbacks -- */

static void on_instruction(unsigned cpu, void *opaque)
{
    const struct instruction *i = opaque;
    struct trace_record record = {
        .type = TRACE_INSTRUCTION, .size = i->size,
    };

    (void)cpu;
    /* RIP is up to date at the start of a block only. */
    if (i->begins_block) {
        moved = read_register(rip_handle) - i->pc;
    }
    record.address = i->pc + moved;
    if (!tracing) {
        if (ended || !turns_paging_on(&i->decoded)) {
            return;
        }
        tracing = true;
        write_ram();
    }
    end_operation(record.address);
    /* What changes it ends a block. */
    if (i->begins_block) {
        note_privilege();
    }
    write_bytes(&record, sizeof(record));
    if (i->decoded.what == WHAT_MARKER) {
        record = (struct trace_record) {
            .type = TRACE_MARKER, .value = { i->decoded.label & 0xffffff },
        };
        write_bytes(&record, sizeof(record));
        ended = record.value[0] == LABEL_END;
        tracing = !ended;
    }
    begin_operation(i);
}

static void on_access(unsigned cpu, qemu_plugin_meminfo_t info,
                      uint64_t address, void *opaque)
{
    qemu_plugin_mem_value value;
    struct trace_record record = {
        .type = qemu_plugin_mem_is_store(info) ? TRACE_STORE : TRACE_LOAD,
        .size = 1 << qemu_plugin_mem_size_shift(info),
        .address = address,
    };

    (void)cpu;
    (void)opaque;
    if (!tracing) {
        return;
    }
    value = qemu_plugin_mem_get_value(info);
    memcpy(record.value, &value.data, record.size);
    write_bytes(&record, sizeof(record));
    if (pending.operation == OPERATION_INVPCID) {
        take_descriptor(&record);
    }
}

static void instrument(struct qemu_plugin_insn *insn, bool begins_block)
{
    struct instruction *i = g_new0(struct instruction, 1);
    uint8_t bytes[16];

    i->pc = qemu_plugin_insn_vaddr(insn);
    i->begins_block = begins_block;
    i->size = qemu_plugin_insn_size(insn);
    i->decoded = decode(bytes, qemu_plugin_insn_data(insn, bytes,
                                                     sizeof(bytes)));
    qemu_plugin_register_vcpu_insn_exec_cb(insn, on_instruction,
                                           QEMU_PLUGIN_CB_R_REGS, i);
    /* What these read and write are VMCBs and host save areas. */
    if (i->decoded.what != WHAT_VMRUN &&
        i->decoded.what != WHAT_VMM_MEMORY) {
        qemu_plugin_register_vcpu_mem_cb(
            insn, on_access, QEMU_PLUGIN_CB_NO_REGS,
            i->decoded.locked ? QEMU_PLUGIN_MEM_W : QEMU_PLUGIN_MEM_RW, i);
    }
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t n = 0; n < qemu_plugin_tb_n_insns(tb); n++) {
        instrument(qemu_plugin_tb_get_insn(tb, n), n == 0);
    }
}

static struct qemu_plugin_register *find(const GArray *all, const char *name)
{
    for (unsigned i = 0; i < all->len; i++) {
        qemu_plugin_reg_descriptor *r = &g_array_index(
            all, qemu_plugin_reg_descriptor, i);

        if (g_str_equal(r->name, name)) {
            return r->handle;
        }
    }
    return NULL;
}

/* A CPU without direct segments has no CR9 to CR11: they are 0 then. */
static void on_cpu(qemu_plugin_id_t id, unsigned cpu)
{
    g_autoptr(GArray) all = qemu_plugin_get_registers();

    (void)id;
    (void)cpu;
    for (unsigned i = 0; i < G_N_ELEMENTS(state_names); i++) {
        state_handles[i] = find(all, state_names[i]);
    }
    rip_handle = find(all, "rip");
    cs_handle = find(all, "cs");
    for (unsigned i = 0; i < G_N_ELEMENTS(register_names); i++) {
        handles[i] = find(all, register_names[i]);
        if (!handles[i]) {
            die("the CPU has no 64-bit registers");
        }
    }
}

static void on_exit_(qemu_plugin_id_t id, void *opaque)
{
    (void)id;
    (void)opaque;
    if (fclose(file)) {
        die("can't write the trace: is the disk full?");
    }
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
                                           const qemu_info_t *info,
                                           int argc, char **argv)
{
    const char *name = NULL;

    for (int i = 0; i < argc; i++) {
        g_auto(GStrv) words = g_strsplit(argv[i], "=", 2);

        if (g_strcmp0(words[0], "trace") == 0 && words[1]) {
            name = argv[i] + strlen("trace=");
        } else if (g_strcmp0(words[0], "ram") == 0 && words[1]) {
            ram_size = g_ascii_strtoull(words[1], NULL, 0);
        } else {
            fprintf(stderr, "trace-plugin: there is no argument %s\n", argv[i]);
            return -1;
        }
    }
    if (!name || !ram_size || info->system.max_vcpus != 1) {
        fprintf(stderr, "trace-plugin: give it trace=FILE and ram=BYTES, and "
                "the machine one CPU\n");
        return -1;
    }
    file = fopen(name, "wb");
    if (!file) {
        fprintf(stderr, "trace-plugin: can't write %s\n", name);
        return -1;
    }
    write_bytes(TRACE_MAGIC, TRACE_MAGIC_SIZE);
    buffer = g_byte_array_new();
    qemu_plugin_register_vcpu_init_cb(id, on_cpu);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit_, NULL);
    return 0;
}
