/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "commands.h"
#include "device.h"
#include "options.h"
#include "processes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

static const char *state_name(uint32_t state)
{
    static const char *const names[] = {
        [DSEG_VMM_ENDED] = "ended",
        [DSEG_VMM_ACTIVE] = "active",
        [DSEG_VMM_SUSPENDED] = "suspended",
    };

    return state < sizeof(names) / sizeof(names[0]) ? names[state] : "?";
}

/* What is in a JSON string as it is; process names may have anything. */
static void make_plain(char *text)
{
    for (; *text; text++) {
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\') {
            *text = '?';
        }
    }
}

static void print_row(const struct dseg_vmm_info *i, const char *name)
{
    printf("%-7d %-16s %#-12" PRIx64 " %#-12" PRIx64 " %6" PRIu64 " MiB "
           "%-9s %9" PRIu64 " %9" PRIu64 " %7" PRIu32 "\n", i->pid, name,
           (uint64_t)i->gpa, (uint64_t)i->hpa, (uint64_t)i->size >> 20,
           state_name(i->state), (uint64_t)i->displaced, (uint64_t)i->moved,
           i->escapes);
}

static void print_object(const struct dseg_vmm_info *i, const char *name)
{
    printf("%s\n  {\"pid\": %d, \"command\": \"%s\", \"state\": \"%s\", "
           "\"gpa\": %" PRIu64 ", \"size\": %" PRIu64 ", \"hva\": %" PRIu64
           ", \"hpa\": %" PRIu64 ", \"displaced\": %" PRIu64 ", \"moved\": %"
           PRIu64 ", \"escapes\": %" PRIu32 "}", i->index ? "," : "", i->pid,
           name, state_name(i->state), (uint64_t)i->gpa, (uint64_t)i->size,
           (uint64_t)i->hva, (uint64_t)i->hpa, (uint64_t)i->displaced,
           (uint64_t)i->moved, i->escapes);
}

int list(int argc, char **argv)
{
    bool json = argc == 2 && !strcmp(argv[1], "--json");
    struct dseg_vmm_info info;
    char name[32];
    int device;

    if (argc > 1 && !json) {
        die(2, "list: unexpected argument '%s'", argv[1]);
    }
    device = open_device();
    if (json) {
        printf("{\"schema\": 1, \"vms\": [");
    } else {
        printf("PID     COMMAND          GPA          HPA                SIZE "
               "STATE     DISPLACED     MOVED ESCAPES\n");
    }
    for (uint32_t index = 0; ; index++) {
        info = (struct dseg_vmm_info) { .index = index };
        if (ioctl(device, DSEG_VMM_INFO, &info)) {
            break;
        }
        process_name(info.pid, name, sizeof(name));
        make_plain(name);
        (json ? print_object : print_row)(&info, name);
    }
    if (errno != ENOENT) {
        die(1, "list: %s", strerror(errno));
    }
    if (json) {
        printf("]}\n");
    }
    return 0;
}
