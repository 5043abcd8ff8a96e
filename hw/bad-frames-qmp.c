/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bad frames: the QMP commands
 */

#include "qemu/osdep.h"
#include "qapi/qapi-commands-dseg-bad-frames.h"
#include "qapi/util.h"
#include "bad-frames.h"

DsegBadFrames *qmp_query_dseg_bad_frames(Error **errp)
{
    DsegBadFramesState *s = dseg_bad_frames_find(errp);
    const DsegBadFrameSlot *slot;
    DsegBadFrames *result;
    DsegBadFrameList **tail;

    if (!s) {
        return NULL;
    }
    result = g_new0(DsegBadFrames, 1);
    result->reads = s->reads;
    result->writes = s->writes;
    result->generation = s->generation;
    result->mce = s->mce;
    tail = &result->frames;
    for (unsigned i = 0; (slot = dseg_bad_frames_at(s, i)); i++) {
        DsegBadFrame *frame = g_new0(DsegBadFrame, 1);

        frame->address = slot->addr;
        frame->reads = slot->reads;
        frame->writes = slot->writes;
        QAPI_LIST_APPEND(tail, frame);
    }
    return result;
}

void qmp_dseg_bad_frames_add(uint64List *frames, Error **errp)
{
    DsegBadFramesState *s = dseg_bad_frames_find(errp);

    if (s) {
        dseg_bad_frames_add(s, frames, errp);
    }
}

void qmp_dseg_bad_frames_remove(uint64List *frames, Error **errp)
{
    DsegBadFramesState *s = dseg_bad_frames_find(errp);

    if (s) {
        dseg_bad_frames_remove(s, frames, errp);
    }
}

void qmp_dseg_bad_frames_reset(Error **errp)
{
    DsegBadFramesState *s = dseg_bad_frames_find(errp);

    if (!s) {
        return;
    }
    s->reads = 0;
    s->writes = 0;
    for (unsigned i = 0; i < DSEG_BAD_FRAMES_MAX; i++) {
        s->slots[i].reads = 0;
        s->slots[i].writes = 0;
    }
}
