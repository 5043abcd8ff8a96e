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
 * @is_held: of which frames the caller has a reference already, so that these
 *	may be in the range, and stay as they are; or NULL
 *
 * Looks for a range that has nothing unmovable in it and lets the kernel
 * migrate the rest away.  Each frame is a page of its own with one reference,
 * outside of ZONE_MOVABLE, so that it may be pinned for long.
 *
 * Return: 0; -ENOMEM if there is no such range; -EINTR if the process is to
 * die.  Free them with put_page() each.
 */
int dseg_contig_alloc(unsigned long nr, unsigned long *pfn,
		      unsigned long *displaced,
		      bool (*is_held)(unsigned long pfn));

/**
 * dseg_contig_free() - give back frames that nobody has used
 * @pfn: the first
 * @nr: how many
 */
void dseg_contig_free(unsigned long pfn, unsigned long nr);

#endif
