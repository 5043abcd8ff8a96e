// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * CR9 to CR11 follow CR3
 *
 * A guest segment belongs to an address space as the page table does, so it is
 * changed where the kernel changes CR3: at each context switch, but also in
 * exec, where a process leaves its parent's address space without one, and
 * where the kernel borrows an address space (to patch code, for EFI, for a
 * thread of its own).  All of these pass the tracepoint tlb_flush.
 */
#include <linux/mm_types.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <asm/asm.h>
#include <asm/processor-flags.h>

#include <dseg.h>

#include "cpus.h"
#include "guest.h"
#include "tracepoint.h"

/* What this CPU's registers hold. */
static DEFINE_PER_CPU(struct guest_segment, loaded);

/* Whether MOV from CR9 exists: a VMM may hide the CPUID leaf. */
static bool has_direct_segments(void)
{
	bool has = false;
	u64 value;

	asm volatile("1: mov %%cr9, %[value]\n\t"
		     "movb $1, %[has]\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : [value] "=r" (value), [has] "+m" (has));
	return has;
}

static phys_addr_t current_root(void)
{
	unsigned long cr3;

	asm volatile("mov %%cr3, %0" : "=r" (cr3) : : "memory");
	return cr3 & CR3_ADDR_MASK;
}

/* With interrupts off. */
static void load(struct guest_segment wanted)
{
	struct guest_segment *now = this_cpu_ptr(&loaded);

	if (!memcmp(now, &wanted, sizeof(wanted)))
		return;
	dseg_set_guest_segment(wanted.base, wanted.limit, wanted.offset);
	*now = wanted;
}

static void load_current(void)
{
	struct guest_segment wanted = {};
	const struct guest_process *process;

	if (!dseg_cpu_in_use())
		return;
	rcu_read_lock();
	process = guest_process_of(current_root());
	/* It may end at this moment, which sets active to false, and syncs. */
	if (process && READ_ONCE(process->active))
		wanted = process->segment;
	rcu_read_unlock();
	load(wanted);
}

/* Of trace/events/tlb.h, called with interrupts off and the new CR3 loaded. */
static void on_tlb_flush(void *unused, int reason, unsigned long pages)
{
	if (reason == TLB_FLUSH_ON_TASK_SWITCH)
		load_current();
}

static void on_sync(void *unused)
{
	load_current();
}

void guest_segment_sync(void)
{
	on_each_cpu(on_sync, NULL, true);
}

static void start(void)
{
	*this_cpu_ptr(&loaded) = (struct guest_segment) {};
	dseg_set_guest_segment(0, 0, 0);
	load_current();
}

static void stop(void)
{
	load((struct guest_segment) {});
}

static const struct dseg_cpus cpus = {
	.name = "dseg/guest:online",
	.start = start,
	.stop = stop,
};

int guest_segment_init(void)
{
	int err;

	if (!has_direct_segments())
		return -ENODEV;
	err = dseg_tracepoint_on("tlb_flush", on_tlb_flush);
	if (err)
		return err;
	err = dseg_cpus_on(&cpus);
	if (err)
		dseg_tracepoint_off("tlb_flush", on_tlb_flush);
	return err;
}

void guest_segment_exit(void)
{
	dseg_cpus_off();
	dseg_tracepoint_off("tlb_flush", on_tlb_flush);
}
