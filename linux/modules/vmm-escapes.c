// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages that the escape filter keeps out of a segment
 */
#include <linux/kvm_host.h>

#include "vmm.h"

void vmm_pause(struct vmm_segment *segment)
{
	WRITE_ONCE(segment->paused, true);
	vmm_segment_sync();
}

void vmm_resume(struct vmm_segment *segment)
{
	/* A CPU that sees it sees all that has been changed, too. */
	smp_store_release(&segment->paused, false);
}

void vmm_add_escape(struct vmm_segment *segment, gfn_t gfn, bool bad)
{
	segment->escapes[segment->nr_escapes++] = (struct vmm_escape) {
		.gfn = gfn,
		.bad = bad,
	};
}

struct vmm_escape *vmm_find_escape(struct vmm_segment *segment, gfn_t gfn)
{
	unsigned int i;

	for (i = 0; i < segment->nr_escapes; i++)
		if (segment->escapes[i].gfn == gfn)
			return &segment->escapes[i];
	return NULL;
}

int vmm_escape(const struct kvm *kvm, gfn_t gfn)
{
	struct vmm_segment *segment;
	int err = 0;

	mutex_lock(&vmm_lock);
	segment = vmm_find_live(kvm);
	if (!segment) {
		err = -ENOENT;
	} else if (gfn - segment->gfn >= segment->region.nr) {
		err = -EINVAL;
	} else if (!vmm_find_escape(segment, gfn)) {
		if (segment->nr_escapes == VMM_ESCAPES_MAX) {
			err = -ENOSPC;
		} else {
			vmm_pause(segment);
			vmm_add_escape(segment, gfn, false);
			vmm_resume(segment);
		}
	}
	mutex_unlock(&vmm_lock);
	return err;
}

int vmm_unescape(const struct kvm *kvm)
{
	struct vmm_segment *segment;
	const struct vmm_escape *escape;
	unsigned int i, nr;

	mutex_lock(&vmm_lock);
	segment = vmm_find_live(kvm);
	if (segment) {
		vmm_pause(segment);
		nr = segment->nr_escapes;
		segment->nr_escapes = 0;
		for (i = 0; i < nr; i++) {
			escape = &segment->escapes[i];
			if (escape->bad)
				vmm_add_escape(segment, escape->gfn, true);
		}
		vmm_resume(segment);
	}
	mutex_unlock(&vmm_lock);
	return segment ? 0 : -ENOENT;
}
