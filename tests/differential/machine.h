/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The real CPU: it takes on the state of a world, and makes an access. */
#ifndef DIFFERENTIAL_MACHINE_H
#define DIFFERENTIAL_MACHINE_H

#include "enter.h"
#include "lib/svm.h"
#include "world.h"

/* The descriptor that an implicit access reads. */
#define DESCRIPTOR_SELECTOR 8

/* How an access ended, as #VMEXIT tells it. */
struct outcome {
    uint64_t exit_code, info1, info2, rip, rax;
    struct native_counts native;
};

/*
 * Write all registers of a world, and those of its guest into the guest's VMCB.
 */
void machine_load(struct guest *guest, const struct world *world);

/* Where the code for an access begins: a gVA; 0 if it is L1's own code. */
uint64_t machine_code(const struct world *world, const struct try *access);

/* Make the access; "value" is what is stored. */
void machine_access(struct guest *guest, const struct world *world,
                    const struct try *access, uint32_t value,
                    struct outcome *outcome);

#endif
