/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "options.h"
#include "say.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
"Usage: dseg-run [OPTION]... PROGRAM [ARGUMENT]...\n"
"\n"
"Runs a program with its heap in a primary region: contiguous memory that a\n"
"direct segment translates. What it maps for itself (private, anonymous,\n"
"readable and writable, at any address) goes there as long as there is room,\n"
"and its malloc() is jemalloc's, which lives on such maps. At the end a\n"
"report says what its page walks were.\n"
"\n"
"  --size SIZE      of the region, a multiple of 2M; M or G allowed (128M)\n"
"  --at-least SIZE  make do with less if there is no more, but not with less\n"
"                   than this\n"
"  --share PERCENT  of all bytes that the program maps so, the region gets no\n"
"                   more than these (100): a map that would exceed it goes\n"
"                   elsewhere\n"
"  --if-possible    run the program without a region if there is none\n"
"  --children       programs that PROGRAM runs have a region each, too\n"
"  --no-malloc      leave malloc() alone: only maps go to the region\n"
"  --report FILE    write the report as JSON; by default it is a table on\n"
"                   stderr\n"
"  --help           this text\n"
"\n"
"PROGRAM must be linked dynamically. The exit code is its own, 128 + N if\n"
"signal N killed it, 125 if there is no region, 126 or 127 if it can't be run.\n"
"\n"
"Example: dseg-run --size 256M redis-server --save ''\n";

static uint64_t parse_size(const char *option, const char *text)
{
    static const char suffixes[] = "KMG";
    const char *suffix;
    char *end;
    uint64_t value;
    unsigned shift;

    errno = 0;
    value = strtoull(text, &end, 10);
    suffix = *end ? strchr(suffixes, *end) : NULL;
    shift = suffix ? 10 * (suffix - suffixes + 1) : 0;
    if (end == text || strchr(text, '-') || errno ||
        value > UINT64_MAX >> shift || end[suffix ? 1 : 0]) {
        die(EXIT_USAGE, "--%s: '%s' is no size (K, M and G are allowed)",
            option, text);
    }
    value <<= shift;
    if (!value || value % RUN_SIZE_UNIT) {
        die(EXIT_USAGE, "--%s: '%s' is no multiple of 2M, or 0", option, text);
    }
    return value;
}

static unsigned parse_share(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (end == text || *end || value > 100 || strchr(text, '-')) {
        die(EXIT_USAGE, "--share: '%s' is no number from 0 to 100", text);
    }
    return value;
}

int parse(struct options *o, int argc, char **argv)
{
    static const struct option table[] = {
        { "size", required_argument, NULL, 's' },
        { "at-least", required_argument, NULL, 'a' },
        { "share", required_argument, NULL, 'p' },
        { "if-possible", no_argument, NULL, 'i' },
        { "children", no_argument, NULL, 'c' },
        { "no-malloc", no_argument, NULL, 'm' },
        { "report", required_argument, NULL, 'r' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 }
    };
    int c;

    opterr = 0;
    while ((c = getopt_long(argc, argv, "+:", table, NULL)) != -1) {
        switch (c) {
        case 's':
            o->size = parse_size("size", optarg);
            break;
        case 'a':
            o->at_least = parse_size("at-least", optarg);
            break;
        case 'p':
            o->share = parse_share(optarg);
            break;
        case 'i':
            o->if_possible = true;
            break;
        case 'c':
            o->children = true;
            break;
        case 'm':
            o->no_malloc = true;
            break;
        case 'r':
            o->report = optarg;
            break;
        case 'h':
            fputs(help, stdout);
            exit(0);
        default:
            die(EXIT_USAGE, "%s '%s'; see dseg-run --help",
                c == ':' ? "no argument for option" : "unrecognized option",
                argv[optind - 1]);
        }
    }
    if (optind == argc) {
        die(EXIT_USAGE, "which program? See dseg-run --help");
    }
    if (!o->at_least) {
        o->at_least = o->size;
    }
    if (o->at_least > o->size) {
        die(EXIT_USAGE, "--at-least: must not be more than --size");
    }
    return optind;
}
