/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dseg-run: run a program with its heap in a primary region
 */
#define _GNU_SOURCE
#include "shared.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIBRARY "/usr/lib/dseg/libdseg-run.so"
#define ALLOCATOR "libjemalloc.so.2"
#define MIB (1 << 20)

/* Exit codes, those of env(1) and timeout(1); a program's own is handed on. */
enum { EXIT_USAGE = RUN_EXIT_NO_REGION, EXIT_NOT_RUN = 126, EXIT_NOT_FOUND,
       EXIT_SIGNAL = 128 };

static const char help[] =
"Usage: dseg-run [OPTION]... PROGRAM [ARGUMENT]...\n"
"\n"
"Runs a program with its heap in a primary region: contiguous memory that a\n"
"direct segment translates. What it maps for itself (private, anonymous,\n"
"readable and writable, at any address) goes there as long as there is room,\n"
"and its malloc() is jemalloc's, which lives on such maps. At the end a\n"
"report says what its page walks were.\n"
"\n"
"  --size SIZE      of the region, a multiple of 2M; M or G allowed (128M)\n"
"  --at-least SIZE  make do with less if there is no more, but not with less\n"
"                   than this\n"
"  --share PERCENT  of all bytes that the program maps so, the region gets no\n"
"                   more than these (100): a map that would exceed it goes\n"
"                   elsewhere\n"
"  --if-possible    run the program without a region if there is none\n"
"  --children       programs that PROGRAM runs have a region each, too\n"
"  --no-malloc      leave malloc() alone: only maps go to the region\n"
"  --report FILE    write the report as JSON; by default it is a table on\n"
"                   stderr\n"
"  --help           this text\n"
"\n"
"PROGRAM must be linked dynamically. The exit code is its own, 128 + N if\n"
"signal N killed it, 125 if there is no region, 126 or 127 if it can't be run.\n"
"\n"
"Example: dseg-run --size 256M redis-server --save ''\n";

static const char *const regimes[DSEG_REGIMES] = {
    "native", "native-direct", "base", "vmm-direct", "guest-direct",
    "dual-direct", "mixed",
};

struct options {
    uint64_t size, at_least;
    unsigned share;
    bool if_possible, children, no_malloc;
    const char *report;         /* or NULL */
};

static volatile sig_atomic_t child;     /* for the signals on their way to it */

static void say_list(const char *format, va_list arguments)
{
    char *text = NULL;

    if (vasprintf(&text, format, arguments) < 0) {
        text = NULL;
    }
    fputs("dseg-run: ", stderr);
    text_print(stderr, text ? text : format);
    fputc('\n', stderr);
    free(text);
}

__attribute__((format(printf, 1, 2)))
static void say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say_list(format, arguments);
    va_end(arguments);
}

__attribute__((format(printf, 2, 3)))
static _Noreturn void die(int code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say_list(format, arguments);
    va_end(arguments);
    exit(code);
}

/* --- The command line --- */

static uint64_t parse_size(const char *option, const char *text)
{
    static const char suffixes[] = "KMG";
    const char *suffix;
    char *end;
    uint64_t value;
    unsigned shift;

    errno = 0;
    value = strtoull(text, &end, 10);
    suffix = *end ? strchr(suffixes, *end) : NULL;
    shift = suffix ? 10 * (suffix - suffixes + 1) : 0;
    if (end == text || strchr(text, '-') || errno ||
        value > UINT64_MAX >> shift || end[suffix ? 1 : 0]) {
        die(EXIT_USAGE, "--%s: '%s' is no size (K, M and G are allowed)",
            option, text);
    }
    value <<= shift;
    if (!value || value % RUN_SIZE_UNIT) {
        die(EXIT_USAGE, "--%s: '%s' is no multiple of 2M, or 0", option, text);
    }
    return value;
}

static unsigned parse_share(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (end == text || *end || value > 100 || strchr(text, '-')) {
        die(EXIT_USAGE, "--share: '%s' is no number from 0 to 100", text);
    }
    return value;
}

