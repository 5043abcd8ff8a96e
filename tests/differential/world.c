/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A random world: state, segments and filter. Its page tables are made in
 * world-tables.c.
 */
#include "world.h"

#include "enter.h"
#include "lib/cpu.h"
#include "lib/dseg.h"
#include "world-tables.h"

#define CR0_PAGING 0x80000033ull            /* PG, NE, ET, MP, PE */
#define MAX_FILTER_PAGES 256

void world_init(void)
{
    static const uint8_t prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65 };
    struct random random = { 1 };

    for (uint64_t hpa = DATA; hpa < WINDOW_END; hpa += 16) {
        uint8_t *code = at_hpa(hpa);
        uint32_t tag = random64(&random);

        /* mov $tag, %eax; vmmcall: executed, it says where that was. */
        code[0] = 0xb8;
        __builtin_memcpy(code + 1, &tag, 4);
        __builtin_memcpy(code + 5, "\x0f\x01\xd9", 3);
        *(uint64_t *)at_hpa(hpa + 8) = random64(&random);
        if (hpa % PAGE == PAGE - 16) {
            /* A prefix of no effect, for the code on any page that follows. */
            code[15] = random_of(&random, prefixes);
        }
    }
    __builtin_memcpy(at_hpa(CODE_HPA), guest_code, guest_code_end - guest_code);
}

/* -- State -- */

static uint64_t some_cr4(struct random *random)
{
    return CR4_PAE |
           (random64(random) & (CR4_PGE | CR4_SMEP | CR4_SMAP | CR4_PKE));
}

static enum mode some_mode(const struct world *world, struct random *random)
{
    bool nested = world->state.nested;

    if (world->without_guest) {
        return MODE_LONG;
    }
    switch (random_below(random, 16)) {
    case 0:
        return MODE_COMPATIBILITY;
    case 1:
        return MODE_PAE;
    case 2:
        return nested ? MODE_UNPAGED : MODE_LONG;
    default:
        return MODE_LONG;
    }
}

static void make_host(struct world *world, struct random *random,
                      unsigned levels)
{
    world->state.host = (struct ref_paging) {
        .cr0 = CR0_PAGING | (one_in(random, 2) ? CR0_WP : 0),
        .cr4 = some_cr4(random) | (levels == 5 ? CR4_LA57 : 0),
        .efer = EFER_SVME | EFER_LME | EFER_LMA |
                (one_in(random, 4) ? 0 : EFER_NXE),
    };
}

static void make_guest(struct world *world, struct random *random)
{
    struct ref_paging *guest = &world->state.guest;
    uint64_t nxe = one_in(random, 4) ? 0 : EFER_NXE;

    guest->cr0 = CR0_PAGING | (one_in(random, 2) ? CR0_WP : 0);
    guest->cr4 = some_cr4(random);
    guest->efer = EFER_SVME | EFER_LME | EFER_LMA | nxe;
    switch (world->mode) {
    case MODE_LONG:
    case MODE_COMPATIBILITY:
        guest->cr4 |= world->without_guest ? world->state.host.cr4 & CR4_LA57
                      : one_in(random, 3) ? CR4_LA57 : 0;
        break;
    case MODE_UNPAGED:
        guest->cr0 &= ~CR0_PG;
        /* fall through */
    case MODE_PAE:
        guest->efer = EFER_SVME | nxe;
        break;
    }
}

/* -- Addresses -- */

static const unsigned top_indices[] = { 0, 1, 255, 256, 511 };
static const unsigned pointer_indices[] = { 0, 1, 3, 511 };

/* The first byte of a hot page, with the low 30 bits of the window. */
static uint64_t some_low_bits(struct random *random)
{
    return WINDOW + 2 * MiB * random_below(random, WINDOW_2M) +
           PAGE * random_of(random, hot_pages);
}

static bool is_32_bit(const struct world *world)
{
    return world->mode != MODE_LONG;
}

/* A page's gVA that the tables may know. In 32-bit code it is below 4 GiB. */
static uint64_t some_gva(const struct world *world, struct random *random)
{
    uint64_t low = some_low_bits(random);
    uint64_t gva;

    if (is_32_bit(world)) {
        return low + random_below(random, 4) * GiB;
    }
    gva = low | (uint64_t)random_of(random, pointer_indices) << 30 |
          (uint64_t)random_of(random, top_indices) << 39;
    if (world->state.guest.cr4 & CR4_LA57) {
        gva |= (uint64_t)random_of(random, top_indices) << 48;
        return (int64_t)(gva << 7) >> 7;
    }
    return (int64_t)(gva << 16) >> 16;
}

