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
#include <linux/cpuhotplug.h>
#include <linux/mm_types.h>
#include <linux/percpu.h>
#include <linux/reboot.h>
#include <linux/smp.h>
#include <asm/asm.h>
#include <asm/processor-flags.h>

#include <dseg.h>

#include "crash.h"
#include "fault.h"
#include "guest.h"
#include "tracepoint.h"

/* What this CPU's registers hold, and whether they may hold anything. */
static DEFINE_PER_CPU(struct guest_segment, loaded);
static DEFINE_PER_CPU(bool, in_use);

static int hotplug_state;

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

	if (!__this_cpu_read(in_use))
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

/* A CPU that comes up has been reset; one of those there may run a process. */
static int cpu_up(unsigned int cpu)
{
	unsigned long flags;

	local_irq_save(flags);
	*this_cpu_ptr(&loaded) = (struct guest_segment) {};
	dseg_set_guest_segment(0, 0, 0);
	__this_cpu_write(in_use, true);
	load_current();
	local_irq_restore(flags);
	return 0;
}

/* With interrupts off. */
static void stop(void)
{
	__this_cpu_write(in_use, false);
	load((struct guest_segment) {});
}

static int cpu_down(unsigned int cpu)
{
	unsigned long flags;

	local_irq_save(flags);
	stop();
	local_irq_restore(flags);
	return 0;
}

static void on_stop(void *unused)
{
	stop();
}

/* kexec starts a kernel that may not know segments, and does not reset CPUs. */
static int on_reboot(struct notifier_block *unused, unsigned long event,
		     void *command)
{
	on_each_cpu(on_stop, NULL, true);
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = { .notifier_call = on_reboot };

int guest_segment_init(void)
{
	int err;

	if (!has_direct_segments())
		return -ENODEV;
	err = dseg_tracepoint_on("tlb_flush", on_tlb_flush);
	if (err)
		return err;
	hotplug_state = dseg_fault() ? -ENOMEM :
			cpuhp_setup_state(CPUHP_AP_ONLINE_DYN,
					  "dseg/guest:online", cpu_up,
					  cpu_down);
	if (hotplug_state < 0) {
		dseg_tracepoint_off("tlb_flush", on_tlb_flush);
		return hotplug_state;
	}
	register_reboot_notifier(&reboot_notifier);
	dseg_crash_on(stop);
	return 0;
}

void guest_segment_exit(void)
{
	dseg_crash_off();
	unregister_reboot_notifier(&reboot_notifier);
	cpuhp_remove_state(hotplug_state);
	dseg_tracepoint_off("tlb_flush", on_tlb_flush);
}
