/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the trace plugin makes of instructions' bytes: encodings as GNU as has
 * them (objdump -d shows the comments).
 */
#include <glib.h>

#include "trace-decode.h"

#define DECODE(...) \
    decode((const uint8_t[]) { __VA_ARGS__ }, \
           sizeof((const uint8_t[]) { __VA_ARGS__ }))

static void mov_to_cr(void)
{
    struct decoded d = DECODE(0x0f, 0x22, 0xd8);        /* mov %rax,%cr3 */

    g_assert_cmpint(d.what, ==, WHAT_MOV_TO_CR);
    g_assert_cmpuint(d.cr, ==, 3);
    g_assert_cmpuint(d.reg, ==, RAX);
    d = DECODE(0x45, 0x0f, 0x22, 0xdb);                 /* mov %r11,%cr11 */
    g_assert_cmpint(d.what, ==, WHAT_MOV_TO_CR);
    g_assert_cmpuint(d.cr, ==, 11);
    g_assert_cmpuint(d.reg, ==, 11);
    d = DECODE(0x44, 0x0f, 0x22, 0xcf);                 /* mov %rdi,%cr9 */
    g_assert_cmpuint(d.cr, ==, 9);
    g_assert_cmpuint(d.reg, ==, RDI);
    d = DECODE(0x0f, 0x20, 0xd8);                       /* mov %cr3,%rax */
    g_assert_cmpint(d.what, ==, WHAT_OTHER);
}

static void expect_operand(struct decoded d, unsigned base, unsigned index,
                           unsigned scale, int64_t displacement, bool rip)
{
    g_assert_cmpint(d.what, ==, WHAT_INVLPG);
    g_assert_cmpuint(d.operand.base, ==, base);
    g_assert_cmpuint(d.operand.index, ==, index);
    g_assert_cmpuint(d.operand.scale, ==, scale);
    g_assert_cmpint(d.operand.displacement, ==, displacement);
    g_assert_true(d.operand.rip_relative == rip);
}

static void invlpg(void)
{
    expect_operand(DECODE(0x0f, 0x01, 0x38),            /* (%rax) */
                   RAX, NO_REGISTER, 1, 0, false);
    expect_operand(DECODE(0x41, 0x0f, 0x01, 0x7d, 0x00),        /* (%r13) */
                   13, NO_REGISTER, 1, 0, false);
    expect_operand(DECODE(0x41, 0x0f, 0x01, 0x3c, 0x24),        /* (%r12) */
                   12, NO_REGISTER, 1, 0, false);
    expect_operand(DECODE(0x0f, 0x01, 0x7b, 0xf8),      /* -8(%rbx) */
                   RBX, NO_REGISTER, 1, -8, false);
    expect_operand(DECODE(0x43, 0x0f, 0x01, 0xbc, 0xc8, 0, 0x10, 0, 0),
                   8, 9, 8, 0x1000, false);     /* 0x1000(%r8,%r9,8) */
    expect_operand(DECODE(0x0f, 0x01, 0x3c, 0x8d, 4, 0, 0, 0),
                   NO_REGISTER, RCX, 4, 4, false);      /* 0x4(,%rcx,4) */
    expect_operand(DECODE(0x0f, 0x01, 0x3d, 0xff, 0xff, 0xff, 0xff),
                   NO_REGISTER, NO_REGISTER, 1, -1, true);      /* -1(%rip) */
    /* sgdt (%rax); swapgs */
    g_assert_cmpint(DECODE(0x0f, 0x01, 0x00).what, ==, WHAT_OTHER);
    g_assert_cmpint(DECODE(0x0f, 0x01, 0xf8).what, ==, WHAT_OTHER);
}

static void others(void)
{
    struct decoded d = DECODE(0x66, 0x0f, 0x38, 0x82, 0x0c, 0x24);

    g_assert_cmpint(d.what, ==, WHAT_INVPCID);  /* invpcid (%rsp),%rcx */
    g_assert_cmpuint(d.reg, ==, RCX);
    d = DECODE(0x66, 0x44, 0x0f, 0x38, 0x82, 0x00);
    g_assert_cmpuint(d.reg, ==, 8);             /* invpcid (%rax),%r8 */
    g_assert_cmpint(DECODE(0x0f, 0x30).what, ==, WHAT_WRMSR);
    g_assert_cmpint(DECODE(0x0f, 0x01, 0xd8).what, ==, WHAT_VMRUN);
    g_assert_cmpint(DECODE(0x0f, 0x01, 0xd9).what, ==, WHAT_VMM_MEMORY);
    g_assert_cmpint(DECODE(0x0f, 0x01, 0xda).what, ==, WHAT_VMM_MEMORY);
    g_assert_cmpint(DECODE(0x0f, 0x01, 0xdf).what, ==, WHAT_INVLPGA);
    g_assert_cmpint(DECODE(0x90).what, ==, WHAT_OTHER);
}

static void marker(void)
{
    struct decoded d = DECODE(0x0f, 0x1f, 0x87, 1, 2, 3, 0xd5);

    g_assert_cmpint(d.what, ==, WHAT_MARKER);
    g_assert_cmphex(d.label, ==, 0xd5030201);
    /* Another top byte; a prefix; another register. */
    d = DECODE(0x0f, 0x1f, 0x87, 1, 2, 3, 0xd4);
    g_assert_cmpint(d.what, ==, WHAT_OTHER);
    d = DECODE(0x66, 0x0f, 0x1f, 0x87, 1, 2, 3, 0xd5);
    g_assert_cmpint(d.what, ==, WHAT_OTHER);
    d = DECODE(0x0f, 0x1f, 0x86, 1, 2, 3, 0xd5);
    g_assert_cmpint(d.what, ==, WHAT_OTHER);
}

static void locked(void)
{
    g_assert_true(DECODE(0xf0, 0x48, 0x0f, 0xc1, 0x07).locked); /* lock xadd */
    g_assert_true(DECODE(0x48, 0x87, 0x07).locked);     /* xchg %rax,(%rdi) */
    g_assert_false(DECODE(0x48, 0x87, 0xc7).locked);    /* xchg %rax,%rdi */
    g_assert_false(DECODE(0x48, 0x01, 0x07).locked);    /* add %rax,(%rdi) */
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/trace-decode/mov-to-cr", mov_to_cr);
    g_test_add_func("/trace-decode/invlpg-operands", invlpg);
    g_test_add_func("/trace-decode/other-operations", others);
    g_test_add_func("/trace-decode/marker", marker);
    g_test_add_func("/trace-decode/locked", locked);
    return g_test_run();
}
