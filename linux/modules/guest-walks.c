// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the walks of each process have cost
 *
 * The CPU counts all walks; whoever ran between two readings has made them.
 */
#include <linux/binfmts.h>
#include <linux/mm_types.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/smp.h>

#include <dseg.h>

#include "guest.h"
#include "tracepoint.h"

/* Whose walks this CPU makes, and what its counters were as that began. */
struct count {
	struct guest_process *process;
	u64 begin[GUEST_COUNTERS];
};

static DEFINE_PER_CPU(struct count, count);

/*
 * Are we in a virtual machine?  Then this CPU's counters also move when the
 * host runs on it, whose walks are the native ones.
 */
static bool nested;

/* The order of CR12's regimes and of enum dseg_guest_regime is the same. */
static u64 read_regime(enum dseg_count kind, int regime)
{
	return dseg_read_counter(kind | (u64)(regime + 1) << 4);
}

/* Of all walks in two dimensions, or in a part of them. */
static u64 read_nested(enum dseg_count kind)
{
	u64 sum = 0;
	int i;

	for (i = DSEG_REGIME_BASE; i < DSEG_REGIMES; i++)
		sum += read_regime(kind, i);
	return sum;
}

/* A counter of struct dseg_guest_walks, in its order: docs/spec/counters.rst. */
static u64 read_counter(int i)
{
	static const enum dseg_count sums[] = {
		DSEG_GUEST_REFS, DSEG_NESTED_REFS, DSEG_CHECKS
	};

	if (i >= DSEG_REGIMES)
		return nested ? read_nested(sums[i - DSEG_REGIMES]) :
				dseg_read_counter(sums[i - DSEG_REGIMES]);
	if (nested && i < DSEG_REGIME_BASE)
		return 0;
	return read_regime(DSEG_WALKS, i);
}

/*
 * What kind of walk does a read need whose translation has just been dropped?
 * INVLPG always drops it; writing the same segment once more may drop nothing.
 */
static bool walks_are_nested(void)
{
	unsigned long flags;
	u64 before, after;

	local_irq_save(flags);
	before = read_nested(DSEG_WALKS);
	asm volatile("invlpg %0" : : "m" (nested) : "memory");
	READ_ONCE(nested);
	after = read_nested(DSEG_WALKS);
	local_irq_restore(flags);
	return before != after;
}

/* With interrupts off, under RCU. */
static void count_until_now(struct count *now)
{
	int i;

	for (i = 0; now->process && i < GUEST_COUNTERS; i++)
		atomic64_add(read_counter(i) - now->begin[i],
			     &now->process->counts[i]);
}

static void count_from_now(struct count *now, struct mm_struct *mm)
{
	int i;

	now->process = mm ? guest_process_of(__pa(mm->pgd)) : NULL;
	for (i = 0; now->process && i < GUEST_COUNTERS; i++)
		now->begin[i] = read_counter(i);
}

static void change_to(struct mm_struct *mm)
{
	struct count *now = this_cpu_ptr(&count);

	rcu_read_lock();
	count_until_now(now);
	count_from_now(now, mm);
	rcu_read_unlock();
}

/* Of trace/events/sched.h, called with interrupts off. */
static void on_sched_switch(void *unused, bool preempt,
			    struct task_struct *prev, struct task_struct *next,
			    unsigned int prev_state)
{
	change_to(next->mm);
}

/* The same, called when a process that has left its address space goes on. */
static void on_sched_process_exec(void *unused, struct task_struct *task,
				  pid_t old_pid, struct linux_binprm *binprm)
{
	unsigned long flags;

	local_irq_save(flags);
	change_to(current->mm);
	local_irq_restore(flags);
}

static void on_sync(void *unused)
{
	change_to(current->mm);
}

void guest_walks_sync(void)
{
	on_each_cpu(on_sync, NULL, true);
}

int guest_walks_init(void)
{
	int err;

	nested = walks_are_nested();
	err = dseg_tracepoint_on("sched_switch", on_sched_switch);

	if (err)
		return err;
	err = dseg_tracepoint_on("sched_process_exec", on_sched_process_exec);
	if (err)
		dseg_tracepoint_off("sched_switch", on_sched_switch);
	return err;
}

void guest_walks_exit(void)
{
	dseg_tracepoint_off("sched_process_exec", on_sched_process_exec);
	dseg_tracepoint_off("sched_switch", on_sched_switch);
}
