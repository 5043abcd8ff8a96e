/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What L2 executes, and how it ended. */
#ifndef BARE_METAL_L2_H
#define BARE_METAL_L2_H

#include <stdint.h>

struct guest;
struct tables;

/*
 * Where L2 has its code, once for each CPL: an entry of the top-level table of
 * its own.
 */
#define L2_CODE_KERNEL 0x7f0000000000ull
#define L2_CODE_USER 0x7f0000001000ull

/* Bytes of an instruction VMMCALL, for pages that are to be executed. */
#define L2_VMMCALL "\x0f\x01\xd9"

/*
 * Snippets. RDI and RSI are the first and second argument of l2_run(): address
 * and value; value; MSR and value.
 */
extern const char l2_code[], l2_nothing[],
    l2_load1[], l2_load8[], l2_store1[], l2_store8[], l2_load1_store1[],
    l2_load_write_cr3_load[], l2_load_write_cr9_load[],
    l2_load_write_cr10_load[], l2_load_write_cr11_load[],
    l2_load_switch_load[],
    l2_invpcid[], l2_load_store8_invpcid_load[],
    l2_handler[], l2_handler_of_code[], l2_marker[],
    l2_read_msr[], l2_write_msr[],
    l2_read_cr9[], l2_read_cr10[], l2_read_cr11[], l2_read_cr12[],
    l2_read_cr13[],
    l2_write_cr0[], l2_write_cr3[], l2_write_cr4[],
    l2_write_cr9[], l2_write_cr10[], l2_write_cr11[], l2_write_cr12[],
    l2_write_cr13[];

/* How it ended: EXIT_VMMCALL if nothing was wrong. rax: the result. */
struct l2_end {
    uint64_t exit_code, exit_info1, exit_info2, rax;
};

/* The page of L2's code. */
static inline uint64_t l2_code_hpa(void)
{
    return (uint64_t)l2_code;
}

/* Map the code in a guest's tables; its gPA is its hPA - tables->to_hpa. */
void l2_map_code(struct tables *guest_tables);

/* Execute a snippet, at the CPL that the guest has. */
struct l2_end l2_run(struct guest *guest, const char *snippet, uint64_t rdi,
                     uint64_t rsi);

/* Execute what is at a gVA: a page that has L2_VMMCALL there, say. */
struct l2_end l2_fetch(struct guest *guest, uint64_t gva);

#endif
