/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several streams in turn, each of which goes through pages in ascending order:
 * byte by byte or in strides, by loads or stores, from a page's first byte or
 * from another. In the host, with MOV to CR3 and INVLPG now and then; and in a
 * guest.
 */
#include "lib/tap.h"
#include "guest.h"

#define STREAMS 12
#define TURN 3000               /* accesses, until other streams take turns */
#define TURNS 24
#define GUEST_TURNS 12
#define PAGES 300
#define LARGE_PAGES 3
#define PARTS 6
#define LARGE (DATA + GiB)

struct stream {
    uint64_t at;
    unsigned step;
    unsigned patience;      /* one of so many pages is the last */
    bool stores, twice;
};

static struct machine machine;
static struct stream streams[STREAMS];
static uint64_t state = 53, done;

/*
 * Some page, and a way through it. The parts of large pages are so few that they are
 * used again while L1 has the entry.
 */
static struct stream somewhere(void)
{
    static const unsigned from[] = { 0, 0, 0, 8, 64, 4095 };
    static const unsigned steps[] = { 1, 4, 8, 16, 64, 96 };
    static const unsigned patience[] = { 3, 3, 20 };
    uint64_t page = random_below(&state, 4)
        ? DATA + random_below(&state, PAGES - 1) * PAGE
        : LARGE + random_below(&state, LARGE_PAGES) * MiB2 +
          random_below(&state, PARTS) * PAGE;

    return (struct stream) {
        .at = page + from[random_below(&state, ARRAY_SIZE(from))],
        .step = steps[random_below(&state, ARRAY_SIZE(steps))],
        .patience = patience[random_below(&state, ARRAY_SIZE(patience))],
        .stores = random_below(&state, 2), .twice = random_below(&state, 2),
    };
}

static void access(const struct stream *stream)
{
    if (stream->stores) {
        store(stream->at, state);
    } else {
        load(stream->at);
    }
}

/* In the last page of its kind, whose last bytes would be on two pages. */
static bool is_at_the_end(const struct stream *stream)
{
    uint64_t end = stream->at < LARGE ? DATA + PAGES * PAGE
                                      : LARGE + LARGE_PAGES * MiB2;

    return stream->at >= end - PAGE;
}

/* A stream ends with some page, and another one begins. */
static void go_on(struct stream *stream)
{
    bool next_page;

    access(stream);
    if (stream->twice) {
        access(stream);
    }
    stream->at += stream->step;
    next_page = stream->at % PAGE < stream->step;
    if (is_at_the_end(stream) ||
        (next_page && random_below(&state, stream->patience) == 0)) {
        *stream = somewhere();
    }
    done++;
}

/* So many of the streams take turns, as there are watches or more or fewer. */
static void turns(uint64_t n)
{
    static const unsigned active[] = { 1, 3, 7, 8, 9, STREAMS };

    for (uint64_t turn = 0; turn < n; turn++) {
        for (unsigned i = 0; i < STREAMS; i++) {
            streams[i] = somewhere();
        }
        for (unsigned i = 0; i < TURN; i++) {
            go_on(&streams[i % active[turn % ARRAY_SIZE(active)]]);
            if (random_below(&state, 1000) == 0) {
                write_cr3(read_cr3());
            } else if (random_below(&state, 1000) == 0) {
                invlpg(streams[0].at);
            }
        }
    }
}

/*
 * Of a large page, which L1 has whole, the part behind one that is swept may have
 * been used before its turn.
 */
static void use_before_its_turn(void)
{
    for (uint64_t at = LARGE; at < LARGE + PARTS * PAGE; at += PAGE) {
        invlpg(at);
        load(at);
        load(at + PAGE + 8);
        load(at + 64);
        load(at + PAGE);
    }
}

static void map_data(struct tables *tables)
{
    space_map(tables, DATA, PAGES, 1, LEAF);
    space_map(tables, LARGE, LARGE_PAGES, 2, LEAF);
}

void tests(void)
{
    struct tables tables;

    case_begin("sweeps of pages");
    space_init(&tables, 0);
    machine_init(&machine, 1, 1, 2);
    map_data(&tables);
    map_data(&machine.tables);
    space_enter(&tables);
    REGION_BEGIN();
    use_before_its_turn();
    turns(TURNS);
    machine_call(&machine, turns, GUEST_TURNS);
    REGION_END();
    expect("steps of streams", (TURNS + GUEST_TURNS) * TURN, done);
    case_end();
}
