/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DSEG_GUEST_MODULE_H
#define DSEG_GUEST_MODULE_H

#include <linux/atomic.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/types.h>

#include <dseg-guest.h>

#include "region.h"

/* What CR9 to CR11 hold. */
struct guest_segment {
	u64 base;
	u64 limit;
	u64 offset;
};

/* The counters of which WALKS tells, in its order. */
#define GUEST_COUNTERS (DSEG_REGIMES + 3)

/**
 * struct guest_process - an address space that has, or had, a primary region
 *
 * It lives as long as its region, and as any file through which that was made.
 *
 * @refs: of its region, and of the file
 * @region: the region; its mm_struct, and so the page table, lives as long
 * @segment: what translates it
 * @active: the segment is there
 * @root: physical address of its page table, as in CR3
 * @by_root: links those whose walks are counted, under RCU
 * @all: links those whose region is being made, or has not been released,
 *	under the lock of guest-lifetime.c
 * @maker: the file through which the region is being made, or NULL
 * @counts: what its walks have cost
 */
struct guest_process {
	struct kref refs;
	struct dseg_region region;
	struct guest_segment segment;
	bool active;
	phys_addr_t root;
	struct hlist_node by_root;
	struct list_head all;
	struct file *maker;
	atomic64_t counts[GUEST_COUNTERS];
};

/* guest-lifetime.c: how regions are made, found and removed */

/**
 * guest_process_of() - the one with that page table, or NULL
 * @root: as in CR3, without its flags
 *
 * Under RCU.
 */
struct guest_process *guest_process_of(phys_addr_t root);

/**
 * guest_create() - give this process a region
 * @file: through which
 * @request: checked; becomes what has been made
 * @arg: where that is answered to the process, before others find the region
 *
 * Return: 0, or an errno of DSEG_GUEST_CREATE.
 */
int guest_create(struct file *file, struct dseg_guest_create *request,
		 void __user *arg);

/**
 * guest_get_process() - whom a request is about
 * @file: through which it comes
 *
 * Return: that whose region was made through @file, or else this process, if it
 * has, or had, a region; with a reference.  NULL: there is none.
 */
struct guest_process *guest_get_process(struct file *file);
void guest_put_process(struct guest_process *process);

/**
 * guest_remove_all() - have all regions released
 */
void guest_remove_all(void);

/* guest-segment.c: CR9 to CR11 follow CR3, on every CPU */

/**
 * guest_segment_init() - before the first region
 *
 * Return: 0; -ENODEV if the CPUs have no direct segments; an errno of
 * tracepoints or of CPU hotplug.
 */
int guest_segment_init(void);
void guest_segment_exit(void);

/**
 * guest_segment_sync() - a segment has changed: let all CPUs look
 *
 * On return they use what guest_process_of() now says.  May sleep.
 */
void guest_segment_sync(void);

/* guest-walks.c: whose walks are they */

/**
 * guest_walks_init() - before the first region, after guest_segment_init()
 *
 * Return: 0, or an errno of tracepoints.
 */
int guest_walks_init(void);
void guest_walks_exit(void);

/**
 * guest_walks_sync() - count what all CPUs have done up to now
 *
 * On return no CPU counts for a process any longer that guest_process_of()
 * does not know.  May sleep.
 */
void guest_walks_sync(void);

#endif
