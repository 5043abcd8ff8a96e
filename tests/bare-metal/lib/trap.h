/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exceptions in L1. One that an instruction in TRY() raises is its result; any
 * other ends the run.
 */
#ifndef BARE_METAL_TRAP_H
#define BARE_METAL_TRAP_H

#include "cpu.h"

/* The result of TRY(): 0, or what was raised. */
#define TRAPPED BIT(63)
#define TRAP(vector, code) (TRAPPED | (uint64_t)(vector) << 32 | (code))

/*
 * Execute an instruction, and say what it raised: 0 or TRAP(). The address of a
 * page fault is then in CR2. "before" is executed before it, "after" if it
 * raised nothing; they may use RAX, RCX and RDX. ... are the inputs, as for
 * asm().
 */
#define TRY(before, instruction, after, ...)                            \
    ({                                                                  \
        register uint64_t trap_ asm("r11") = 0;                         \
                                                                        \
        asm volatile(before "\n"                                        \
                     "1: " instruction "\n"                             \
                     after "\n"                                         \
                     "2:\n"                                             \
                     ".pushsection .fixups, \"a\"\n"                    \
                     ".quad 1b, 2b\n"                                   \
                     ".popsection"                                      \
                     : "+r"(trap_) : __VA_ARGS__                        \
                     : "memory", "rax", "rcx", "rdx", "cc");            \
        trap_;                                                          \
    })

/* Have this CPU use the table of exceptions. */
void trap_init(void);

/*
 * One instruction each, with the result of TRY(). n: 0, 3, 4, 9 to 13. *value is
 * as it was if it traps.
 */
uint64_t try_read_cr(unsigned n, uint64_t *value);
uint64_t try_write_cr(unsigned n, uint64_t value);
uint64_t try_read_msr(uint32_t msr, uint64_t *value);
uint64_t try_write_msr(uint32_t msr, uint64_t value);
uint64_t try_invpcid(uint64_t type, uint64_t descriptor);
uint64_t try_load(uint64_t address, uint8_t *value);
uint64_t try_store(uint64_t address, uint8_t value);

/* Call code that does no more than return, or what can't be fetched. */
uint64_t try_call(uint64_t address);

#endif
