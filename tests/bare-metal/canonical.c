/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses that are not canonical, in a guest: #SS if the stack is accessed, #GP
 * if anything else is (AMD's manual, volume 2, 8.2.13 and 8.2.14); a branch to one
 * faults itself (volume 3). All exceptions are intercepted, so the VMCB has the
 * state that the fault would save.
 */
#include "lib/cpu.h"
#include "lib/tap.h"
#include "lib/vm.h"

enum { VECTOR_SS = 12 };

#define CR4_OSFXSR BIT(9)
#define RFLAGS_ZF BIT(6)
#define LAST_LOW_PAGE 0x7ffffffff000ull
#define CODE_SELECTOR 0x10
#define DATA_SELECTOR 0x18
#define GATE_SELECTOR 0x20
#define INTERRUPT 0x20
#define CODE64_DESCRIPTOR 0x00af9b000000ffffull
#define DATA_DESCRIPTOR 0x00cf93000000ffffull
#define CALL_GATE 0x8c00ull
#define INTERRUPT_GATE 0x8e00ull

/* The four pages of the guest's data. */
enum { CODE_PAGE, STACK_PAGE, POINTERS_PAGE, TABLES_PAGE };
#define STACK_OFFSET 0x800
#define IDT_OFFSET 0x400

#define CODE(bytes) bytes, sizeof(bytes) - 1

enum reg { RAX, RBX, RSP, RBP, RSI, RDI, R12, R13 };

static const struct vm_shape shapes[] = { { 4, 1, 4, 1 }, { 5, 1, 4, 1 } };

static uint64_t data(struct vm *vm, unsigned page)
{
    return to_gva(vm->data_hpa) + page * PAGE;
}

static uint64_t *data_at(struct vm *vm, unsigned page, unsigned offset)
{
    return at_hpa(vm->data_hpa + page * PAGE + offset);
}

static uint64_t valid_stack(struct vm *vm)
{
    return data(vm, STACK_PAGE) + STACK_OFFSET;
}

static void set_register(struct vm *vm, enum reg reg, uint64_t value)
{
    struct guest_registers *r = &vm->guest.registers;

    switch (reg) {
    case RAX: vm->guest.vmcb->rax = value; break;
    case RBX: r->rbx = value; break;
    case RSP: vm->guest.vmcb->rsp = value; break;
    case RBP: r->rbp = value; break;
    case RSI: r->rsi = value; break;
    case RDI: r->rdi = value; break;
    case R12: r->r12 = value; break;
    case R13: r->r13 = value; break;
    }
}

/* A gate of 64 bits, in two quadwords. */
static void make_gate(uint64_t *at, uint64_t type, uint64_t offset)
{
    at[0] = (offset & 0xffff) | CODE_SELECTOR << 16 | type << 32 |
            (offset >> 16 & 0xffff) << 48;
    at[1] = offset >> 32;
}

/* All registers have valid addresses, and gates lead to "target". */
static void make(struct vm *vm, unsigned levels, uint64_t target)
{
    struct vmcb *vmcb;
    uint64_t *gdt;

    vm_init(vm, &shapes[levels - 4]);
    vmcb = vm->guest.vmcb;
    vmcb->cr4 |= CR4_OSFXSR;
    for (enum reg reg = RAX; reg <= R13; reg++) {
        set_register(vm, reg, data(vm, POINTERS_PAGE));
    }
    set_register(vm, RSP, valid_stack(vm));
    *data_at(vm, POINTERS_PAGE, 0) = data(vm, CODE_PAGE);
    gdt = data_at(vm, TABLES_PAGE, 0);
    gdt[CODE_SELECTOR / 8] = CODE64_DESCRIPTOR;
    gdt[DATA_SELECTOR / 8] = DATA_DESCRIPTOR;
    make_gate(&gdt[GATE_SELECTOR / 8], CALL_GATE, target);
    make_gate(data_at(vm, TABLES_PAGE, IDT_OFFSET + INTERRUPT * 16),
              INTERRUPT_GATE, target);
    vmcb->gdtr.base = data(vm, TABLES_PAGE);
    vmcb->gdtr.limit = GATE_SELECTOR + 15;
    vmcb->idtr.base = data(vm, TABLES_PAGE) + IDT_OFFSET;
    vmcb->idtr.limit = INTERRUPT * 16 + 15;
}

/* Execute code that lies at a gVA, a page of data_hpa + "page" * PAGE. */
static struct l2_end run(struct vm *vm, uint64_t gva, unsigned page,
                         const char *code, unsigned size)
{
    char *to = (char *)data_at(vm, page, gva % PAGE);

    __builtin_memcpy(to, code, size);
    if (gva % PAGE + size + 3 <= PAGE) {
        __builtin_memcpy(to + size, L2_VMMCALL, 3);
    }
    return l2_fetch(&vm->guest, gva);
}

/* A fault that has changed nothing. */
static void expect_fault(struct vm *vm, struct l2_end end, unsigned vector,
                         uint64_t rip, uint64_t rsp)
{
    expect("exit code", EXIT_EXCEPTION(vector), end.exit_code);
    if (vector != VECTOR_PF) {
        expect("error code", 0, end.exit_info1);
    }
    expect("RIP", rip, vm->guest.vmcb->rip);
    expect("RSP", rsp, vm->guest.vmcb->rsp);
}

/* "reg" has the address that is not canonical, + add. */
static const struct {
    const char *name, *code;
    unsigned size;
    enum reg reg;
    unsigned add, vector;
} accesses[] = {
    { "mov (%rax), %cl", CODE("\x8a\x08"), RAX, 0, VECTOR_GP },
    { "mov %cl, (%rbx)", CODE("\x88\x0b"), RBX, 0, VECTOR_GP },
    { "mov (%rbp), %cl", CODE("\x8a\x4d\x00"), RBP, 0, VECTOR_SS },
    { "mov %cl, (%rbp)", CODE("\x88\x4d\x00"), RBP, 0, VECTOR_SS },
    { "mov (%rsp), %cl", CODE("\x8a\x0c\x24"), RSP, 0, VECTOR_SS },
    { "mov %cl, 8(%rsp)", CODE("\x88\x4c\x24\x08"), RSP, 0, VECTOR_SS },
    { "lock incb (%rbp)", CODE("\xf0\xfe\x45\x00"), RBP, 0, VECTOR_SS },
    { "lock incb (%rax)", CODE("\xf0\xfe\x00"), RAX, 0, VECTOR_GP },
    { "mov -0x1000(%rbp,%rax), %cl, RBP = 0x1000",
      CODE("\xbd\x00\x10\x00\x00\x8a\x8c\x05\x00\xf0\xff\xff"), RAX, 0,
      VECTOR_SS },
    { "mov -0x1000(%rax,%rbp), %cl, RAX = 0x1000",
      CODE("\xb8\x00\x10\x00\x00\x8a\x8c\x28\x00\xf0\xff\xff"), RBP, 0,
      VECTOR_GP },
    { "mov (%r12), %cl", CODE("\x41\x8a\x0c\x24"), R12, 0, VECTOR_GP },
    { "mov (%r13), %cl", CODE("\x41\x8a\x4d\x00"), R13, 0, VECTOR_GP },
    { "mov %fs:(%rbp), %cl", CODE("\x64\x8a\x4d\x00"), RBP, 0, VECTOR_GP },
    { "mov %gs:(%rsp), %cl", CODE("\x65\x8a\x0c\x24"), RSP, 0, VECTOR_GP },
    { "mov %ds:(%rbp), %cl", CODE("\x3e\x8a\x4d\x00"), RBP, 0, VECTOR_SS },
    { "mov %ss:(%rax), %cl", CODE("\x36\x8a\x08"), RAX, 0, VECTOR_GP },
    { "flds (%rbp)", CODE("\xd9\x45\x00"), RBP, 0, VECTOR_SS },
    { "movups (%rbp), %xmm0", CODE("\x0f\x10\x45\x00"), RBP, 0, VECTOR_SS },
    { "movups %xmm0, (%rax)", CODE("\x0f\x11\x00"), RAX, 0, VECTOR_GP },
    { "fxsave (%rbp)", CODE("\x0f\xae\x45\x00"), RBP, 0, VECTOR_SS },
    { "movsb, RSI", CODE("\xa4"), RSI, 0, VECTOR_GP },
    { "movsb, RDI", CODE("\xa4"), RDI, 0, VECTOR_GP },
    { "push %rax", CODE("\x50"), RSP, 8, VECTOR_SS },
    { "pop %rax", CODE("\x58"), RSP, 0, VECTOR_SS },
    { "pushf", CODE("\x9c"), RSP, 8, VECTOR_SS },
    { "popf", CODE("\x9d"), RSP, 0, VECTOR_SS },
    { "push (%rax), the memory", CODE("\xff\x30"), RAX, 0, VECTOR_GP },
    { "push (%rax), the stack", CODE("\xff\x30"), RSP, 8, VECTOR_SS },
    { "push (%rbp), the memory", CODE("\xff\x75\x00"), RBP, 0, VECTOR_SS },
    { "pop (%rax), the memory", CODE("\x8f\x00"), RAX, 0, VECTOR_GP },
    { "pop (%rax), the stack", CODE("\x8f\x00"), RSP, 0, VECTOR_SS },
    { "pop (%rbp), the memory", CODE("\x8f\x45\x00"), RBP, 0, VECTOR_SS },
    { "call *(%rax), the memory", CODE("\xff\x10"), RAX, 0, VECTOR_GP },
    { "call *(%rax), the stack", CODE("\xff\x10"), RSP, 8, VECTOR_SS },
    { "call", CODE("\xe8\x00\x00\x00\x00"), RSP, 8, VECTOR_SS },
    { "ret", CODE("\xc3"), RSP, 0, VECTOR_SS },
    { "enter", CODE("\xc8\x00\x00\x00"), RSP, 8, VECTOR_SS },
    { "enter, level 2, the old frame", CODE("\xc8\x00\x00\x02"), RBP, 8,
      VECTOR_SS },
    { "leave", CODE("\xc9"), RBP, 0, VECTOR_SS },
    { "lretq", CODE("\x48\xcb"), RSP, 0, VECTOR_SS },
    { "iretq", CODE("\x48\xcf"), RSP, 0, VECTOR_SS },
    { "lcall *(%rbx), the memory", CODE("\x48\xff\x1b"), RBX, 0, VECTOR_GP },
    { "int $0x20", CODE("\xcd\x20"), RSP, 16, VECTOR_SS },
};

/* The instruction that accesses memory: behind a MOV of 5 bytes, or the first. */
static unsigned skipped(const char *code)
{
    return ((uint8_t)code[0] & 0xf8) == 0xb8 ? 5 : 0;
}

static void access_rows(unsigned levels, uint64_t address, bool canonical)
{
    for (unsigned i = 0; i < ARRAY_SIZE(accesses); i++) {
        unsigned vector = canonical ? VECTOR_PF : accesses[i].vector;
        uint64_t value = address + accesses[i].add, code;
        struct l2_end end;
        struct vm vm;

        case_begin("%s, 0x%lx, %u levels: %s", accesses[i].name, address,
                   levels, vector == VECTOR_PF ? "#PF"
                   : vector == VECTOR_SS ? "#SS(0)" : "#GP(0)");
        make(&vm, levels, 0);
        code = data(&vm, CODE_PAGE);
        set_register(&vm, accesses[i].reg, value);
        end = run(&vm, code, CODE_PAGE, accesses[i].code, accesses[i].size);
        expect_fault(&vm, end, vector, code + skipped(accesses[i].code),
                     accesses[i].reg == RSP ? value : valid_stack(&vm));
        case_end();
    }
}

/* Its last bytes are on the other side. */
static void across_the_limit(void)
{
    struct l2_end end;
    struct vm vm;

    case_begin("mov (%%rbp), %%rcx, the last 4 bytes are not canonical: #SS(0)");
    make(&vm, 4, 0);
    tables_map(&vm.guest_tables, LAST_LOW_PAGE, to_gpa(vm.data_hpa), PAGE, 1,
               PTE_P | PTE_W | PTE_U);
    set_register(&vm, RBP, LAST_LOW_PAGE + PAGE - 4);
    end = run(&vm, data(&vm, CODE_PAGE), CODE_PAGE, CODE("\x48\x8b\x4d\x00"));
    expect_fault(&vm, end, VECTOR_SS, data(&vm, CODE_PAGE), valid_stack(&vm));
    case_end();
}

/*
 * The target is in RAX, at RBX as a far pointer, on the stack, in the gates. RSP
 * changes by "pushed" if the target is canonical.
 */
static const struct {
    const char *name, *code;
    unsigned size;
    uint16_t selector;
    int pushed;
} branches[] = {
    { "jmp *%rax", CODE("\xff\xe0"), 0, 0 },
    { "jmp *(%rbx)", CODE("\xff\x23"), 0, 0 },
    { "call *%rax", CODE("\xff\xd0"), 0, -8 },
    { "call *(%rbx)", CODE("\xff\x13"), 0, -8 },
    { "ret", CODE("\xc3"), 0, 8 },
    { "ret $16", CODE("\xc2\x10\x00"), 0, 24 },
    { "ljmp *(%rbx)", CODE("\x48\xff\x2b"), CODE_SELECTOR, 0 },
    { "lcall *(%rbx)", CODE("\x48\xff\x1b"), CODE_SELECTOR, -16 },
    { "ljmp *(%rbx), a call gate", CODE("\x48\xff\x2b"), GATE_SELECTOR, 0 },
    { "lcall *(%rbx), a call gate", CODE("\x48\xff\x1b"), GATE_SELECTOR, -16 },
    { "lretq", CODE("\x48\xcb"), 0, 16 },
    { "iretq", CODE("\x48\xcf"), 0, 0 },
    { "int $0x20", CODE("\xcd\x20"), 0, -40 },
};

static void make_targets(struct vm *vm, uint64_t target, uint16_t selector)
{
    const uint64_t frame[] = {
        target, CODE_SELECTOR, RFLAGS_FIXED, valid_stack(vm), DATA_SELECTOR,
    };
    uint64_t *pointer = data_at(vm, POINTERS_PAGE, 0);

    set_register(vm, RAX, target);
    pointer[0] = target;
    pointer[1] = selector;
    __builtin_memcpy(data_at(vm, STACK_PAGE, STACK_OFFSET), frame,
                     sizeof(frame));
}

static void branch_rows(unsigned levels, uint64_t target, bool canonical)
{
    for (unsigned i = 0; i < ARRAY_SIZE(branches); i++) {
        uint64_t code;
        struct l2_end end;
        struct vm vm;

        case_begin("%s to 0x%lx, %u levels: %s", branches[i].name, target,
                   levels, canonical ? "#PF there" : "#GP(0) at the branch");
        make(&vm, levels, target);
        make_targets(&vm, target, branches[i].selector);
        code = data(&vm, CODE_PAGE);
        end = run(&vm, code, CODE_PAGE, branches[i].code, branches[i].size);
        if (canonical) {
            expect("exit code", EXIT_EXCEPTION(VECTOR_PF), end.exit_code);
            expect("RIP", target, vm.guest.vmcb->rip);
            expect("RSP", valid_stack(&vm) + branches[i].pushed,
                   vm.guest.vmcb->rsp);
        } else {
            expect_fault(&vm, end, VECTOR_GP, code, valid_stack(&vm));
        }
        case_end();
    }
}

/* The last bytes of the lower half. The branch is "at" from their beginning. */
static const struct {
    const char *name, *code;
    unsigned size, at;
    uint64_t rflags, rflags_then;
} direct[] = {
    { "jmp", CODE("\xe9\x00\x01\x00\x00"), 0, 2, 2 },
    { "jmp short", CODE("\xeb\x70"), 0, 2, 2 },
    { "call", CODE("\xe8\x00\x01\x00\x00"), 0, 2, 2 },
    { "jz", CODE("\x0f\x84\x00\x01\x00\x00"), 0, 0x42, 0x42 },
    { "jz short", CODE("\x74\x70"), 0, 0x42, 0x42 },
    { "jrcxz", CODE("\xe3\x70"), 0, 2, 2 },
    /* Flags that have not been computed yet, as CPUs by translation do. */
    { "cmp %eax, %eax; jle", CODE("\x39\xc0\x0f\x8e\x00\x01\x00\x00"), 2,
      2, 0x46 },
    { "add %al, %al, AL = 0x80; jbe", CODE("\x00\xc0\x0f\x86\x00\x01\x00\x00"), 2,
      2, 0x847 },
    { "inc %al, AL = 0x80; jns and js",
      CODE("\xfe\xc0\x79\x02\x0f\x88\x00\x01\x00\x00"), 4, 2, 0x86 },
};

static void make_edge(struct vm *vm)
{
    make(vm, 4, 0);
    tables_map(&vm->guest_tables, LAST_LOW_PAGE, to_gpa(vm->data_hpa), PAGE, 1,
               PTE_P | PTE_W | PTE_U);
    set_register(vm, RAX, 0x80);
}

static void direct_rows(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(direct); i++) {
        uint64_t code = LAST_LOW_PAGE + PAGE - 0x40;
        struct l2_end end;
        struct vm vm;

        case_begin("%s from below the limit to above it: #GP(0) at the branch",
                   direct[i].name);
        make_edge(&vm);
        vm.guest.vmcb->rflags = direct[i].rflags;
        end = run(&vm, code, CODE_PAGE, direct[i].code, direct[i].size);
        expect_fault(&vm, end, VECTOR_GP, code + direct[i].at,
                     valid_stack(&vm));
        expect("RFLAGS", direct[i].rflags_then, vm.guest.vmcb->rflags);
        case_end();
    }
}

