/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DSEG_CONTIG_H
#define DSEG_CONTIG_H

#include <linux/types.h>

/**
 * dseg_contig_alloc() - contiguous frames, whatever is in them now
 * @nr: how many frames of 4 KiB
 * @pfn: out: the number of the first
 * @displaced: out: how many of them were in use, and had to be migrated away;
 *	or NULL
 * @is_held: is this a frame that the caller keeps out of use by a reference?
 *	Such frames may be in the range: they get one reference more, and stay
 *	as they are.  May be NULL.
 *
 * Looks for a range that has nothing unmovable in it and lets the kernel
 * migrate the rest away.  Each frame is a page of its own with one reference,
 * outside of ZONE_MOVABLE, so that it may be pinned for long.
 *
 * Return: 0; -ENOMEM if there is no such range; -EINTR if the process is to
 * die.
 */
int dseg_contig_alloc(unsigned long nr, unsigned long *pfn,
		      unsigned long *displaced,
		      bool (*is_held)(unsigned long pfn));

/**
 * dseg_contig_take() - these very frames, whatever is in them now
 * @pfn: the first
 * @nr: how many
 * @is_held: as above
 *
 * Return: 0, with a reference to each; -EBUSY: they cannot be had.
 */
int dseg_contig_take(unsigned long pfn, unsigned long nr,
		     bool (*is_held)(unsigned long pfn));

/**
 * dseg_contig_free() - give back one reference to each frame
 * @pfn: the first
 * @nr: how many
 */
void dseg_contig_free(unsigned long pfn, unsigned long nr);

/**
 * dseg_contig_release() - give up the reference by which a frame is held
 * @pfn: which
 *
 * Others must not do that: a search that goes on has taken it away meanwhile.
 */
void dseg_contig_release(unsigned long pfn);

#endif
