/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the arguments of HMP commands
 *
 * Each function reads one.  Once *@errp has an error they do nothing, so that
 * a command can read all and then look whether there was one; it names the
 * argument and what it must be.
 */

#ifndef I386_DSEG_MONITOR_HMP_ARGS_H
#define I386_DSEG_MONITOR_HMP_ARGS_H

#include "qapi/qapi-types-x86-dseg.h"
#include "qobject/qdict.h"

/* A number: 0x..., or decimal with a suffix K, M, G or T. */
uint64_t hmp_get_number(const QDict *qdict, const char *name, Error **errp);

/*
 * The same, for an argument that can be left out or be @any: whether it is
 * given.
 */
bool hmp_get_optional(const QDict *qdict, const char *name, const char *any,
                      uint64_t *value, Error **errp);

/* The argument "cpu", which can be left out or be "all". */
bool hmp_get_cpu(const QDict *qdict, int64_t *cpu, Error **errp);

/* One of the names of an enumeration; @names has them in words. */
int hmp_get_enum(const char *argument, const char *text,
                 const QEnumLookup *lookup, const char *names, Error **errp);

static inline X86DsegLevel hmp_get_level(const char *text, Error **errp)
{
    return hmp_get_enum("level", text, &X86DsegLevel_lookup, "guest or vmm",
                        errp);
}

static inline X86DsegWorld hmp_get_world(const char *text, Error **errp)
{
    return hmp_get_enum("world", text, &X86DsegWorld_lookup,
                        "native or nested", errp);
}

#endif
