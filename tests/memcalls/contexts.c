/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where calls are made from: signal handlers, threads, children */
#define _GNU_SOURCE
#include "memcalls.h"

#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STACK (256 * 1024)
#define THREADS 3

/* A call that is made elsewhere. */
static enum topic its_topic;
static struct random *its_random;

/* Static: a stack that is mapped could come to lie where an area has a hole. */
static char stacks[THREADS + 2][STACK] __attribute__((aligned(PAGE)));

static pid_t helpers_process;
static sem_t wanted, done;

static void *help(void *nothing)
{
    (void)nothing;
    for (;;) {
        while (sem_wait(&wanted)) {
        }
        run_call(its_topic, its_random);
        sem_post(&done);
    }
    return NULL;
}

static pthread_t start_thread(unsigned stack, void *(*function)(void *), void *argument)
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stacks[stack], STACK);
    if (pthread_create(&thread, &attributes, function, argument)) {
        say_broken("no thread");
        end_line();
        _exit(96);
    }
    pthread_attr_destroy(&attributes);
    return thread;
}

static void on_wanted(int signal)
{
    (void)signal;
    run_call(its_topic, its_random);
}

/*
 * Interruptions
 */
static timer_t timer;
static volatile unsigned wrong;

/* Only what may be called in a handler. */
static void interrupt(int signal)
{
    static unsigned n;
    size_t length = (1 + n % 7) * PAGE;
    int saved = errno;
    char *got;

    (void)signal;
    n++;
    got = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (got == MAP_FAILED) {
        wrong++;
        return;
    }
    for (size_t i = 0; i < length; i += 64) {
        wrong += got[i] != 0;
        got[i] = n | 1;
    }
    if (n % 2) {
        /* It is refused for what mlockall() has locked. */
        wrong += madvise(got, PAGE, MADV_DONTNEED) == 0 ? got[64] != 0 : errno != EINVAL;
    }
    if (n % 3 == 0) {
        got = mremap(got, length, 2 * length, MREMAP_MAYMOVE);
        length *= 2;
        if (got == MAP_FAILED) {
            wrong++;
            return;
        }
        wrong += got[length - 64] != 0;
    }
    wrong += munmap(got, length) != 0;
    errno = saved;
}

static void set_timer(long nanoseconds)
{
    struct itimerspec often = { { 0, nanoseconds }, { 0, nanoseconds } };

    timer_settime(timer, 0, &often, NULL);
}

void start_interrupting(void)
{
    wrong = 0;
    set_timer(1500000);
}

void hold_interrupts(sigset_t *before)
{
    sigset_t mask;

    sigemptyset(&mask);
    sigaddset(&mask, SIGRTMIN);
    pthread_sigmask(SIG_BLOCK, &mask, before);
}

