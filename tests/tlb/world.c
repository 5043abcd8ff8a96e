/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RAM, and translations in it. */
#include "world.h"

#include <glib.h>

#define CR0_PG (1ull << 31)
#define CR4_PGE (1ull << 7)
#define CR4_LA57 (1ull << 12)
#define CR4_PCIDE (1ull << 17)
#define EFER_LMA (1ull << 10)

#define ENTRY_W (1ull << 1)
#define ENTRY_D (1ull << 6)
#define ENTRY_G (1ull << 8)

void world_init(struct world *world, uint64_t ram_size)
{
    *world = (struct world) {
        .ram = g_malloc0(ram_size), .ram_size = ram_size,
    };
    ref_hash_init(&world->hash);
}

void world_free(struct world *world)
{
    g_free(world->ram);
}

bool world_write(struct world *world, uint64_t hpa, const void *bytes,
                 size_t size)
{
    if (size > world->ram_size || hpa > world->ram_size - size) {
        return false;
    }
    memcpy(world->ram + hpa, bytes, size);
    return true;
}

/* What is not RAM reads as 0, an entry that is not present. */
static uint64_t read_ram(void *opaque, uint64_t hpa)
{
    const struct world *world = opaque;
    uint64_t value = 0;

    if (hpa <= world->ram_size - sizeof(value)) {
        memcpy(&value, world->ram + hpa, sizeof(value));
    }
    return value;
}

bool world_uses_tlb(const struct world *world)
{
    return world->state.cr0 & CR0_PG || world->state.nested;
}

unsigned world_asid(const struct world *world)
{
    return world->state.asid;
}

unsigned world_pcid(const struct world *world)
{
    return world->state.cr4 & CR4_PCIDE ? world->state.cr3 & 0xfff : 0;
}

/* -- Translation -- */

/* The state as the reference translator has it. */
static struct ref_state ref_state(struct world *world)
{
    const struct trace_state *s = &world->state, *host = &world->host;

    return (struct ref_state) {
        .guest = { s->cr0, s->cr3, s->cr4, s->efer },
        .host = { host->cr0, s->ncr3, host->cr4, host->efer },
        .nested = s->nested,
        .maxphyaddr = MAX_PHYSICAL_BITS,
        .guest_segment = { s->cr9, s->cr10, s->cr11 },
        .vmm_segment = { s->vmm_base, s->vmm_limit, s->vmm_offset },
        .filter_bits = 256,
        .filter = { s->filter[0], s->filter[1], s->filter[2], s->filter[3] },
        .hash = &world->hash,
    };
}

/* Permissions do not matter here: what has been done was allowed. */
static struct ref_access ref_access(uint64_t address, enum kind kind)
{
    static const enum ref_kind kinds[] = {
        [LOAD] = REF_LOAD, [STORE] = REF_STORE, [FETCH] = REF_FETCH,
    };

    return (struct ref_access) {
        .gva = address, .kind = kinds[kind], .ac = true,
    };
}

/* One dimension by itself: which entries lead to a page. */
struct dimension {
    bool walked;            /* else there is none, or a segment translates */
    bool by_segment;
    unsigned top, leaf;     /* levels of the walk */
    uint64_t entry[MAX_LEVELS];     /* addresses of the entries */
    enum pages pages;
    bool writable, dirty, global;
    uint64_t address;       /* what it translates to */
};

/* Reads entries of one dimension, and takes notes of them. */
struct reader {
    struct world *world;
    bool guest_physical;    /* the entries' addresses are gPAs */
    bool pae;               /* the first entry has no rights */
    unsigned entries;
    uint64_t address[MAX_LEVELS];
    uint64_t all, last;     /* and of all entries, the last entry */
};

static void nested_alone(struct world *world, uint64_t gpa, enum kind kind,
                         struct dimension *nested);

static uint64_t read_entry(void *opaque, uint64_t address)
{
    struct reader *reader = opaque;
    uint64_t entry;

    reader->address[reader->entries] = address;
    if (reader->guest_physical) {
        struct dimension nested;

        nested_alone(reader->world, address, LOAD, &nested);
        address = nested.address;
    }
    entry = read_ram(reader->world, address);
    if (!reader->pae || reader->entries) {
        reader->all &= entry;
    }
    reader->last = entry;
    reader->entries++;
    return entry;
}

static unsigned levels(uint64_t cr4, uint64_t efer)
{
    return !(efer & EFER_LMA) ? 3 : cr4 & CR4_LA57 ? 5 : 4;
}

static struct dimension walked(const struct reader *reader, unsigned levels,
                               uint64_t address)
{
    struct dimension d = {
        .walked = true, .top = levels, .leaf = levels - reader->entries + 1,
        .pages = PAGES_4K + (levels - reader->entries),
        .writable = reader->all & ENTRY_W, .dirty = reader->last & ENTRY_D,
        .global = reader->last & ENTRY_G, .address = address,
    };

    memcpy(d.entry, reader->address, sizeof(d.entry));
    return d;
}

