// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The CPUs that may use segments
 *
 * Each CPU that comes up starts, and each that goes down stops, one at a time.
 * So do all of them before another kernel runs here, as kexec does not reset
 * CPUs, and that kernel may not know segments.
 */
#include <linux/cpuhotplug.h>
#include <linux/irqflags.h>
#include <linux/percpu.h>
#include <linux/reboot.h>
#include <linux/smp.h>

#include "cpus.h"
#include "crash.h"
#include "fault.h"

static const struct dseg_cpus *cpus;
static int hotplug_state;
static DEFINE_PER_CPU(bool, in_use);

bool dseg_cpu_in_use(void)
{
	return __this_cpu_read(in_use);
}

/* With interrupts off. */
static void stop(void)
{
	__this_cpu_write(in_use, false);
	cpus->stop();
}

/* A CPU that comes up has been reset; one that is up may be running anything. */
static int cpu_up(unsigned int cpu)
{
	unsigned long flags;

	local_irq_save(flags);
	__this_cpu_write(in_use, true);
	cpus->start();
	local_irq_restore(flags);
	return 0;
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

static int on_reboot(struct notifier_block *unused, unsigned long event,
		     void *command)
{
	on_each_cpu(on_stop, NULL, true);
	return NOTIFY_DONE;
}

static struct notifier_block reboot_notifier = { .notifier_call = on_reboot };

int dseg_cpus_on(const struct dseg_cpus *users)
{
	cpus = users;
	hotplug_state = dseg_fault() ? -ENOMEM :
			cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, users->name,
					  cpu_up, cpu_down);
	if (hotplug_state < 0)
		return hotplug_state;
	register_reboot_notifier(&reboot_notifier);
	dseg_crash_on(stop);
	return 0;
}

void dseg_cpus_off(void)
{
	dseg_crash_off();
	unregister_reboot_notifier(&reboot_notifier);
	cpuhp_remove_state(hotplug_state);
}
