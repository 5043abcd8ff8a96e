/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dseg-run: run a program with its heap in a primary region
 */
#define _GNU_SOURCE
#include "options.h"
#include "report.h"
#include "say.h"
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALLOCATOR "libjemalloc.so.2"

/* Files of ours must not become standard streams that we do not have; neither
   has the program, then. */
static void fill_standard_streams(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    close(fd);
}

/* The page that programs shall find; @fd is open for as long as we run. */
static struct run_page *make_page(int *fd)
{
    struct run_page *page;

    *fd = memfd_create("dseg-run", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0 || ftruncate(*fd, sizeof(*page)) ||
        fcntl(*fd, F_ADD_SEALS, RUN_SEALS)) {
        die(EXIT_USAGE, "no memory to share: %s", strerror(errno));
    }
    page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, *fd,
                0);
    if (page == MAP_FAILED) {
        die(EXIT_USAGE, "no memory to share: %s", strerror(errno));
    }
    return page;
}

/* Without a device the program runs as it would by itself. */
static bool open_device(struct run_page *page, const struct options *o)
{
    struct stat status;

    page->device = open(DSEG_GUEST_DEVICE, O_RDWR);
    if (page->device >= 0 && !fstat(page->device, &status)) {
        page->device_id = status.st_rdev;
        return true;
    }
    if (!o->if_possible) {
        die(RUN_EXIT_NO_REGION, "%s: %s; is the module dseg-guest loaded? "
            "(--if-possible runs the program all the same)",
            DSEG_GUEST_DEVICE, strerror(errno));
    }
    say("%s: %s: no region", DSEG_GUEST_DEVICE, strerror(errno));
    return false;
}

static void set_environment(struct run_page *page, int fd, bool with_malloc)
{
    const char *before = getenv("LD_PRELOAD");
    char *preload, name[64];
    struct stat status;

    if (fstat(fd, &status)) {
        die(EXIT_USAGE, "no memory to share: %s", strerror(errno));
    }
    snprintf(page->preloaded, sizeof(page->preloaded), "%s%s", RUN_LIBRARY,
             with_malloc ? ":" ALLOCATOR : "");
    /* The user's own come first, and find ours as what they take the place of. */
    if (asprintf(&preload, "%s%s%s", before ? before : "", before ? ":" : "",
                 page->preloaded) < 0) {
        die(EXIT_USAGE, "no memory");
    }
    /* Not inherited: many a program closes all files before it runs another. */
    snprintf(name, sizeof(name), "/proc/%d/fd/%d:%ju", (int)getpid(), fd,
             (uintmax_t)status.st_ino);
    setenv("LD_PRELOAD", preload, 1);
    setenv(RUN_ENVIRONMENT, name, 1);
    free(preload);
}

int main(int argc, char **argv)
{
    struct options o = { .size = 128 * RUN_MIB, .share = 100 };
    int fd, code, program = parse(&o, argc, argv);
    struct run_page *page;
    FILE *file;

    fill_standard_streams();
    file = o.report ? open_report(o.report) : NULL;
    page = make_page(&fd);
    page->size = o.size;
    page->at_least = o.at_least;
    page->share = o.share;
    page->if_possible = o.if_possible;
    page->children = o.children;
    page->with_malloc = !o.no_malloc;
    if (open_device(page, &o)) {
        set_environment(page, fd, !o.no_malloc);
    }
    code = run(argv + program, page);
    report(page, &o, file, code);
    return code;
}
