// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Contiguous frames for segments: those that have been set aside, or others
 */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pageblock-flags.h>

#include "contig.h"
#include "vmm.h"

/* What has been set aside; nr 0 is nothing. */
static struct {
	unsigned long pfn;
	unsigned long nr;
} reserve;

static DEFINE_MUTEX(reserve_lock);

static int find(unsigned long nr, unsigned long *pfn, unsigned long *displaced)
{
	unsigned long moved = 0;
	int err = dseg_contig_alloc(nr, pfn, &moved, vmm_bad_frame_held);

	if (!err)
		*displaced += moved;
	return err;
}

static void give_back(unsigned long pfn, unsigned long nr)
{
	for (; nr; pfn++, nr--)
		if (!vmm_bad_frame_hold(pfn))
			put_page(pfn_to_page(pfn));
}

static bool take_reserved(unsigned long nr, unsigned long *pfn)
{
	bool enough;

	mutex_lock(&reserve_lock);
	enough = reserve.nr >= nr;
	if (enough) {
		*pfn = reserve.pfn;
		reserve.pfn += nr;
		reserve.nr -= nr;
	}
	mutex_unlock(&reserve_lock);
	return enough;
}

/*
 * The largest size that can be had, by bisection: there is one of @low pages
 * (or that is 0), and none of @high.
 */
static int find_largest(unsigned long high, unsigned long *nr,
			unsigned long *pfn, unsigned long *displaced)
{
	unsigned long low = 0, middle;
	int err;

	while (high - low > pageblock_nr_pages) {
		middle = low + (high - low) / 2;
		err = find(middle, pfn, displaced);
		if (err && err != -ENOMEM)
			return err;
		if (err) {
			high = middle;
		} else {
			low = middle;
			give_back(*pfn, low);
		}
	}
	*nr = low;
	return low ? find(low, pfn, displaced) : -ENOMEM;
}

int vmm_frames_alloc(unsigned long *nr, bool less, unsigned long *pfn,
		     unsigned long *displaced)
{
	int err;

	if (take_reserved(*nr, pfn))
		return 0;
	err = find(*nr, pfn, displaced);
	if (err == -ENOMEM && less)
		err = find_largest(*nr, nr, pfn, displaced);
	return err;
}

int vmm_frames_reserve(unsigned long nr, unsigned long *pfn,
		       unsigned long *displaced)
{
	int err = 0;

	if (mutex_lock_killable(&reserve_lock))
		return -EINTR;
	if (!nr) {
		give_back(reserve.pfn, reserve.nr);
		reserve.nr = 0;
	} else if (reserve.nr) {
		err = -EBUSY;
	} else {
		err = find(nr, &reserve.pfn, displaced);
		if (!err)
			reserve.nr = nr;
		*pfn = reserve.pfn;
	}
	mutex_unlock(&reserve_lock);
	return err;
}

bool vmm_frames_reserved(unsigned long pfn)
{
	bool is_reserved;

	mutex_lock(&reserve_lock);
	is_reserved = pfn - reserve.pfn < reserve.nr;
	mutex_unlock(&reserve_lock);
	return is_reserved;
}
