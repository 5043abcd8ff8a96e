/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line, and sequences of calls */
#define _GNU_SOURCE
#include "memcalls.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The last of each so many sequences is not gentle: after it there may be no region any longer. */
#define ROUND 4

static const char usage[] =
    "Usage: memcalls [OPTION]...\n\n"
    "Makes random calls that concern memory, and prints what a program sees of them, without\n"
    "addresses: the same for the same seed, on any system that does what it should.\n\n"
    "  --seed N        of the random numbers (2014)\n"
    "  --first N       the first sequence (0)\n"
    "  --sequences N   how many (100)\n"
    "  --calls N       of each sequence (24)\n"
    "  --skip N,N,...  leave these calls out\n"
    "  --only KIND     of sequences: maps, malloc or at-once\n"
    "  --disk FILE     a disk that may be written to, past the page cache\n"
    "  --region BYTES  there must be a primary region of that size\n"
    "  --patience N    seconds that a sequence may take (60)\n\n"
    "Example: memcalls --seed 1 --sequences 10\n";

struct settings settings = { .seed = 2014, .sequences = 100, .calls = 24, .patience = 60 };

bool gentle, first_rough;
static unsigned long sequence;
static unsigned number;

static const struct call *const calls_of[TOPICS] = { map_calls, data_calls, flight_calls,
                                                     kernel_calls, process_calls, malloc_calls };

unsigned call_number(void)
{
    return number;
}

static unsigned weight(const struct call *call)
{
    return first_rough ? call->weight > call->gentle_weight :
           gentle ? call->gentle_weight : call->weight;
}

void run_call(enum topic topic, struct random *random)
{
    const struct call *call = calls_of[topic];
    unsigned sum = 0, chosen;

    for (; call->name; call++) {
        sum += weight(call);
    }
    chosen = random_below(random, sum);
    for (call = calls_of[topic]; chosen >= weight(call); call++) {
        chosen -= weight(call);
    }
    say(" %s", call->name);
    call->run(random);
}

static bool is_skipped(unsigned call)
{
    char wanted[16];
    const char *found;

    if (!settings.skip) {
        return false;
    }
    snprintf(wanted, sizeof(wanted), "%u,", call);
    for (found = settings.skip; (found = strstr(found, wanted)); found++) {
        if (found == settings.skip || found[-1] == ',') {
            return true;
        }
    }
    return false;
}

/* Its random numbers do not depend on what other calls have used. */
static struct random random_of_call(unsigned call)
{
    struct random random = { settings.seed * UINT64_C(1000003) + sequence * UINT64_C(10007) +
                             call };

    random.state = random_u64(&random);
    return random;
}