/* Returns the index of PROGRAM in @argv. */
static int parse(struct options *o, int argc, char **argv)
{
    static const struct option table[] = {
        { "size", required_argument, NULL, 's' },
        { "at-least", required_argument, NULL, 'a' },
        { "share", required_argument, NULL, 'p' },
        { "if-possible", no_argument, NULL, 'i' },
        { "children", no_argument, NULL, 'c' },
        { "no-malloc", no_argument, NULL, 'm' },
        { "report", required_argument, NULL, 'r' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 }
    };
    int c;

    opterr = 0;
    while ((c = getopt_long(argc, argv, "+:", table, NULL)) != -1) {
        switch (c) {
        case 's':
            o->size = parse_size("size", optarg);
            break;
        case 'a':
            o->at_least = parse_size("at-least", optarg);
            break;
        case 'p':
            o->share = parse_share(optarg);
            break;
        case 'i':
            o->if_possible = true;
            break;
        case 'c':
            o->children = true;
            break;
        case 'm':
            o->no_malloc = true;
            break;
        case 'r':
            o->report = optarg;
            break;
        case 'h':
            fputs(help, stdout);
            exit(0);
        default:
            die(EXIT_USAGE, "%s '%s'; see dseg-run --help",
                c == ':' ? "no argument for option" : "unrecognized option",
                argv[optind - 1]);
        }
    }
    if (optind == argc) {
        die(EXIT_USAGE, "which program? See dseg-run --help");
    }
    if (!o->at_least) {
        o->at_least = o->size;
    }
    if (o->at_least > o->size) {
        die(EXIT_USAGE, "--at-least: must not be more than --size");
    }
    return optind;
}

/* --- Running it --- */

/* Files of ours must not become standard streams that we do not have; neither
   has the program, then. */
static void fill_standard_streams(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    close(fd);
}

/* Before the program runs: afterwards is too late to say that it can't be. */
static FILE *open_report(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC,
                  0666);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "a");

    if (!file) {
        die(EXIT_USAGE, "--report: %s: %s", name, strerror(errno));
    }
    return file;
}

/* The page that programs shall find; @fd is open for as long as we run. */
static struct run_page *make_page(int *fd)
{
    struct run_page *page;

    *fd = memfd_create("dseg-run", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0 || ftruncate(*fd, sizeof(*page)) ||
        fcntl(*fd, F_ADD_SEALS, RUN_SEALS)) {
        die(EXIT_USAGE, "no memory to share: %s", strerror(errno));
    }
    page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, *fd,
                0);
    if (page == MAP_FAILED) {
        die(EXIT_USAGE, "no memory to share: %s", strerror(errno));
    }
    return page;
}

/* Without a device the program runs as it would by itself. */
static bool open_device(struct run_page *page, const struct options *o)
{
    struct stat status;

    page->device = open(DSEG_GUEST_DEVICE, O_RDWR);
    if (page->device >= 0 && !fstat(page->device, &status)) {
        page->device_id = status.st_rdev;
        return true;
    }
    if (!o->if_possible) {
        die(RUN_EXIT_NO_REGION, "%s: %s; is the module dseg-guest loaded? "
            "(--if-possible runs the program all the same)",
            DSEG_GUEST_DEVICE, strerror(errno));
    }
    say("%s: %s: no region", DSEG_GUEST_DEVICE, strerror(errno));
    return false;
}

static void set_environment(struct run_page *page, int fd, bool with_malloc)
{
    const char *before = getenv("LD_PRELOAD");
    char *preload, name[64];
    struct stat status;

    if (fstat(fd, &status)) {
        die(EXIT_USAGE, "no memory to share: %s", strerror(errno));
    }
    snprintf(page->preloaded, sizeof(page->preloaded), "%s%s", LIBRARY,
             with_malloc ? ":" ALLOCATOR : "");
    /* The user's own come first, and find ours as what they take the place of. */
    if (asprintf(&preload, "%s%s%s", before ? before : "", before ? ":" : "",
                 page->preloaded) < 0) {
        die(EXIT_USAGE, "no memory");
    }
    /* Not inherited: many a program closes all files before it runs another. */
    snprintf(name, sizeof(name), "/proc/%d/fd/%d:%ju", (int)getpid(), fd,
             (uintmax_t)status.st_ino);
    setenv("LD_PRELOAD", preload, 1);
    setenv(RUN_ENVIRONMENT, name, 1);
    free(preload);
}

static const int passed_on[] = { SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };
#define NR_PASSED_ON (sizeof(passed_on) / sizeof(passed_on[0]))

static void pass_on(int signal_number)
{
    if (child) {
        kill(child, signal_number);
    }
}

/* Whatever we have inherited. Who presses Ctrl-C means the program, which has
   the signal, too. */