static void no_branch(void)
{
    uint64_t code = LAST_LOW_PAGE + PAGE - 0x40;
    struct l2_end end;
    struct vm vm;

    case_begin("jz above the limit that is not taken: nothing");
    make_edge(&vm);
    end = run(&vm, code, CODE_PAGE, CODE("\x0f\x84\x00\x01\x00\x00"));
    expect("exit code", EXIT_VMMCALL, end.exit_code);
    case_end();

    case_begin("code runs off the lower half: #GP(0) at the fetch");
    make_edge(&vm);
    end = run(&vm, LAST_LOW_PAGE + PAGE - 1, CODE_PAGE, CODE("\x90"));
    expect_fault(&vm, end, VECTOR_GP, LAST_LOW_PAGE + PAGE, valid_stack(&vm));
    case_end();

    case_begin("VMRUN with such an RIP: #GP(0) in the guest");
    make(&vm, 4, 0);
    end = l2_fetch(&vm.guest, BIT(47));
    expect_fault(&vm, end, VECTOR_GP, BIT(47), valid_stack(&vm));
    case_end();
}

void tests(void)
{
    access_rows(4, BIT(47), false);
    access_rows(4, BIT(62) + PAGE, false);
    access_rows(4, -BIT(47) - PAGE, false);
    access_rows(5, BIT(56), false);
    access_rows(5, BIT(47), true);
    across_the_limit();
    branch_rows(4, BIT(47), false);
    branch_rows(4, -BIT(47) - PAGE, false);
    branch_rows(5, BIT(56), false);
    branch_rows(5, BIT(47), true);
    direct_rows();
    no_branch();
}
