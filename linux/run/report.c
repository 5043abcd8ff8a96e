/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "report.h"
#include "say.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

static const char *const regimes[DSEG_REGIMES] = {
    "native", "native-direct", "base", "vmm-direct", "guest-direct",
    "dual-direct", "mixed",
};

FILE *open_report(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC,
                  0666);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "a");

    if (!file) {
        die(EXIT_USAGE, "--report: %s: %s", name, strerror(errno));
    }
    return file;
}

static uint64_t walks_of(const struct run_program *p)
{
    uint64_t sum = 0;

    for (int i = 0; i < DSEG_REGIMES; i++) {
        sum += p->walks.walks[i];
    }
    return sum;
}

static uint64_t direct_walks_of(const struct run_program *p)
{
    const __u64 *walks = p->walks.walks;

    return walks[DSEG_REGIME_NATIVE_DIRECT] + walks[DSEG_REGIME_GUEST_DIRECT] +
           walks[DSEG_REGIME_DUAL_DIRECT];
}

static double ratio(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / whole : 0;
}

static void print_program(const struct run_program *p)
{
    const struct dseg_guest_walks *w = &p->walks;
    uint64_t all = walks_of(p);

    say("%s (PID %d): primary region of %.1f MiB at 0x%" PRIx64
        ", at most %.1f MiB in use", p->name, (int)p->pid,
        (double)p->size / RUN_MIB, p->address, (double)p->most_in_use / RUN_MIB);
    say("of %.1f MiB mapped, %.1f MiB went there", (double)p->asked / RUN_MIB,
        (double)p->given / RUN_MIB);
    if (!p->has_walks) {
        say("what its page walks were is not known");
        return;
    }
    for (int i = 0; i < DSEG_REGIMES; i++) {
        if (w->walks[i]) {
            say("%-14s %12" PRIu64 " walks %6.2f %%", regimes[i],
                (uint64_t)w->walks[i], 100 * ratio(w->walks[i], all));
        }
    }
    say("%-14s %12" PRIu64 " walks, %.3f references and %.3f checks each",
        "all", all, ratio(w->guest_refs + w->nested_refs, all),
        ratio(w->checks, all));
}

static void write_program(FILE *file, const struct run_program *p)
{
    const struct dseg_guest_walks *w = &p->walks;

    fprintf(file, "  {\"pid\": %d, \"name\": \"", (int)p->pid);
    text_print_json(file, p->name);
    fprintf(file, "\", \"error\": %d, \"address\": %" PRIu64
            ", \"size\": %" PRIu64 ", \"most_in_use\": %" PRIu64
            ",\n   \"asked\": %" PRIu64 ", \"given\": %" PRIu64
            ", \"bound_deep\": %u, \"walks\": ", p->error, p->address, p->size,
            p->most_in_use, p->asked, p->given, p->bound_deep);
    if (!p->has_walks) {
        fprintf(file, "null}");
        return;
    }
    for (int i = 0; i < DSEG_REGIMES; i++) {
        fprintf(file, "%s\"%s\": %" PRIu64, i ? ", " : "{", regimes[i],
                (uint64_t)w->walks[i]);
    }
    fprintf(file, "},\n   \"guest_refs\": %" PRIu64
            ", \"nested_refs\": %" PRIu64
            ", \"checks\": %" PRIu64 ", \"direct_share\": %.6f, "
            "\"refs_per_walk\": %.6f}", (uint64_t)w->guest_refs,
            (uint64_t)w->nested_refs, (uint64_t)w->checks,
            ratio(direct_walks_of(p), walks_of(p)),
            ratio(w->guest_refs + w->nested_refs, walks_of(p)));
}

static void write_report(FILE *file, const char *name,
                         const struct run_page *page, unsigned programs,
                         int code)
{
    fprintf(file, "{\"schema\": 1, \"exit_code\": %d, \"programs\": [",
            code);
    for (unsigned i = 0; i < programs; i++) {
        fprintf(file, "%s\n", i ? "," : "");
        write_program(file, &page->program[i]);
    }
    fprintf(file, "\n]}\n");
    if (ferror(file) | fclose(file)) {
        die(EXIT_USAGE, "--report: %s: could not be written", name);
    }
}

/* Says why a program has no region. */
static void print_error(const struct run_program *p, const struct options *o)
{
    const char *why = strerror(p->error);

    if (p->may_not_map) {
        why = "the program may not map that much (ulimit -v, ulimit -d)";
    } else if (p->error == ENOMEM) {
        why = "no contiguous memory could be had; ask for less by --size or "
              "--at-least";
    } else if (p->error == EPERM) {
        why = "more than may be locked (ulimit -l)";
    }
    say("%s: no primary region of %.1f MiB: %s", p->name,
        (double)o->at_least / RUN_MIB, why);
}

static void print_bound_deep(const struct run_program *p)
{
    say("%s has loaded %u libraries without the RTLD_DEEPBIND that it asked "
        "for; --no-malloc leaves it that", p->name, p->bound_deep);
}

/* Returns how many programs have said something of themselves. */
static unsigned programs_of(const struct run_page *page)
{
    unsigned programs = page->children ? page->programs : !!page->programs;

    if (page->device < 0) {
        return 0;
    }
    if (programs > RUN_PROGRAMS) {
        say("%u programs more had no region", programs - RUN_PROGRAMS);
        programs = RUN_PROGRAMS;
    }
    if (!programs) {
        say("no program had a region: is it linked statically, or is "
            RUN_LIBRARY " missing?");
    }
    return programs;
}

void report(struct run_page *page, const struct options *o, FILE *file,
                   int code)
{
    struct run_program *first = &page->program[0];
    unsigned programs = programs_of(page);

    /* Unless it has asked for them itself. */
    first->has_walks |= first->size && !ioctl(page->device, DSEG_GUEST_WALKS,
                                              &first->walks);
    for (unsigned i = 0; i < programs; i++) {
        const struct run_program *p = &page->program[i];

        if (!p->size) {
            print_error(p, o);
        } else if (!file) {
            print_program(p);
        }
        if (p->bound_deep) {
            print_bound_deep(p);
        }
    }
    if (file) {
        write_report(file, o->report, page, programs, code);
    }
}
