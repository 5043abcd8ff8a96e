/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the page tables that a CPU uses, read as a debugger does
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/rcu.h"
#include "system/dma.h" /* for system/memory.h, which 10.0 has in exec/ */
#include "svm.h"
#include "dseg.h"
#include "cpu/state.h"
#include "monitor/tables-in-force.h"

/* The control registers that decide how a CPU translates. */
typedef struct Controls {
    uint64_t cr0;
    uint64_t cr3;
    uint64_t cr4;
    uint64_t efer;
} Controls;

/* Where @size bytes at @addr are in the host, or NULL if not all in one RAM. */
static void *ram_pointer(CPUX86State *env, hwaddr addr, hwaddr *size,
                         bool writable)
{
    AddressSpace *as = cpu_addressspace(env_cpu(env), MEMTXATTRS_UNSPECIFIED);
    hwaddr offset;
    MemoryRegion *mr = address_space_translate(as, addr, &offset, size,
                                               writable,
                                               MEMTXATTRS_UNSPECIFIED);

    if (!memory_region_is_ram(mr) || memory_region_is_ram_device(mr) ||
        (writable && mr->readonly)) {
        return NULL;
    }
    return memory_region_get_ram_ptr(mr) + offset;
}

bool x86_dseg_is_ram(CPUX86State *env, hwaddr addr, hwaddr size, uint64_t *bad)
{
    RCU_READ_LOCK_GUARD();

    while (size) {
        hwaddr here = size;

        if (!ram_pointer(env, addr, &here, true)) {
            *bad = addr & DSEG_PAGE_MASK;
            return false;
        }
        addr += here;
        size -= here;
    }
    return true;
}

static bool load_physical(void *opaque, uint64_t addr, unsigned size,
                          uint64_t *value)
{
    hwaddr here = size;
    void *at;

    RCU_READ_LOCK_GUARD();
    at = ram_pointer(opaque, addr, &here, false);
    if (!at || here < size) {
        return false;
    }
    *value = size == 8 ? ldq_le_p(at) : (uint32_t)ldl_le_p(at);
    return true;
}

static bool load_nested(void *opaque, uint64_t addr, unsigned size,
                        uint64_t *value)
{
    DsegTables *nested = opaque;
    DsegMapping mapping;

    return dseg_tables_lookup(nested, addr, &mapping) == DSEG_LOOKUP_MAPPED &&
           nested->load(nested->opaque, mapping.addr, size, value);
}

static DsegPagingMode paging_of(const Controls *c)
{
    if (!(c->cr0 & CR0_PG_MASK)) {
        return DSEG_PAGING_NONE;
    }
    if (c->efer & MSR_EFER_LMA) {
        return c->cr4 & CR4_LA57_MASK ? DSEG_PAGING_LONG5 : DSEG_PAGING_LONG4;
    }
    return c->cr4 & CR4_PAE_MASK ? DSEG_PAGING_PAE : DSEG_PAGING_LEGACY;
}

static DsegTables tables_of(CPUX86State *env, const Controls *c, DsegLoad *load,
                            void *opaque)
{
    return (DsegTables) {
        .mode = paging_of(c),
        .root = c->cr3,
        .large_pages = c->cr4 & CR4_PSE_MASK,
        .no_execute = c->efer & MSR_EFER_NXE,
        .phys_bits = x86_dseg_phys_bits(env),
        .load = load,
        .opaque = opaque,
    };
}

static Controls controls_of_cpu(CPUX86State *env)
{
    return (Controls) {
        .cr0 = env->cr[0],
        .cr3 = env->cr[3],
        .cr4 = env->cr[4],
        .efer = env->efer,
    };
}

/* Those in the save area of a VMCB: a guest's, or the host's saved by VMRUN. */
static Controls controls_of_vmcb(CPUX86State *env, hwaddr vmcb)
{
    CPUState *cs = env_cpu(env);

    return (Controls) {
        .cr0 = x86_ldq_phys(cs, vmcb + offsetof(struct vmcb, save.cr0)),
        .cr3 = x86_ldq_phys(cs, vmcb + offsetof(struct vmcb, save.cr3)),
        .cr4 = x86_ldq_phys(cs, vmcb + offsetof(struct vmcb, save.cr4)),
        .efer = x86_ldq_phys(cs, vmcb + offsetof(struct vmcb, save.efer)),
    };
}

/*
 * The nested CR3 of the guest that runs, or of the one that ran last, if it has
 * nested paging.  The page of a VMCB may be used otherwise since then, so
 * what can't be one is not taken for one: see VMRUN's checks, APM volume 2,
 * section 15.5.1.
 */
static bool find_nested_cr3(CPUX86State *env, uint64_t *cr3)
{
    CPUState *cs = env_cpu(env);
    hwaddr vmcb = env->vm_vmcb;
    uint64_t bad;

    if (x86_dseg_in_guest(env)) {
        *cr3 = env->nested_cr3;
        return true;
    }
    if (!vmcb || !x86_dseg_is_ram(env, vmcb, sizeof(struct vmcb), &bad) ||
        !(x86_ldq_phys(cs, vmcb + offsetof(struct vmcb, control.nested_ctl)) &
          SVM_NPT_ENABLED) ||
        !(x86_ldq_phys(cs, vmcb + offsetof(struct vmcb, control.intercept)) &
          (1ULL << (SVM_EXIT_VMRUN - SVM_EXIT_INTR))) ||
        !x86_ldl_phys(cs, vmcb + offsetof(struct vmcb, control.asid))) {
        return false;
    }
    *cr3 = x86_ldq_phys(cs, vmcb + offsetof(struct vmcb, control.nested_cr3));
    return !(*cr3 >> x86_dseg_phys_bits(env));
}

void x86_dseg_tables(CPUX86State *env, X86DsegTables *tables)
{
    bool in_guest = x86_dseg_in_guest(env);
    Controls host = in_guest ? controls_of_vmcb(env, env->vm_hsave)
                             : controls_of_cpu(env);
    Controls guest;

    tables->native = tables_of(env, &host, load_physical, env);
    tables->has_nested = find_nested_cr3(env, &host.cr3);
    if (!tables->has_nested) {
        return;
    }
    /* Nested tables have the format of the host's own. */
    tables->nested = tables_of(env, &host, load_physical, env);
    guest = in_guest ? controls_of_cpu(env)
                     : controls_of_vmcb(env, env->vm_vmcb);
    tables->guest = tables_of(env, &guest, load_nested, &tables->nested);
}
