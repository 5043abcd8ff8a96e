/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bad frames: the HMP commands
 *
 * Each reads its arguments, calls the QMP command and shows the result.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-dseg-bad-frames.h"
#include "qobject/qdict.h"
#include "monitor/hmp.h"
#include "monitor/monitor.h"
#include "bad-frames.h"

static void hmp_info_dseg_bad_frames(Monitor *mon, const QDict *qdict)
{
    Error *err = NULL;
    g_autoptr(DsegBadFrames) all = qmp_query_dseg_bad_frames(&err);

    if (hmp_handle_error(mon, err)) {
        return;
    }
    monitor_printf(mon, "machine checks: %s\ngeneration: %" PRIu32 "\n"
                   "all: reads %" PRIu64 ", writes %" PRIu64 "\n",
                   all->mce ? "on" : "off", all->generation, all->reads,
                   all->writes);
    for (DsegBadFrameList *f = all->frames; f; f = f->next) {
        monitor_printf(mon, "0x%" PRIx64 ": reads %" PRIu64 ", writes %" PRIu64
                       "\n", f->value->address, f->value->reads,
                       f->value->writes);
    }
}

/* Whether @frames is given, as it has to be unless the action is to reset. */
static bool check_given(const char *frames, bool reset, Error **errp)
{
    if (reset && frames) {
        error_setg(errp, "frames must be left out to reset the counts");
        return false;
    }
    if (!reset && !frames) {
        error_setg(errp, "frames must be given to add or remove them");
        return false;
    }
    return true;
}

static void hmp_dseg_bad_frames(Monitor *mon, const QDict *qdict)
{
    const char *action = qdict_get_str(qdict, "action");
    const char *text = qdict_get_try_str(qdict, "frames");
    bool reset = !strcmp(action, "reset");
    uint64List *frames = NULL;
    Error *err = NULL;

    if (!reset && strcmp(action, "add") && strcmp(action, "remove")) {
        error_setg(&err, "action '%s' must be add, remove or reset", action);
    } else if (check_given(text, reset, &err) && text) {
        frames = dseg_bad_frames_parse(text, &err);
    }
    if (err) {
        /* already said what is wrong */
    } else if (reset) {
        qmp_dseg_bad_frames_reset(&err);
    } else if (!strcmp(action, "add")) {
        qmp_dseg_bad_frames_add(frames, &err);
    } else {
        qmp_dseg_bad_frames_remove(frames, &err);
    }
    qapi_free_uint64List(frames);
    hmp_handle_error(mon, err);
}

static void register_commands(void)
{
    monitor_register_hmp("dseg-bad-frames", true, hmp_info_dseg_bad_frames);
    monitor_register_hmp("dseg_bad_frames", false, hmp_dseg_bad_frames);
}

type_init(register_commands)
