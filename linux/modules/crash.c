// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Crash kernels (kdump)
 *
 * kexec starts a crash kernel without resetting the CPU, and mostly before any
 * notifier: so we look at the function that prepares that, by a kprobe.  The
 * other CPUs are halted then, and get an INIT, which clears all registers,
 * before a kernel uses them.
 */
#include <linux/irqflags.h>
#include <linux/kprobes.h>

#include "crash.h"

static void (*on_crash)(void);
static bool is_on;

static int before_crash(struct kprobe *probe, struct pt_regs *regs)
{
	unsigned long flags;

	local_irq_save(flags);
	on_crash();
	local_irq_restore(flags);
	return 0;
}

static struct kprobe probe = {
	.symbol_name = "machine_crash_shutdown",
	.pre_handler = before_crash,
};

void dseg_crash_on(void (*stop)(void))
{
	on_crash = stop;
	is_on = !register_kprobe(&probe);
}

void dseg_crash_off(void)
{
	if (is_on)
		unregister_kprobe(&probe);
}
