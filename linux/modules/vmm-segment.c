// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The VMM segment's MSRs follow the VMs
 *
 * They are loaded when KVM is about to enter a VM that has a segment, and
 * cleared when it is about to enter another one, and when its task leaves the
 * CPU.  They stay while KVM, or the VMM in the same task, handles an exit: in
 * host mode they do nothing.
 */
#include <linux/kvm_host.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <linux/tracepoint.h>
#include <asm/msr.h>
#include <asm/processor.h>

#include <dseg.h>

#include "cpus.h"
#include "fault.h"
#include "tracepoint.h"
#include "vmm.h"

/* KVM's own, of which only the tracepoint is exported, and not the header. */
DECLARE_TRACE(kvm_entry, TP_PROTO(struct kvm_vcpu *vcpu), TP_ARGS(vcpu));

/* What this CPU's registers hold. */
static DEFINE_PER_CPU(struct vmm_segment *, loaded);

/* Words of 64 bits that the escape filter has. */
static unsigned int filter_words;

/* How many words that is, too; false if the CPU has no VMM segment. */
static bool find_vmm_segment(void)
{
	u32 eax, features, ecx, edx;
	u32 wanted = DSEG_CPUID_VMM_SEGMENT | DSEG_CPUID_FILTER;

	cpuid_count(DSEG_CPUID_LEAF, 0, &eax, &features, &ecx, &edx);
	filter_words = DSEG_CPUID_FILTER_WORDS(ecx);
	return eax == DSEG_CPUID_SIGNATURE && (features & wanted) == wanted;
}

/* With interrupts off, as all that follow. */
static void load_filter(const struct vmm_segment *segment)
{
	unsigned int i;

	for (i = 0; i < filter_words; i++)
		wrmsrl(DSEG_MSR_FILTER(i), 0);
	for (i = 0; segment && i < segment->nr_escapes; i++)
		wrmsrl(DSEG_MSR_FILTER_ADD,
		       segment->escapes[i].gfn << PAGE_SHIFT);
}

static void load_none(void)
{
	struct vmm_segment *before = __this_cpu_read(loaded);

	wrmsrl(DSEG_MSR_LIMIT, 0);
	wrmsrl(DSEG_MSR_BASE, 0);
	wrmsrl(DSEG_MSR_OFFSET, 0);
	if (!before || before->nr_escapes)
		load_filter(NULL);
	__this_cpu_write(loaded, NULL);
}

static void load(struct vmm_segment *segment)
{
	u64 base = segment->gfn << PAGE_SHIFT;
	u64 target = (u64)segment->region.pfn << PAGE_SHIFT;

	if (__this_cpu_read(loaded))
		load_none();
	if (segment->nr_escapes)
		load_filter(segment);
	wrmsrl(DSEG_MSR_BASE, base);
	wrmsrl(DSEG_MSR_OFFSET, target - base);
	wrmsrl(DSEG_MSR_LIMIT, base + ((u64)segment->region.nr << PAGE_SHIFT));
	__this_cpu_write(loaded, segment);
}

/*
 * Is what this CPU is about to run the VM itself, and its memory as it was?
 * A nested guest has guest-physical memory of its own, and KVM must see what
 * the VM writes to the tables that translate it; the same goes for KVM without
 * nested paging.  System-management mode has memory slots of its own.
 */
static bool may_use(struct kvm_vcpu *vcpu, const struct vmm_segment *segment)
{
	struct vmm_range range = {
		.gfn = segment->gfn,
		.nr = segment->region.nr,
		.hva = segment->region.start,
	};

	return !(vcpu->arch.hflags & (HF_GUEST_MASK | HF_SMM_MASK)) &&
	       !READ_ONCE(vcpu->kvm->arch.indirect_shadow_pages) &&
	       vmm_slots_have(vcpu->kvm, &range);
}

static struct vmm_segment *wanted(struct kvm_vcpu *vcpu)
{
	struct vmm_segment *segment = vmm_segment_of(vcpu->kvm);
	bool fits;

	if (!segment || !READ_ONCE(segment->active))
		return NULL;
	/* What escapes is read after that. */
	if (smp_load_acquire(&segment->paused))
		return NULL;
	fits = may_use(vcpu, segment);
	if (fits != READ_ONCE(segment->fits))
		WRITE_ONCE(segment->fits, fits);
	return fits ? segment : NULL;
}

/* Called with interrupts off, right before VMRUN. */
static void on_kvm_entry(void *unused, struct kvm_vcpu *vcpu)
{
	struct vmm_segment *segment;

	if (!dseg_cpu_in_use())
		return;
	rcu_read_lock();
	segment = wanted(vcpu);
	if (segment != __this_cpu_read(loaded)) {
		if (segment)
			load(segment);
		else
			load_none();
	}
	rcu_read_unlock();
}

/* Of trace/events/sched.h, called with interrupts off. */
static void on_sched_switch(void *unused, bool preempt,
			    struct task_struct *prev, struct task_struct *next,
			    unsigned int prev_state)
{
	if (__this_cpu_read(loaded))
		load_none();
}

/* The interrupt has made a VM exit; it enters again by the tracepoint. */
static void on_sync(void *unused)
{
	if (__this_cpu_read(loaded))
		load_none();
}

void vmm_segment_sync(void)
{
	on_each_cpu(on_sync, NULL, true);
}

static void start(void)
{
	__this_cpu_write(loaded, NULL);
	load_none();
}

static const struct dseg_cpus cpus = {
	.name = "dseg/vmm:online",
	.start = start,
	.stop = load_none,
};

int vmm_segment_init(void)
{
	int err;

	if (!find_vmm_segment())
		return -ENODEV;
	err = dseg_tracepoint_on("sched_switch", on_sched_switch);
	if (err)
		return err;
	err = dseg_fault() ? -ENOMEM :
	      register_trace_kvm_entry(on_kvm_entry, NULL);
	if (err)
		goto no_entry;
	err = dseg_cpus_on(&cpus);
	if (!err)
		return 0;
	unregister_trace_kvm_entry(on_kvm_entry, NULL);
no_entry:
	dseg_tracepoint_off("sched_switch", on_sched_switch);
	return err;
}

void vmm_segment_exit(void)
{
	dseg_cpus_off();
	unregister_trace_kvm_entry(on_kvm_entry, NULL);
	dseg_tracepoint_off("sched_switch", on_sched_switch);
}
