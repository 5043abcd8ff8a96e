// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Primary regions: their pages become zero in place
 */
#include <linux/highmem.h>
#include <linux/sched/signal.h>

#include "region-pages.h"

/* Does anybody refer to it but the page table and, with its pin, the region? */
static bool is_busy(struct dseg_region *region, unsigned long i)
{
	return page_count(frame(region, i)) != 1 + GUP_PIN_COUNTING_BIAS;
}

/*
 * The same for a run of at most @nr pages: returns how many are, as the first
 * one, busy or not.  With @region->lock, under which no page table of a live
 * region changes.
 */
static unsigned long alike(struct dseg_region *region, unsigned long i,
			   unsigned long nr, bool busy)
{
	unsigned long k;

	for (k = 0; k < nr && is_busy(region, i + k) == busy; k++)
		;
	return k;
}

static long clear_chunk(struct dseg_region *region, unsigned long i,
			unsigned long nr, bool look, unsigned long *busy)
{
	unsigned long done, k;

	if (!region->live)
		return -ENOENT;
	done = alike(region, i, nr, false);
	for (k = 0; k < done && !look; k++)
		clear_highpage(frame(region, i + k));
	*busy = alike(region, i + done, nr - done, true);
	return done;
}

long dseg_region_clear(struct dseg_region *region, unsigned long i,
		       unsigned long nr, bool look, unsigned long *busy)
{
	unsigned long done = 0;
	long part;

	for (*busy = 0; done < nr && !*busy; done += part) {
		if (fatal_signal_pending(current))
			return -EINTR;
		mutex_lock(&region->lock);
		part = clear_chunk(region, i + done,
				   min(nr - done, (unsigned long)CHUNK), look,
				   busy);
		mutex_unlock(&region->lock);
		if (part < 0)
			return part;
		cond_resched();
	}
	return done;
}