uint64_t some_slot(const struct world *world, struct random *random)
{
    uint64_t last = (1ull << (world->state.maxphyaddr - 30)) - 1;
    const uint64_t slots[] = { 0, 1, 2, 3, last / 2 + 1, last };

    if (!world->state.nested) {
        return 0;
    }
    return world->one_slot ? CODE_SLOT : random_of(random, slots) * GiB;
}

static uint64_t some_gpa(const struct world *world, struct random *random)
{
    return some_slot(world, random) + some_low_bits(random);
}

/* -- Segments -- */

/* BASE and LIMIT around a page, below "end". */
static void make_bounds(struct ref_segment *segment, struct random *random,
                        uint64_t page, uint64_t other, uint64_t end)
{
    segment->base = page;
    switch (random_below(random, 8)) {
    case 0:                                         /* one page */
        segment->limit = page + PAGE;
        break;
    case 1:                                         /* some pages */
        segment->limit = page + PAGE * (1 + random_below(random, 9));
        break;
    case 2:                                         /* a 1 GiB page */
        segment->base = page & -GiB;
        segment->limit = segment->base + GiB;
        break;
    case 3:                                         /* all up to some page */
        segment->base = 0;
        segment->limit = page + PAGE;
        break;
    case 4:                                         /* everything from there */
        segment->limit = end;
        break;
    case 5:                                         /* maybe none */
        segment->limit = other;
        break;
    default:                                        /* most of what there is */
        segment->base = page & -(4 * GiB);
        segment->limit = segment->base + 4 * GiB;
        break;
    }
    if (segment->limit > end) {
        segment->limit = end;
    }
}

/*
 * An OFFSET that translates "from" to an address with the same low 30 bits, or
 * a little beside it, or to the end of physical memory, or below 0. The caller
 * sees to what is too wide.
 */
static uint64_t some_offset(const struct world *world, struct random *random,
                            uint64_t from, uint64_t to)
{
    switch (random_below(random, 12)) {
    case 0:
        return (1ull << world->state.maxphyaddr) - from;
    case 1:
        /* A hot page becomes the very last one. */
        return (1ull << world->state.maxphyaddr) - PAGE -
               (from + some_low_bits(random));
    case 2:
        return -from - PAGE;
    case 3:
        return to - from + PAGE * random_below(random, 8);
    case 4:
        return to - from - 2 * MiB * random_below(random, 3);
    default:
        return to - from;
    }
}

static void make_guest_segment(struct world *world, struct random *random)
{
    struct ref_segment *segment = &world->state.guest_segment;
    uint64_t page = some_gva(world, random);
    unsigned width = world->state.guest.cr4 & CR4_LA57 ? 56 : 47;

    *segment = (struct ref_segment) { 0 };
    if (one_in(random, 3)) {
        return;
    }
    make_bounds(segment, random, page, some_gva(world, random),
                page >> 63 ? -PAGE : (1ull << width) - PAGE);
    if (page >> 63 && segment->base == 0) {
        segment->base = page & -(GiB << 3);
    }
    if (world->without_guest && segment->base < GiB) {
        segment->base = GiB;                /* L1's own memory is below */
    }
    segment->offset = some_offset(world, random, page & -GiB,
                                  some_slot(world, random));
}

static void make_host_segment(struct world *world, struct random *random)
{
    world->host_segment = (struct ref_segment) { 0 };
    if (one_in(random, 3)) {
        world->host_segment = (struct ref_segment) {
            GiB, (1ull << 47) - PAGE, some_low_bits(random),
        };
    }
}

static void make_vmm_segment(struct world *world, struct random *random)
{
    struct ref_segment *segment = &world->state.vmm_segment;
    uint64_t end = 1ull << world->state.maxphyaddr;
    uint64_t page = some_gpa(world, random);

    *segment = (struct ref_segment) { 0 };
    if (one_in(random, 3)) {
        return;
    }
    make_bounds(segment, random, page, some_gpa(world, random), end);
    segment->offset = some_offset(world, random, page & -GiB, 0);
    if ((int64_t)segment->offset < -(int64_t)end ||
        (int64_t)segment->offset >= (int64_t)end) {
        segment->offset = -(page & -GiB);
    }
}

/* -- Filter -- */

static void filter_add_page(struct world *world, uint64_t gpa)
{
    struct ref_state *state = &world->state;
    unsigned bit[4];

    ref_filter_bits(state, gpa, bit);
    for (unsigned i = 0; i < 4; i++) {
        state->filter[bit[i] / 64] |= 1ull << bit[i] % 64;
    }
    world->added[state->added_count++] = gpa;
}

/* Words that are written, instead of the pages that were added or besides. */
static void make_filter_words(struct world *world, struct random *random)
{
    uint64_t ones = one_in(random, 4) ? ~0ull : 0;

    for (unsigned i = 0; i < world->state.filter_bits / 64; i++) {
        world->state.filter[i] |= ones | (random64(random) & random64(random));
    }
    world->state.added_known = false;
    world->writes_filter = true;
}

