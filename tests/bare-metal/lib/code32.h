/* SPDX-License-Identifier: GPL-2.0-or-later */
/* 32-bit code in L1: its addresses have 32 bits, and it can turn paging off. */
#ifndef BARE_METAL_CODE32_H
#define BARE_METAL_CODE32_H

#include <stdint.h>

/*
 * Execute 32-bit code in compatibility mode, until its RET, with these in EDI,
 * ESI and EDX; returns its EAX. It has to leave paging on. Tables in force have
 * to map the program one to one.
 */
uint32_t code32_run(const char *code, uint32_t edi, uint32_t esi, uint32_t edx);

/* For such code: turn paging off and on. EAX is lost. */
#define CODE32_PAGING_OFF                                               \
    "mov %cr0, %eax\n"                                                  \
    "and $0x7fffffff, %eax\n"                                           \
    "mov %eax, %cr0\n"
#define CODE32_PAGING_ON                                                \
    "mov %cr0, %eax\n"                                                  \
    "or $0x80000000, %eax\n"                                            \
    "mov %eax, %cr0\n"

#endif
