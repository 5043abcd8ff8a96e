/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bad frames: the QMP commands where there is no such device
 *
 * Linked into QEMU for other targets.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-dseg-bad-frames.h"

static void no_device(Error **errp)
{
    error_setg(errp, "this QEMU has no device dseg-bad-frames: it needs x86 "
               "and PCI");
}

DsegBadFrames *qmp_query_dseg_bad_frames(Error **errp)
{
    no_device(errp);
    return NULL;
}

void qmp_dseg_bad_frames_add(uint64List *frames, Error **errp)
{
    no_device(errp);
}

void qmp_dseg_bad_frames_remove(uint64List *frames, Error **errp)
{
    no_device(errp);
}

void qmp_dseg_bad_frames_reset(Error **errp)
{
    no_device(errp);
}
