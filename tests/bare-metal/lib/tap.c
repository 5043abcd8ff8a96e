/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Test cases and their results. */
#include "tap.h"

#include "print.h"

static unsigned passed, failed;
static bool failing;
static char name[160];

/* In a name of TAP, # would begin a directive: #PF becomes PF. */
static void drop_hashes(char *text)
{
    char *to = text;

    for (; *text; text++) {
        if (*text != '#') {
            *to++ = *text;
        }
    }
    *to = 0;
}

void case_begin(const char *format, ...)
{
    va_list values;

    failing = false;
    va_start(values, format);
    vprint_to(name, sizeof(name), format, values);
    va_end(values);
    drop_hashes(name);
}

void expect(const char *what, uint64_t expected, uint64_t got)
{
    if (expected != got) {
        failing = true;
        print("# FAIL %s: %s: expected 0x%lx, got 0x%lx\n", name, what,
              expected, got);
    }
}

bool case_end(void)
{
    if (failing) {
        failed++;
    } else {
        passed++;
    }
    print("%s %u %s\n", failing ? "not ok" : "ok", passed + failed, name);
    return !failing;
}

unsigned tap_finish(void)
{
    print("1..%u\n# %u passed, %u failed\n", passed + failed, passed, failed);
    return passed + failed ? failed : 1;
}