static void watch_signals(void)
{
    struct sigaction action = { .sa_handler = pass_on, .sa_flags = SA_RESTART };
    sigset_t unblocked;

    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    sigemptyset(&unblocked);
    for (size_t i = 0; i < NR_PASSED_ON; i++) {
        sigaction(passed_on[i], &action, NULL);
        sigaddset(&unblocked, passed_on[i]);
    }
    sigprocmask(SIG_UNBLOCK, &unblocked, NULL);
}

/* Becomes @command, or tells @failure why not. */
static _Noreturn void become(char **command, struct run_page *page, int failure)
{
    int error;

    page->first = getpid();
    execvp(command[0], command);
    error = errno;
    if (write(failure, &error, sizeof(error)) != sizeof(error)) {
        _exit(EXIT_NOT_RUN);
    }
    _exit(0);
}

/* Starts the program, with signals as we have found them. */
static void start(char **command, struct run_page *page)
{
    struct sigaction by_default = { .sa_handler = SIG_DFL }, of_children;
    sigset_t all, before;
    int failure[2], error = 0;

    if (pipe2(failure, O_CLOEXEC)) {
        die(EXIT_NOT_RUN, "pipe: %s", strerror(errno));
    }
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    /* Who ignores it has no children to wait for. */
    sigaction(SIGCHLD, &by_default, &of_children);
    child = fork();
    if (child < 0) {
        die(EXIT_NOT_RUN, "fork: %s", strerror(errno));
    }
    if (child == 0) {
        sigaction(SIGCHLD, &of_children, NULL);
        sigprocmask(SIG_SETMASK, &before, NULL);
        become(command, page, failure[1]);
    }
    watch_signals();
    close(failure[1]);
    if (read(failure[0], &error, sizeof(error)) == sizeof(error)) {
        die(error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUN, "%s: %s",
            command[0], strerror(error));
    }
    close(failure[0]);
}

/* Returns what waitpid() says of it. */
static int run(char **command, struct run_page *page)
{
    siginfo_t info;
    pid_t ended;
    int status;

    start(command, page);
    ended = child;
    while (waitid(P_PID, ended, &info, WEXITED | WNOWAIT) < 0) {
        if (errno != EINTR) {
            die(EXIT_NOT_RUN, "waitid: %s", strerror(errno));
        }
    }
    /* Another process may have its number next: no signal goes there. */
    child = 0;
    if (waitpid(ended, &status, 0) < 0) {
        die(EXIT_NOT_RUN, "waitpid: %s", strerror(errno));
    }
    return status;
}

static int exit_code(int status)
{
    return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status)
                               : WEXITSTATUS(status);
}

/* --- The report --- */

static uint64_t walks_of(const struct run_program *p)
{
    uint64_t sum = 0;

    for (int i = 0; i < DSEG_REGIMES; i++) {
        sum += p->walks.walks[i];
    }
    return sum;
}

static uint64_t direct_walks_of(const struct run_program *p)
{
    const __u64 *walks = p->walks.walks;

    return walks[DSEG_REGIME_NATIVE_DIRECT] + walks[DSEG_REGIME_GUEST_DIRECT] +
           walks[DSEG_REGIME_DUAL_DIRECT];
}

static double ratio(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / whole : 0;
}

static void print_program(const struct run_program *p)
{
    const struct dseg_guest_walks *w = &p->walks;
    uint64_t all = walks_of(p);

    say("%s (PID %d): primary region of %.1f MiB at 0x%" PRIx64
        ", at most %.1f MiB in use", p->name, (int)p->pid,
        (double)p->size / MIB, p->address, (double)p->most_in_use / MIB);
    say("of %.1f MiB mapped, %.1f MiB went there", (double)p->asked / MIB,
        (double)p->given / MIB);
    if (!p->has_walks) {
        say("what its page walks were is not known");
        return;
    }
    for (int i = 0; i < DSEG_REGIMES; i++) {
        if (w->walks[i]) {
            say("%-14s %12" PRIu64 " walks %6.2f %%", regimes[i],
                (uint64_t)w->walks[i], 100 * ratio(w->walks[i], all));
        }
    }
    say("%-14s %12" PRIu64 " walks, %.3f references and %.3f checks each",
        "all", all, ratio(w->guest_refs + w->nested_refs, all),
        ratio(w->checks, all));
}