/* gVA to gPA by the guest's page tables, which are at gPAs. */
static void guest_alone(struct world *world, uint64_t gva, enum kind kind,
                        struct dimension *guest)
{
    struct ref_state state = ref_state(world);
    struct ref_access access = ref_access(gva, kind);
    struct reader reader = {
        .world = world, .guest_physical = state.nested,
        .pae = !(state.guest.efer & EFER_LMA), .all = -1ull,
    };
    struct ref_memory memory = { read_entry, &reader };
    struct ref_result result;

    state.nested = false;
    ref_translate(&state, &access, &memory, &result);
    *guest = walked(&reader, levels(state.guest.cr4, state.guest.efer),
                    result.hpa);
}

/* gPA to hPA: the guest of this translation has no paging. */
static void nested_alone(struct world *world, uint64_t gpa, enum kind kind,
                         struct dimension *nested)
{
    struct ref_state state = ref_state(world);
    struct ref_access access = ref_access(gpa, kind);
    struct reader reader = { .world = world, .all = -1ull };
    struct ref_memory memory = { read_entry, &reader };
    struct ref_result result;

    state.guest.cr0 = 0;
    ref_translate(&state, &access, &memory, &result);
    if (result.nested_refs) {
        *nested = walked(&reader, levels(state.host.cr4, state.host.efer),
                         result.hpa);
    } else {
        *nested = (struct dimension) { .by_segment = true,
                                       .address = result.hpa };
    }
}

static bool guest_segment_translates(enum ref_regime regime)
{
    return regime == REF_NATIVE_DIRECT || regime == REF_GUEST_DIRECT ||
           regime == REF_DUAL_DIRECT;
}

/* What stores of this and later accesses find in a dimension. */
static bool allows_stores(const struct dimension *dimension)
{
    return !dimension->walked || (dimension->writable && dimension->dirty);
}

static enum pages smaller(const struct dimension *guest,
                          const struct dimension *nested)
{
    if (guest->by_segment || nested->by_segment) {
        return PAGES_4K;
    }
    if (!guest->walked) {
        return nested->pages;
    }
    return nested->walked ? MIN(guest->pages, nested->pages) : guest->pages;
}

static void add_gpa(struct translation *t, uint64_t gpa,
                    const struct dimension *nested)
{
    struct gpa *added = &t->gpa[t->gpas++];

    *added = (struct gpa) {
        .gpa = gpa, .by_segment = nested->by_segment,
        .top = nested->top, .leaf = nested->leaf,
    };
    memcpy(added->entry, nested->entry, sizeof(added->entry));
}

/* All gPAs in the order in which the walk uses them. */
static void list_gpas(struct world *world, const struct dimension *guest,
                      const struct dimension *nested, struct translation *t)
{
    for (unsigned i = 0; guest->walked && i <= guest->top - guest->leaf; i++) {
        struct dimension of_entry;

        nested_alone(world, guest->entry[i], LOAD, &of_entry);
        add_gpa(t, guest->entry[i], &of_entry);
        t->entry[i] = of_entry.address;
    }
    add_gpa(t, guest->address, nested);
}

/* Both dimensions of a translation that does not fault. */
static void describe(struct world *world, uint64_t address, enum kind kind,
                     struct translation *t)
{
    const struct trace_state *state = &world->state;
    struct dimension guest = { .address = address }, nested = { 0 };

    if (guest_segment_translates(t->result.regime)) {
        guest.by_segment = true;
        guest.address = address + state->cr11;
    } else if (state->cr0 & CR0_PG) {
        guest_alone(world, address, kind, &guest);
    }
    if (state->nested) {
        nested_alone(world, guest.address, kind, &nested);
        list_gpas(world, &guest, &nested, t);
    } else {
        memcpy(t->entry, guest.entry, sizeof(t->entry));
    }
    t->top = guest.top;
    t->leaf = guest.leaf;
    t->by_segments_alone = t->result.regime == REF_NATIVE_DIRECT ||
                           t->result.regime == REF_DUAL_DIRECT;
    t->pages = smaller(&guest, &nested);
    t->mapping = guest.walked ? guest.pages : t->pages;
    t->global = guest.walked && guest.global && state->cr4 & CR4_PGE;
    t->store = kind == STORE ||
               (allows_stores(&guest) && allows_stores(&nested));
}

void world_translate(struct world *world, uint64_t address, enum kind kind,
                     struct translation *t)
{
    struct ref_state state = ref_state(world);
    struct ref_access access = ref_access(address, kind);
    struct ref_memory memory = { read_ram, world };

    *t = (struct translation) { .hpa = address };
    if (!world_uses_tlb(world)) {
        return;
    }
    ref_translate(&state, &access, &memory, &t->result);
    t->faults = t->result.fault != REF_NO_FAULT;
    t->hpa = t->result.hpa;
    if (!t->faults) {
        describe(world, address, kind, t);
    }
}

void world_set_bits(struct world *world, const struct translation *t)
{
    for (unsigned i = 0; i < t->result.updates; i++) {
        const struct ref_update *update = &t->result.update[i];
        uint64_t entry = read_ram(world, update->hpa) | update->bits;

        if (update->certain) {
            world_write(world, update->hpa, &entry, sizeof(entry));
        }
    }
}
