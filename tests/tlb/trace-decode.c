/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which instructions the trace has more of than their accesses. */
#include "trace-decode.h"

#include <string.h>

#define MARKER_TOP 0xd5
#define LONGEST 15

struct bytes {
    const uint8_t *next;
    uint8_t rex;
    bool has_66, has_f0;
};

static void skip_prefixes(struct bytes *b)
{
    for (;; b->next++) {
        switch (*b->next) {
        case 0x66:
            b->has_66 = true;
            break;
        case 0xf0:
            b->has_f0 = true;
            break;
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
        case 0x64:
        case 0x65:
        case 0x67:
        case 0xf2:
        case 0xf3:
            break;
        default:
            if ((*b->next & 0xf0) == 0x40) {
                b->rex = *b->next++;
            }
            return;
        }
    }
}

static unsigned mod(uint8_t modrm)
{
    return modrm >> 6;
}

static unsigned reg(const struct bytes *b, uint8_t modrm)
{
    return (modrm >> 3 & 7) | (b->rex & 4) << 1;
}

static unsigned rm(const struct bytes *b, uint8_t modrm)
{
    return (modrm & 7) | (b->rex & 1) << 3;
}

static int32_t displacement32(const uint8_t *at)
{
    int32_t value;

    memcpy(&value, at, sizeof(value));
    return value;
}

/* The operand in memory that ModRM, SIB and displacement stand for. */
static struct operand operand(const struct bytes *b, const uint8_t *modrm)
{
    struct operand o = {
        .base = rm(b, *modrm), .index = NO_REGISTER, .scale = 1,
    };
    const uint8_t *next = modrm + 1;
    bool no_base = mod(*modrm) == 0 && (*modrm & 7) == 5;

    o.rip_relative = no_base;
    if ((*modrm & 7) == 4) {
        uint8_t sib = *next++;
        unsigned index = (sib >> 3 & 7) | (b->rex & 2) << 2;

        o.base = (sib & 7) | (b->rex & 1) << 3;
        o.index = index == RSP ? NO_REGISTER : index;
        o.scale = 1 << (sib >> 6);
        no_base = mod(*modrm) == 0 && (sib & 7) == 5;
    }
    if (no_base) {
        o.base = NO_REGISTER;
    }
    if (mod(*modrm) == 1) {
        o.displacement = (int8_t)*next;
    } else if (mod(*modrm) == 2 || no_base) {
        o.displacement = displacement32(next);
    }
    return o;
}

/* 0F 01: the second byte is ModRM, or one more byte of the opcode. */
static void decode_0f01(const struct bytes *b, struct decoded *d)
{
    switch (b->next[2]) {
    case 0xd8:
        d->what = WHAT_VMRUN;
        return;
    case 0xd9:                  /* VMMCALL, VMLOAD, VMSAVE */
    case 0xda:
    case 0xdb:
        d->what = WHAT_VMM_MEMORY;
        return;
    case 0xdf:
        d->what = WHAT_INVLPGA;
        return;
    }
    if (mod(b->next[2]) != 3 && (b->next[2] >> 3 & 7) == 7) {
        d->what = WHAT_INVLPG;
        d->operand = operand(b, &b->next[2]);
    }
}

static void decode_marker(const struct bytes *b, const uint8_t *start,
                          struct decoded *d)
{
    uint32_t label = displacement32(&b->next[3]);

    if (b->next == start && b->next[2] == 0x87 && label >> 24 == MARKER_TOP) {
        d->what = WHAT_MARKER;
        d->label = label;
    }
}

struct decoded decode(const uint8_t *bytes, size_t size)
{
    uint8_t padded[2 * LONGEST] = { 0 };
    struct decoded d = { .what = WHAT_OTHER };
    struct bytes b = { .next = padded };

    memcpy(padded, bytes, size < LONGEST ? size : LONGEST);
    skip_prefixes(&b);
    d.locked = b.has_f0 ||
               ((b.next[0] & 0xfe) == 0x86 && mod(b.next[1]) != 3);
    if (b.next[0] != 0x0f) {
        return d;
    }
    switch (b.next[1]) {
    case 0x01:
        decode_0f01(&b, &d);
        break;
    case 0x1f:
        decode_marker(&b, padded, &d);
        break;
    case 0x22:
        d = (struct decoded) { .what = WHAT_MOV_TO_CR, .cr = reg(&b, b.next[2]),
                               .reg = rm(&b, b.next[2]) };
        break;
    case 0x30:
        d.what = WHAT_WRMSR;
        break;
    case 0x38:
        if (b.has_66 && b.next[2] == 0x82) {
            d = (struct decoded) { .what = WHAT_INVPCID,
                                   .reg = reg(&b, b.next[3]) };
        }
        break;
    }
    return d;
}