static void write_program(FILE *file, const struct run_program *p)
{
    const struct dseg_guest_walks *w = &p->walks;

    fprintf(file, "  {\"pid\": %d, \"name\": \"", (int)p->pid);
    text_print_json(file, p->name);
    fprintf(file, "\", \"error\": %d, \"address\": %" PRIu64
            ", \"size\": %" PRIu64 ", \"most_in_use\": %" PRIu64
            ",\n   \"asked\": %" PRIu64 ", \"given\": %" PRIu64
            ", \"bound_deep\": %u, \"walks\": ", p->error, p->address, p->size,
            p->most_in_use, p->asked, p->given, p->bound_deep);
    if (!p->has_walks) {
        fprintf(file, "null}");
        return;
    }
    for (int i = 0; i < DSEG_REGIMES; i++) {
        fprintf(file, "%s\"%s\": %" PRIu64, i ? ", " : "{", regimes[i],
                (uint64_t)w->walks[i]);
    }
    fprintf(file, "},\n   \"guest_refs\": %" PRIu64
            ", \"nested_refs\": %" PRIu64
            ", \"checks\": %" PRIu64 ", \"direct_share\": %.6f, "
            "\"refs_per_walk\": %.6f}", (uint64_t)w->guest_refs,
            (uint64_t)w->nested_refs, (uint64_t)w->checks,
            ratio(direct_walks_of(p), walks_of(p)),
            ratio(w->guest_refs + w->nested_refs, walks_of(p)));
}

static void write_report(FILE *file, const char *name,
                         const struct run_page *page, unsigned programs,
                         int status)
{
    fprintf(file, "{\"schema\": 1, \"exit_code\": %d, \"programs\": [",
            exit_code(status));
    for (unsigned i = 0; i < programs; i++) {
        fprintf(file, "%s\n", i ? "," : "");
        write_program(file, &page->program[i]);
    }
    fprintf(file, "\n]}\n");
    if (ferror(file) | fclose(file)) {
        die(EXIT_USAGE, "--report: %s: could not be written", name);
    }
}

/* Says why a program has no region. */
static void print_error(const struct run_program *p, const struct options *o)
{
    const char *why = strerror(p->error);

    if (p->may_not_map) {
        why = "the program may not map that much (ulimit -v, ulimit -d)";
    } else if (p->error == ENOMEM) {
        why = "no contiguous memory could be had; ask for less by --size or "
              "--at-least";
    } else if (p->error == EPERM) {
        why = "more than may be locked (ulimit -l)";
    }
    say("%s: no primary region of %.1f MiB: %s", p->name,
        (double)o->at_least / MIB, why);
}

static void print_bound_deep(const struct run_program *p)
{
    say("%s has loaded %u libraries without the RTLD_DEEPBIND that it asked "
        "for; --no-malloc leaves it that", p->name, p->bound_deep);
}

/* Returns how many programs have said something of themselves. */
static unsigned programs_of(const struct run_page *page)
{
    unsigned programs = page->children ? page->programs : !!page->programs;

    if (page->device < 0) {
        return 0;
    }
    if (programs > RUN_PROGRAMS) {
        say("%u programs more had no region", programs - RUN_PROGRAMS);
        programs = RUN_PROGRAMS;
    }
    if (!programs) {
        say("no program had a region: is it linked statically, or is " LIBRARY
            " missing?");
    }
    return programs;
}

static void report(struct run_page *page, const struct options *o, FILE *file,
                   int status)
{
    struct run_program *first = &page->program[0];
    unsigned programs = programs_of(page);

    /* Unless it has asked for them itself. */
    first->has_walks |= first->size && !ioctl(page->device, DSEG_GUEST_WALKS,
                                              &first->walks);
    for (unsigned i = 0; i < programs; i++) {
        const struct run_program *p = &page->program[i];

        if (!p->size) {
            print_error(p, o);
        } else if (!file) {
            print_program(p);
        }
        if (p->bound_deep) {
            print_bound_deep(p);
        }
    }
    if (file) {
        write_report(file, o->report, page, programs, status);
    }
}

int main(int argc, char **argv)
{
    struct options o = { .size = 128 * MIB, .share = 100 };
    int fd, status, program = parse(&o, argc, argv);
    struct run_page *page;
    FILE *file;

    fill_standard_streams();
    file = o.report ? open_report(o.report) : NULL;
    page = make_page(&fd);
    page->size = o.size;
    page->at_least = o.at_least;
    page->share = o.share;
    page->if_possible = o.if_possible;
    page->children = o.children;
    page->with_malloc = !o.no_malloc;
    if (open_device(page, &o)) {
        set_environment(page, fd, !o.no_malloc);
    }
    status = run(argv + program, page);
    report(page, &o, file, status);
    return exit_code(status);
}