static void make_filter(struct world *world, struct random *random)
{
    static const uint8_t counts[] = { 1, 2, 3, 4, 8, 16, 40 };
    unsigned pages = 0;

    __builtin_memset(world->state.filter, 0, sizeof(world->state.filter));
    world->state.added = world->added;
    world->state.added_count = 0;
    world->state.added_known = true;
    world->writes_filter = false;
    switch (random_below(random, 8)) {
    case 0:
        make_filter_words(world, random);
        return;
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
        pages = one_in(random, 32) ? 2 * random_below(random, MAX_ADDED / 2)
                                   : random_of(random, counts);
        break;
    }
    for (unsigned i = 0; i < pages; i++) {
        filter_add_page(world,
                        pages <= 40 ? some_gpa(world, random) : i * PAGE);
    }
    if (pages > MAX_FILTER_PAGES) {
        world->state.added_known = false;
    }
    if (one_in(random, 16)) {
        make_filter_words(world, random);
    }
}

/* -- All of it -- */

void world_make(struct world *world, struct random *random,
                const struct ref_hash *hash, unsigned host_levels,
                unsigned maxphyaddr)
{
    static const uint8_t anomalies[] = { 0, 0, 0, 128, 64, 24, 8 };

    world->state.hash = hash;
    world->state.filter_bits = 64 * filter_words();
    world->state.maxphyaddr = maxphyaddr;
    world->state.nested = !one_in(random, 5);
    world->state.pkru = random64(random) & random64(random);
    world->without_guest = !world->state.nested && one_in(random, 2);
    world->mode = some_mode(world, random);
    world->one_slot = one_in(random, 2);
    world->anomalies = random_of(random, anomalies);
    make_host(world, random, host_levels);
    make_guest(world, random);
    world_make_tables(world, random);
    make_guest_segment(world, random);
    make_host_segment(world, random);
    make_vmm_segment(world, random);
    make_filter(world, random);
}

/* -- Accesses -- */

/* A page in the guest segment, or beside an edge of it. */
static uint64_t some_page_by_segment(const struct world *world,
                                     struct random *random)
{
    const struct ref_segment *segment = &world->state.guest_segment;

    switch (random_below(random, 8)) {
    case 0:
        return segment->base;
    case 1:
        return segment->base - PAGE;
    case 2:
        return segment->limit;
    case 3:
        return segment->limit - PAGE;
    default:
        return segment->base +
               (some_low_bits(random) - segment->base % GiB) % GiB;
    }
}

static uint64_t some_page(const struct world *world, struct random *random)
{
    const struct ref_segment *segment = &world->state.guest_segment;

    uint64_t page = some_gva(world, random);

    if (segment->base < segment->limit && one_in(random, 2)) {
        page = some_page_by_segment(world, random);
    }
    return is_32_bit(world) ? (uint32_t)page : page;
}

/* Where in a page, and how many bytes: the tags are 4 bytes at 16 * n + 1. */
static void make_offset(struct random *random, struct try *access)
{
    access->size = 1;
    switch (random_below(random, 16)) {
    case 0:
        access->ref.gva += PAGE - 1;
        break;
    case 1:
        break;
    case 2:
        access->ref.gva += PAGE - 1 - random_below(random, 3);
        access->size = 4;
        break;
    default:
        access->ref.gva += 16 * random_below(random, PAGE / 16) + 1;
        access->size = 4;
    }
}

void world_access(const struct world *world, struct random *random,
                  struct try *access)
{
    bool user = one_in(random, 2);

    access->cpl = user ? 3 : 0;
    access->after_load = false;
    access->ref = (struct ref_access) {
        .gva = some_page(world, random),
        .kind = REF_LOAD + random_below(random, 3),
        .user = user,
        .ac = one_in(random, 2),
    };
    if (access->ref.kind == REF_LOAD && one_in(random, 8)) {
        access->ref.implicit = true;
        access->ref.user = false;
    }
    if (access->ref.kind == REF_FETCH && one_in(random, 16)) {
        access->size = 2;                           /* a prefix, and the code */
        access->ref.gva += PAGE - 1;
        return;
    }
    if (access->ref.kind == REF_FETCH || access->ref.implicit) {
        access->size = 1;
        access->ref.gva += 16 * random_below(random, PAGE / 16);
        return;
    }
    make_offset(random, access);
    access->after_load = !world->without_guest && one_in(random, 8) &&
                         access->ref.kind == REF_STORE && access->size == 4 &&
                         access->ref.gva % PAGE <= PAGE - 4;
    if (world->mode == MODE_LONG && one_in(random, 64)) {
        access->ref.gva ^= 1ull << (57 + random_below(random, 6));
    }
}
