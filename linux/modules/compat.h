/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs from Linux 6.1 to what is newer
 */
#ifndef DSEG_COMPAT_H
#define DSEG_COMPAT_H

#include <linux/kvm.h>
#include <linux/mm.h>

/* Of a memory slot, from Linux 6.8 on. */
#ifndef KVM_MEM_GUEST_MEMFD
#define KVM_MEM_GUEST_MEMFD 0
#endif

/* pin_user_pages_remote() by one who holds the lock of the mm all the time. */
static inline long dseg_pin_pages(struct mm_struct *mm, unsigned long start,
				  unsigned long nr, unsigned int flags,
				  struct page **pages)
{
#ifdef DSEG_PIN_WITHOUT_VMAS
	return pin_user_pages_remote(mm, start, nr, flags, pages, NULL);
#else
	return pin_user_pages_remote(mm, start, nr, flags, pages, NULL, NULL);
#endif
}

#endif
