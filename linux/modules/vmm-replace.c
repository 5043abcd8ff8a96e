// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Segments do without bad frames, those known before and those that go bad
 */
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/sched/mm.h>

#include "fault.h"
#include "vmm.h"

struct page *vmm_substitute(struct dseg_region *region, unsigned long i)
{
	struct vmm_segment *segment = vmm_segment_around(region);
	struct page *good;

	if (!vmm_bad_frame_hold(region->pfn + i))
		return NULL;
	good = dseg_fault() ? NULL : alloc_page(GFP_HIGHUSER);
	if (!good)
		return ERR_PTR(-ENOMEM);
	vmm_add_escape(segment, segment->gfn + i, true);
	return good;
}

/* One that is in use, or being made.  With the lock held. */
static struct vmm_segment *segment_with(unsigned long pfn)
{
	struct vmm_segment *segment;

	list_for_each_entry(segment, &vmm_segments, all)
		if ((READ_ONCE(segment->region.live) || !segment->made) &&
		    segment->region.pfn &&
		    pfn - segment->region.pfn < segment->region.nr)
			return segment;
	return NULL;
}

/* Put page @i of a segment that no CPU may use onto another frame. */
static int replace(struct vmm_segment *segment, unsigned long i)
{
	struct vmm_escape *escape = vmm_find_escape(segment, segment->gfn + i);
	struct page *good;
	int err;

	if (!escape && segment->nr_escapes == VMM_ESCAPES_MAX)
		return -ENOSPC;
	good = dseg_fault() ? NULL : alloc_page(GFP_HIGHUSER);
	if (!good)
		return -ENOMEM;
	err = dseg_region_replace(&segment->region, i, good);
	if (err) {
		put_page(good);
		return err;
	}
	if (escape)
		escape->bad = true;
	else
		vmm_add_escape(segment, segment->gfn + i, true);
	return 0;
}

/* Is the page that would have this frame on another one already? */
static bool is_replaced(struct vmm_segment *segment, unsigned long pfn)
{
	gfn_t gfn = segment->gfn + pfn - segment->region.pfn;
	struct vmm_escape *escape = vmm_find_escape(segment, gfn);

	return escape && escape->bad;
}

/* With the lock held, and a reference to the users of the mm. */
static bool replace_or_end(struct vmm_segment *segment, unsigned long pfn)
{
	int err;

	vmm_pause(segment);
	err = replace(segment, pfn - segment->region.pfn);
	if (err) {
		dseg_region_end(&segment->region);
	} else {
		vmm_bad_frame_hold(pfn);
		put_page(pfn_to_page(pfn));	/* replace() has taken it */
	}
	vmm_resume(segment);
	return !err;
}

bool vmm_replace_frame(unsigned long pfn)
{
	struct mm_struct *mm = NULL;
	struct vmm_segment *segment;
	bool done = false;

	mutex_lock(&vmm_lock);
	segment = segment_with(pfn);
	if (segment && (!segment->made || is_replaced(segment, pfn)))
		done = true;
	else if (segment && mmget_not_zero(segment->region.mm))
		mm = segment->region.mm;
	if (mm)
		done = replace_or_end(segment, pfn);
	mutex_unlock(&vmm_lock);
	if (mm)
		mmput(mm);
	return done;
}
