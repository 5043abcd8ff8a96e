// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What KVM knows of the memory of its VMs: where the VMM has it (memory slots)
 *
 * It is KVM that we ask, and not the VMM that says so: a segment can't reach
 * anything but memory of the VMM's own.
 */
#include <linux/kvm_host.h>
#include <linux/sizes.h>

#include "compat.h"
#include "vmm.h"

/* Below it a PC has its legacy devices and its BIOS, which are in pieces. */
#define LOW_END (SZ_1M >> PAGE_SHIFT)

/* With a guest_memfd the VMM's memory is, or may become, not the VM's. */
static bool is_ram(const struct kvm_memory_slot *slot)
{
	return slot->id < KVM_USER_MEM_SLOTS &&
	       !(slot->flags & (KVM_MEMSLOT_INVALID | KVM_MEM_READONLY |
				KVM_MEM_GUEST_MEMFD));
}

/* The part of a slot beyond the first MiB. */
static struct vmm_range range_of(const struct kvm_memory_slot *slot)
{
	gfn_t gfn = max_t(gfn_t, slot->base_gfn, LOW_END);
	gfn_t end = max_t(gfn_t, slot->base_gfn + slot->npages, gfn);

	return (struct vmm_range) {
		.gfn = gfn,
		.nr = end - gfn,
		.hva = slot->userspace_addr +
		       ((gfn - slot->base_gfn) << PAGE_SHIFT),
	};
}

static void find_largest(struct kvm_memslots *slots, struct vmm_range *largest)
{
	struct kvm_memory_slot *slot;
	struct vmm_range range;
	int bkt;

	kvm_for_each_memslot(slot, bkt, slots) {
		if (!is_ram(slot))
			continue;
		range = range_of(slot);
		if (range.nr > largest->nr)
			*largest = range;
	}
}

/* The slot that has all of a range, or NULL. */
static struct kvm_memory_slot *slot_with(struct kvm_memslots *slots,
					 const struct vmm_range *range)
{
	struct kvm_memory_slot *slot = __gfn_to_memslot(slots, range->gfn);

	if (!slot || !is_ram(slot))
		return NULL;
	if (slot->base_gfn + slot->npages - range->gfn < range->nr)
		return NULL;
	return slot;
}

static unsigned long hva_in(const struct kvm_memory_slot *slot, gfn_t gfn)
{
	return slot->userspace_addr + ((gfn - slot->base_gfn) << PAGE_SHIFT);
}

int vmm_slots_find(struct kvm *kvm, struct vmm_range *range)
{
	struct kvm_memslots *slots;
	struct kvm_memory_slot *slot;
	int idx = srcu_read_lock(&kvm->srcu);

	slots = kvm_memslots(kvm);
	if (range->nr) {
		slot = slot_with(slots, range);
		if (slot)
			range->hva = hva_in(slot, range->gfn);
		else
			range->nr = 0;
	} else {
		find_largest(slots, range);
	}
	srcu_read_unlock(&kvm->srcu, idx);
	return range->nr ? 0 : -ENXIO;
}

/* Whether KVM does not want to know of each page that is written. */
bool vmm_slots_have(struct kvm *kvm, const struct vmm_range *range)
{
	struct kvm_memory_slot *slot;
	bool have;
	int idx = srcu_read_lock(&kvm->srcu);

	slot = slot_with(kvm_memslots(kvm), range);
	have = slot && !kvm_slot_dirty_track_enabled(slot) &&
	       hva_in(slot, range->gfn) == range->hva;
	srcu_read_unlock(&kvm->srcu, idx);
	return have;
}
