/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bad frames: chosen frames of RAM whose content is lost
 *
 * What software sees is in docs/spec/bad-frames.rst.  All of this runs with the
 * BQL held.
 */

#ifndef HW_DSEG_BAD_FRAMES_H
#define HW_DSEG_BAD_FRAMES_H

#include "exec/memory.h"
#include "hw/pci/pci_device.h"
#include "qapi/qapi-builtin-types.h"
#include "qom/object.h"

#define TYPE_DSEG_BAD_FRAMES "dseg-bad-frames"
OBJECT_DECLARE_SIMPLE_TYPE(DsegBadFramesState, DSEG_BAD_FRAMES)

#define DSEG_BAD_FRAMES_MAX 64
#define DSEG_FRAME_SIZE 4096
#define DSEG_NO_FRAME UINT64_MAX

/* Room for one bad frame. */
typedef struct DsegBadFrameSlot {
    /* Lies over the RAM, if there is a frame. */
    MemoryRegion mr;
    DsegBadFramesState *owner;
    /* Its physical address, or DSEG_NO_FRAME. */
    uint64_t addr;
    uint64_t reads;
    uint64_t writes;
    /*
     * A bit for each byte: the byte that was last written there is that of the
     * garbage, so that the complement is to be read.
     */
    uint64_t inverted[DSEG_FRAME_SIZE / 64];
} DsegBadFrameSlot;

struct DsegBadFramesState {
    PCIDevice parent_obj;

    /* Properties; the frames that are bad from the start on. */
    bool mce;
    uint64List *frames;

    MemoryRegion registers;
    DsegBadFrameSlot slots[DSEG_BAD_FRAMES_MAX];
    uint64_t reads;
    uint64_t writes;
    uint32_t generation;
    uint32_t status;
    uint32_t interrupt;
};

/* bad-frames.c: the frames */

/* Make all slots ready, without frames; and without frames again. */
void dseg_bad_frames_init(DsegBadFramesState *s);
void dseg_bad_frames_exit(DsegBadFramesState *s);

/* The slot of the bad frame number @index, or NULL if there are fewer. */
const DsegBadFrameSlot *dseg_bad_frames_at(const DsegBadFramesState *s,
                                           unsigned index);
unsigned dseg_bad_frames_count(const DsegBadFramesState *s);

/*
 * Make frames bad or good: all of them, or in case of an error none.  @frames
 * has physical addresses; an error says which one breaks what rule.  Returns
 * false on error.
 */
bool dseg_bad_frames_add(DsegBadFramesState *s, const uint64List *frames,
                         Error **errp);
bool dseg_bad_frames_remove(DsegBadFramesState *s, const uint64List *frames,
                            Error **errp);

/* Lay the slots over the RAM as their addresses say, which have changed. */
bool dseg_bad_frames_restore(DsegBadFramesState *s, Error **errp);

/*
 * Addresses that are separated by colons: 0x..., or decimal with a suffix K, M,
 * G or T.  NULL on error.
 */
uint64List *dseg_bad_frames_parse(const char *text, Error **errp);

/* bad-frames-pci.c: the device */

/* The list of frames has changed: tell software. */
void dseg_bad_frames_changed(DsegBadFramesState *s);

/* The device, or NULL with an error. */
DsegBadFramesState *dseg_bad_frames_find(Error **errp);

#endif
