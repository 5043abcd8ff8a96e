/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the arguments of HMP commands
 */

#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "qapi/error.h"
#include "monitor/hmp-args.h"

uint64_t hmp_get_number(const QDict *qdict, const char *name, Error **errp)
{
    const char *text = qdict_get_str(qdict, name);
    uint64_t value = 0;

    if (!*errp && qemu_strtosz(text, NULL, &value) < 0) {
        error_setg(errp, "%s '%s' must be a number: 0x..., or decimal with a "
                   "suffix K, M, G or T", name, text);
    }
    return value;
}

bool hmp_get_optional(const QDict *qdict, const char *name, const char *any,
                      uint64_t *value, Error **errp)
{
    const char *text = qdict_get_try_str(qdict, name);

    *value = 0;
    if (!text || !strcmp(text, any)) {
        return false;
    }
    *value = hmp_get_number(qdict, name, errp);
    return true;
}

bool hmp_get_cpu(const QDict *qdict, int64_t *cpu, Error **errp)
{
    uint64_t value;
    bool given = hmp_get_optional(qdict, "cpu", "all", &value, errp);

    *cpu = value;
    return given;
}

int hmp_get_enum(const char *argument, const char *text,
                 const QEnumLookup *lookup, const char *names, Error **errp)
{
    int value = -1;

    if (!*errp) {
        value = qapi_enum_parse(lookup, text, -1, NULL);
        if (value < 0) {
            error_setg(errp, "%s '%s' must be %s", argument, text, names);
        }
    }
    return value;
}