static void begin_areas(struct random *random)
{
    static const int kinds[][2] = {
        { PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS },
        { PROT_READ | PROT_WRITE, MAP_SHARED },
        { PROT_READ | PROT_WRITE, MAP_PRIVATE },
        { PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE },
        { PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS },
    };
    const int *kind = random_of(random, kinds);
    char *got = map_apart(32 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    say(" region");
    add_area(got, 32, MAPPED | HOLE_IN_REGION);
    if (!gentle && random_once_in(random, 3)) {
        add_edge(random);
    }
    say(" prot %d flags %x", kind[0], kind[1]);
    got = map_apart(24 * PAGE, kind[0], kind[1], kind[1] & MAP_ANONYMOUS ? -1 : file_fd, 0);
    add_area(got, 24, MAPPED);
}

static const enum topic rough_topics[] = { MAPS, MAPS, KERNEL, KERNEL, KERNEL, FLIGHT, PROCESS };

static enum topic pick_topic(struct random *random)
{
    unsigned n = random_below(random, 20);

    return n < 11 ? MAPS : n < 13 ? DATA : n < 16 ? FLIGHT : n < 19 ? KERNEL : PROCESS;
}

/* Calls in areas, or of malloc(): areas may have holes, which malloc() would use. */
static void run_calls(bool of_malloc, bool interrupted)
{
    struct random random = random_of_call(number);
    /* What is rough first should meet a region in use. */
    unsigned rough_from = gentle ? settings.calls + 1 : 1 + random_below(&random, 8);

    if (!of_malloc) {
        begin_data_sequence();
        begin_areas(&random);
    }
    end_line();
    if (interrupted) {
        start_interrupting();
    }
    for (number = 1; number <= settings.calls; number++) {
        enum topic topic;

        gentle = number < rough_from;
        random = random_of_call(number);
        first_rough = number == rough_from && !of_malloc;
        topic = of_malloc ? MALLOC : !first_rough ? pick_topic(&random) :
                random_of(&random, rough_topics);
        if (!is_skipped(number)) {
            say("%lu.%u", sequence, number);
            run_somewhere(topic, &random);
            end_line();
        }
    }
    say("%lu end", sequence);
    if (interrupted) {
        stop_interrupting();
    }
    say_all_contents();
    if (of_malloc) {
        end_malloc_sequence();
    } else {
        end_kernel_sequence();
        end_flight_sequence();
        drop_all_areas();
        end_data_sequence();
    }
    end_line();
}

static void run_sequence(void)
{
    struct random random = random_of_call(number = 0);
    unsigned kind = random_below(&random, 10);
    bool interrupted = random_once_in(&random, 4);

    if (settings.only) {
        kind = !strcmp(settings.only, "at-once") ? 0 : !strcmp(settings.only, "malloc") ? 1 : 5;
    }
    gentle = sequence % ROUND < ROUND - 1;
    alarm(settings.patience);
    say("%lu begin%s%s", sequence, gentle ? " gentle" : "", interrupted ? " interrupted" : "");
    switch (kind) {
    case 0:
        say(" at once");
        run_at_once(&random);
        end_line();
        break;
    case 1:
    case 2:
        say(" malloc");
        run_calls(true, interrupted);
        break;
    default:
        say(" maps");
        run_calls(false, interrupted);
    }
    tell_of_region();
    alarm(0);
}

/* Nothing of us goes on, whoever waits for whom. */
static void on_alarm(int signal)
{
    static const char text[] = "\nHANGS\n";

    (void)signal;
    if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0) {
        /* There is nobody to tell. */
    }
    kill(0, SIGKILL);
}

static unsigned long parse(const char *text, const char *name)
{
    char *end;
    unsigned long value = strtoul(text, &end, 0);

    if (!*text || *end) {
        fprintf(stderr, "memcalls: --%s: '%s' is no number; see memcalls --help\n", name, text);
        exit(2);
    }
    return value;
}

static void read_options(int argc, char **argv)
{
    static const struct option options[] = {
        { "seed", required_argument, NULL, 's' }, { "first", required_argument, NULL, 'f' },
        { "sequences", required_argument, NULL, 'n' }, { "calls", required_argument, NULL, 'c' },
        { "skip", required_argument, NULL, 'x' }, { "only", required_argument, NULL, 'o' },
        { "disk", required_argument, NULL, 'd' }, { "region", required_argument, NULL, 'r' },
        { "patience", required_argument, NULL, 'p' }, { "help", no_argument, NULL, 'h' }, { 0 },
    };
    int option, index;

    while ((option = getopt_long(argc, argv, "h", options, &index)) >= 0) {
        switch (option) {
        case 's': settings.seed = parse(optarg, "seed"); break;
        case 'f': settings.first = parse(optarg, "first"); break;
        case 'n': settings.sequences = parse(optarg, "sequences"); break;
        case 'c': settings.calls = parse(optarg, "calls"); break;
        case 'x': settings.skip = optarg; break;
        case 'o': settings.only = optarg; break;
        case 'd': settings.disk = optarg; break;
        case 'r': settings.region = parse(optarg, "region"); break;
        case 'p': settings.patience = parse(optarg, "patience"); break;
        case 'h': fputs(usage, stdout); exit(0);
        default: fputs(usage, stderr); exit(2);
        }
    }
    if (optind < argc) {
        fputs(usage, stderr);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct sigaction action = { .sa_handler = on_alarm };

    read_options(argc, argv);
    setpgid(0, 0);              /* for on_alarm() */
    prctl(PR_SET_DUMPABLE, 1);
    sigaction(SIGALRM, &action, NULL);
    find_region();
    install_fault_handler();
    prepare_files();
    prepare_flight();
    prepare_contexts();
    for (sequence = settings.first; sequence < settings.first + settings.sequences; sequence++) {
        run_sequence();
    }
    return 0;
}
