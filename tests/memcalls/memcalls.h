/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random calls that concern memory, and all that a program sees of them
 *
 * What the calls do is chosen by the seed alone, and what is printed has no
 * address in it, so that two runs of one seed print the same unless the system
 * below them behaves differently: scripts/compare-run holds a run under
 * dseg-run against one without it.
 *
 * Memory is in areas: ranges of pages that belong to us alone.  Every call has
 * its arguments in one area, or is refused whatever is at its address, so that
 * what is beside an area does not matter.
 */
#ifndef MEMCALLS_H
#define MEMCALLS_H

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE 4096u
#define AREAS 12
#define AREA_PAGES 64
#define MOST_HOLES (AREAS * AREA_PAGES)
#define FILE_PAGES 64           /* of the file that is mapped */

/* Random numbers (splitmix64). */
struct random {
    uint64_t state;
};

uint64_t random_u64(struct random *random);
/* From 0 to n - 1. */
unsigned random_below(struct random *random, unsigned n);
/* True once in n times. */
bool random_once_in(struct random *random, unsigned n);
#define random_of(random, array) \
    ((array)[random_below(random, sizeof(array) / sizeof(*(array)))])

/* Settings of the command line. */
struct settings {
    unsigned long seed;
    unsigned long first, sequences;
    unsigned calls;             /* of a sequence */
    const char *skip;           /* numbers of calls to leave out, comma after each */
    const char *disk;           /* to be written to past the page cache, or NULL */
    const char *only;           /* a kind of sequence, or NULL */
    unsigned patience;          /* seconds for a sequence */
    size_t region;              /* bytes of the primary region that there should be, or 0 */
};

extern struct settings settings;

/*
 * This sequence only asks for what a primary region can do without the kernel
 * changing page tables.
 */
extern bool gentle;
/* This call is the first that is not: in the region, and any may be it. */
extern bool first_rough;

/* Where the primary region is, if there is one: what is mapped first is in it. */
extern char *region_start, *region_end;
void find_region(void);
/* An area that is half in the region: the last pages of it and those behind, or the first. */
void add_edge(struct random *random);
/* Tells the driver, on standard error, whether memory still comes from the region. */
void tell_of_region(void);

/* The trace. A line is begun by its call, then has words, then is ended. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void end_line(void);
/* " -> ok" or the error, and whether errno has changed without one. */
void say_result(bool ok);
void say_hash(uint64_t hash);
/* Something that no system may do. */
void say_broken(const char *what);
/* A file of /proc as a string. Returns its length, or 0. */
size_t read_text(const char *name, char *text, size_t size);

#define ERRNO_BEFORE 1234       /* no error has this number */

/* What is known of a page of an area. */
enum {
    MAPPED = 1,
    VAGUE = 2,                  /* its content may be the one or the other */
    UNKNOWN = 4,                /* whether it is mapped isn't known */
    HOLE_IN_REGION = 8,         /* if unmapped: an access may find memory */
    HINTED = 16,                /* the kernel may have split its map there */
    SEALED = 32,                /* by mseal(): it can't be unmapped */
};

struct area {
    char *base;                 /* NULL: no area */
    unsigned pages;
    unsigned char state[AREA_PAGES];
};

extern struct area areas[AREAS];

/* A range in an area; the address and the length may be askew. */
struct range {
    struct area *area;
    unsigned page, pages;
    char *address;
    size_t length;
    bool askew;                 /* it is not just these pages */
};

/* Returns whether there is any area. Says the range. */
bool pick_range(struct random *random, struct range *range);
/* Address and length are multiples of pages. */
bool pick_plain_range(struct random *random, struct range *range);
struct area *pick_area(struct random *random);
void say_range(const struct range *range);
struct area *add_area(char *base, unsigned pages, unsigned char state);
void set_state(struct area *area, unsigned page, unsigned pages, unsigned char set,
               unsigned char clear);
bool all_in_state(const struct area *area, unsigned page, unsigned pages, unsigned char bits);
bool any_in_state(const struct range *range, unsigned char bits);
/* All pages mapped, with contents that are known. */
bool is_definite(const struct range *range);
/* No access to it is known to be undefined. */
bool is_accessible(const struct range *range);
/* An area that overlaps so much of the address space, or NULL. */
struct area *area_at(const char *address, size_t length);
void drop_empty(struct area *area);
void drop_all_areas(void);
/* What can't be found any more is not ours: a child has no memory with MADV_DONTFORK. */
void forget_missing(void);
/* As mmap() without MAP_FIXED, but never in a hole of an area. */
char *map_apart(size_t length, int protection, int flags, int fd, off_t offset);

/* Accesses that may fault: say how they did. */
void say_content(struct area *area, unsigned page, unsigned pages);
void fill_content(struct area *area, unsigned page, unsigned pages, unsigned seed);
void say_all_contents(void);
/* Returns 0, or the signal that the access got. */
int try_read(const volatile char *address, unsigned char *value);
int try_write(volatile char *address, unsigned char value);
uint64_t hash_of(const void *data, size_t length, uint64_t hash);
void install_fault_handler(void);

/* The calls. */
typedef void call_function(struct random *random);

struct call {
    const char *name;
    unsigned weight, gentle_weight;
    call_function *run;
};

enum topic { MAPS, DATA, FLIGHT, KERNEL, PROCESS, MALLOC, TOPICS };

extern const struct call map_calls[], data_calls[], flight_calls[], kernel_calls[],
    process_calls[], malloc_calls[];

/* The number of the call, unique in its sequence. */
unsigned call_number(void);
/* Run the next call of a topic here, whatever the context is. */
void run_call(enum topic topic, struct random *random);
/* Run one in a context: here, in a signal handler, a thread, a child. */
void run_somewhere(enum topic topic, struct random *random);
void prepare_contexts(void);
/* Threads at the same time, and children that are forked meanwhile. */
void run_at_once(struct random *random);
/* From now on a handler maps and unmaps from time to time. */
void start_interrupting(void);
/* Not in between. */
void hold_interrupts(sigset_t *before);
void release_interrupts(const sigset_t *before);
/* Says whether it found anything wrong. */
void stop_interrupting(void);

extern int file_fd, read_only_fd, zero_fd, data_fd, disk_fd, pipe_fds[2], sockets[2];
void prepare_files(void);
void prepare_flight(void);
/* What the kernel gets and gives that is not in an area. */
#define DATA_BUFFER (AREA_PAGES * PAGE)
extern char data_buffer[DATA_BUFFER];
void make_pattern(uint64_t seed);
/* Returns a hash of all that is in a pipe or socket. */
uint64_t drain(int fd);
/* The result of a call that returns a number of bytes. */
void say_count(ssize_t n);
void begin_data_sequence(void);
void end_data_sequence(void);
void end_flight_sequence(void);
void end_malloc_sequence(void);
void end_kernel_sequence(void);

#endif
