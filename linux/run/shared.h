/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What dseg-run and the library that it preloads tell each other
 *
 * A page that both map: so dseg-run can report on programs that were killed.
 */
#ifndef RUN_SHARED_H
#define RUN_SHARED_H

#include "../include/dseg-guest.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What dseg-run preloads. */
#define RUN_LIBRARY "/usr/lib/dseg/libdseg-run.so"

#define RUN_MIB (1 << 20)

/* What sizes of regions are multiples of: see dseg-guest.h. */
#define RUN_SIZE_UNIT (UINT64_C(2) << 20)

/*
 * In the environment: where the page can be opened, and its inode, after a
 * colon. Only that is it: the process may have ended, and another have its
 * number.
 */
#define RUN_ENVIRONMENT "DSEG_RUN"

/* Of the page's file. */
#define RUN_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Exit code of a program that should have a region and can have none. */
#define RUN_EXIT_NO_REGION 125

/* The most programs of one run that can have a region. */
#define RUN_PROGRAMS 32

/* What a program, or its library, says of itself. */
struct run_program {
    pid_t pid;              /* 0: it has not begun */
    char name[16];          /* as the kernel has it, cut to 15 characters */
    int error;              /* errno of DSEG_GUEST_CREATE, or 0 */
    bool may_not_map;       /* ENOMEM, but not for lack of contiguous memory */
    uint64_t address;       /* of the region */
    uint64_t size;          /* bytes; 0: it has none */
    uint64_t asked;         /* bytes of all maps that could go to the region */
    uint64_t given;         /* bytes of those that did */
    uint64_t most_in_use;   /* bytes of the region, at the same time */
    unsigned bound_deep;    /* libraries loaded, but for that, RTLD_DEEPBIND */
    bool has_walks;
    struct dseg_guest_walks walks;
};

struct run_page {
    /* What dseg-run wants. */
    pid_t first;            /* the process that PROGRAM is to run in */
    int device;             /* descriptor of it, for the first program */
    uint64_t device_id;     /* st_rdev */
    uint64_t size;          /* bytes of the region */
    uint64_t at_least;      /* ... or fewer, but not fewer than these */
    unsigned share;         /* percent: given / asked is never more */
    bool if_possible;       /* a program without a region runs all the same */
    bool children;          /* programs after the first have a region, too */
    bool with_malloc;       /* malloc() is not the C library's */
    char preloaded[256];    /* what dseg-run has put before LD_PRELOAD */

    /* What came of it. */
    unsigned programs;      /* may be more than there is room for */
    struct run_program program[RUN_PROGRAMS];
};

#endif