void release_interrupts(const sigset_t *before)
{
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

void stop_interrupting(void)
{
    set_timer(0);
    if (wrong) {
        say_broken("a handler that maps and unmaps finds something wrong");
    }
}

void prepare_contexts(void)
{
    struct sigaction action = { .sa_handler = on_wanted, .sa_flags = SA_RESTART };
    struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN };
    sigset_t mask, old;

    sigaction(SIGUSR1, &action, NULL);
    action.sa_handler = interrupt;
    sigaction(SIGRTMIN, &action, NULL);
    event._sigev_un._tid = gettid();
    if (timer_create(CLOCK_MONOTONIC, &event, &timer)) {
        say_broken("no timer");
    }
    sem_init(&wanted, 0, 0);
    sem_init(&done, 0, 0);
    sigfillset(&mask);
    sigdelset(&mask, SIGSEGV);
    sigdelset(&mask, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &mask, &old);
    start_thread(0, help, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    helpers_process = getpid();
}

/*
 * Children
 */
static void say_end(pid_t child)
{
    int status = 0;
    pid_t got;

    do {
        got = waitpid(child, &status, __WALL);
    } while (got < 0 && errno == EINTR);
    if (got != child) {
        say_broken("waitpid");
    } else if (WIFSIGNALED(status)) {
        say(" killed by %d", WTERMSIG(status));
    } else {
        say(" exit %d", WEXITSTATUS(status));
    }
}

/* In a child: some calls, then a look at everything. */
static int be_child(void *unused)
{
    unsigned calls = 1 + random_below(its_random, 4);

    (void)unused;
    forget_missing();
    for (unsigned i = 0; i < calls; i++) {
        say("  child");
        run_call(its_topic, its_random);
        end_line();
    }
    say("  child sees");
    say_all_contents();
    end_line();
    return 7;
}

static long clone3_fork(void)
{
    struct clone_args arguments = { .exit_signal = SIGCHLD };

    return syscall(SYS_clone3, &arguments, sizeof(arguments));
}

/* In a child of a kind of fork, or of one that shares our memory. */
static void run_in_child(enum topic topic, struct random *random)
{
    unsigned kind = random_below(random, 7);
    pid_t child = -1;

    its_topic = topic;
    its_random = random;
    if (topic == MALLOC) {
        kind = 0;
    }
    say(" in child %u", kind);
    end_line();
    switch (kind) {
    case 0:
    case 1:
        child = fork();
        break;
    case 2:
        child = _Fork();
        break;
    case 3:
        child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        break;
    case 4:
        child = clone3_fork();
        break;
    case 5:
        child = clone(be_child, stacks[1] + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
        break;
    default:
        child = vfork();
        if (child == 0) {
            _exit(8);
        }
    }
    if (child == 0) {
        _exit(be_child(NULL));
    }
    say("  parent");
    say_end(child);
    say_all_contents();
}

/* No handler maps meanwhile what that thread would find in a hole. */
static void run_in_thread(void)
{
    sigset_t before;

    hold_interrupts(&before);
    sem_post(&wanted);
    while (sem_wait(&done)) {
    }
    release_interrupts(&before);
}

void run_somewhere(enum topic topic, struct random *random)
{
    unsigned where = random_below(random, 40);

    its_topic = topic;
    its_random = random;
    if (where < 2) {
        run_in_child(topic, random);
    } else if (where < 5 && helpers_process == getpid()) {
        say(" in thread");
        run_in_thread();
    } else if (where < 8) {
        say(" in handler");
        raise(SIGUSR1);
    } else {
        run_call(topic, random);
    }
}

/*
 * Threads at the same time.  Each has memory of its own, and looks at it again
 * and again; nothing but errors may be seen.
 */
struct worker {
    pthread_t thread;
    struct random random;
    unsigned errors;
};

static void fill_words(char *memory, size_t length, uint64_t seed)
{
    for (size_t i = 0; i < length; i += 64) {
        uint64_t word = seed + i;

        memcpy(memory + i, &word, 8);
    }
}

static unsigned differing_words(const char *memory, size_t length, uint64_t seed)
{
    unsigned n = 0;

    for (size_t i = 0; i < length; i += 64) {
        uint64_t word;

        memcpy(&word, memory + i, 8);
        n += word != (seed ? seed + i : 0);
    }
    return n;
}

/* Map, fill, move, discard, unmap. Returns how much of that was wrong. */
static unsigned work_once(struct random *random)
{
    size_t length = (1 + random_below(random, 16)) * (size_t)PAGE;
    size_t longer = (1 + random_below(random, 24)) * (size_t)PAGE;
    uint64_t seed = random_u64(random) | 1;
    char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned n;

    if (memory == MAP_FAILED) {
        return 1;
    }
    n = differing_words(memory, length, 0);
    fill_words(memory, length, seed);
    if (random_once_in(random, 2)) {
        sched_yield();
    }
    memory = mremap(memory, length, longer, MREMAP_MAYMOVE);
    if (memory == MAP_FAILED) {
        return n + 1;
    }
    n += differing_words(memory, length < longer ? length : longer, seed);
    if (longer > length) {
        n += differing_words(memory + length, longer - length, 0);
    }
    fill_words(memory, longer, seed);
    if (random_once_in(random, 3)) {
        n += madvise(memory, PAGE, MADV_DONTNEED) != 0;
        n += differing_words(memory, PAGE, 0);
    }
    if (!gentle && random_once_in(random, 8)) {
        n += mprotect(memory, longer, PROT_READ) != 0;
    }
    return n + (munmap(memory, longer) != 0);
}

static void *work(void *opaque)
{
    struct worker *worker = opaque;

    for (unsigned i = 0; i < 60; i++) {
        worker->errors += work_once(&worker->random);
    }
    return NULL;
}

void run_at_once(struct random *random)
{
    struct worker workers[THREADS] = { 0 };

    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].random.state = random_u64(random);
        workers[i].thread = start_thread(2 + i, work, &workers[i]);
    }
    /* No lock that a thread holds may be held in a child for ever. */
    for (unsigned i = 0; i < 6; i++) {
        unsigned kind = random_below(random, 3);
        pid_t child = kind == 0   ? fork()
                      : kind == 1 ? _Fork()
                                  : syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

        if (child == 0) {
            unsigned errors = 0;

            alarm(settings.patience / 2);
            for (unsigned j = 0; j < 3; j++) {
                errors += work_once(random);
            }
            _exit(errors != 0);
        }
        say(" child %u", kind);
        say_end(child);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        say(" errors %u", workers[i].errors);
    }
}
