/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Direct segments: the reasons of a #VMEXIT
 */

#include <inttypes.h>
#include <stdio.h>

#include "model/exits.h"

#define LOW_CODES 0x100
#define HIGH_FIRST 0x400
#define HIGH_CODES 4
#define INVALID UINT64_MAX
#define INDEX_INVALID (LOW_CODES + HIGH_CODES)
#define INDEX_OTHER (INDEX_INVALID + 1)

_Static_assert(INDEX_OTHER + 1 == DSEG_EXITS, "each code has a place");

unsigned dseg_exit_index(uint64_t code)
{
    if (code < LOW_CODES) {
        return code;
    }
    if (code - HIGH_FIRST < HIGH_CODES) {
        return LOW_CODES + (code - HIGH_FIRST);
    }
    return code == INVALID ? INDEX_INVALID : INDEX_OTHER;
}

bool dseg_exit_code(unsigned index, uint64_t *code)
{
    if (index >= INDEX_OTHER) {
        return false;
    }
    *code = index < LOW_CODES ? index
          : index < INDEX_INVALID ? HIGH_FIRST + (index - LOW_CODES) : INVALID;
    return true;
}

/* Those that there are of each register or vector. */
static const struct {
    unsigned first, last;
    const char *format;
} families[] = {
    { 0x00, 0x0f, "cr%u-read" },
    { 0x10, 0x1f, "cr%u-write" },
    { 0x20, 0x2f, "dr%u-read" },
    { 0x30, 0x3f, "dr%u-write" },
    { 0x40, 0x5f, "exception-%u" },
    { 0x90, 0x9f, "cr%u-write-trap" },
};

static const char *const names[INDEX_OTHER + 1] = {
    [0x60] = "intr", [0x61] = "nmi", [0x62] = "smi", [0x63] = "init",
    [0x64] = "vintr", [0x65] = "cr0-selective-write",
    [0x66] = "idtr-read", [0x67] = "gdtr-read", [0x68] = "ldtr-read",
    [0x69] = "tr-read", [0x6a] = "idtr-write", [0x6b] = "gdtr-write",
    [0x6c] = "ldtr-write", [0x6d] = "tr-write", [0x6e] = "rdtsc",
    [0x6f] = "rdpmc", [0x70] = "pushf", [0x71] = "popf", [0x72] = "cpuid",
    [0x73] = "rsm", [0x74] = "iret", [0x75] = "swint", [0x76] = "invd",
    [0x77] = "pause", [0x78] = "hlt", [0x79] = "invlpg", [0x7a] = "invlpga",
    [0x7b] = "ioio", [0x7c] = "msr", [0x7d] = "task-switch",
    [0x7e] = "ferr-freeze", [0x7f] = "shutdown", [0x80] = "vmrun",
    [0x81] = "vmmcall", [0x82] = "vmload", [0x83] = "vmsave",
    [0x84] = "stgi", [0x85] = "clgi", [0x86] = "skinit", [0x87] = "rdtscp",
    [0x88] = "icebp", [0x89] = "wbinvd", [0x8a] = "monitor",
    [0x8b] = "mwait", [0x8c] = "mwait-conditional", [0x8d] = "xsetbv",
    [0x8e] = "rdpru", [0x8f] = "efer-write-trap", [0xa0] = "invlpgb",
    [0xa1] = "invlpgb-illegal", [0xa2] = "invpcid", [0xa3] = "mcommit",
    [0xa4] = "tlbsync",
    [LOW_CODES] = "npf", [LOW_CODES + 1] = "avic-incomplete-ipi",
    [LOW_CODES + 2] = "avic-noaccel", [LOW_CODES + 3] = "vmgexit",
    [INDEX_INVALID] = "invalid", [INDEX_OTHER] = "other",
};

void dseg_exit_name(unsigned index, char *name)
{
    uint64_t code = 0;

    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        if (index >= families[i].first && index <= families[i].last) {
            snprintf(name, DSEG_EXIT_NAME, families[i].format,
                     index - families[i].first);
            return;
        }
    }
    dseg_exit_code(index, &code);
    if (names[index]) {
        snprintf(name, DSEG_EXIT_NAME, "%s", names[index]);
    } else {
        snprintf(name, DSEG_EXIT_NAME, "0x%" PRIx64, code);
    }
}
