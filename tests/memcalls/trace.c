/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is printed, and the random numbers */
#define _GNU_SOURCE
#include "memcalls.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Static: this program may not allocate memory but where a test does. */
static char line[8192];
static unsigned used;

uint64_t random_u64(struct random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

unsigned random_below(struct random *random, unsigned n)
{
    return random_u64(random) % n;
}

bool random_once_in(struct random *random, unsigned n)
{
    return random_below(random, n) == 0;
}

void say(const char *format, ...)
{
    va_list arguments;
    int saved = errno, n;

    va_start(arguments, format);
    n = vsnprintf(line + used, sizeof(line) - used, format, arguments);
    va_end(arguments);
    used += n < 0 ? 0 : n;
    if (used >= sizeof(line)) {
        used = sizeof(line) - 1;
    }
    errno = saved;
}

void end_line(void)
{
    int saved = errno;

    line[used < sizeof(line) - 1 ? used++ : used] = '\n';
    for (unsigned done = 0; done < used; ) {
        ssize_t n = write(STDOUT_FILENO, line + done, used - done);

        if (n <= 0 && errno != EINTR) {
            _exit(99);
        }
        done += n > 0 ? n : 0;
    }
    used = 0;
    errno = saved;
}

void say_result(bool ok)
{
    if (!ok) {
        const char *name = strerrorname_np(errno);

        say(" -> %s", name ? name : "no error");
    } else {
        say(" -> ok%s", errno == ERRNO_BEFORE ? "" : ", but errno has changed");
    }
}

void say_hash(uint64_t hash)
{
    say(" #%08x", (unsigned)(hash ^ hash >> 32));
}

void say_broken(const char *what)
{
    say(" BROKEN: %s", what);
}

size_t read_text(const char *name, char *text, size_t size)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    ssize_t n;

    while ((n = read(fd, text + length, size - 1 - length)) > 0) {
        length += n;
    }
    close(fd);
    text[length] = 0;
    return length;
}

/* FNV-1a, by words where there are any. */
uint64_t hash_of(const void *data, size_t length, uint64_t hash)
{
    const unsigned char *bytes = data;
    uint64_t word;

    for (; length >= 8; length -= 8, bytes += 8) {
        memcpy(&word, bytes, 8);
        hash = (hash ^ word) * UINT64_C(0x100000001b3);
        hash ^= hash >> 29;
    }
    while (length--) {
        hash = (hash ^ *bytes++) * UINT64_C(0x100000001b3);
    }
    return hash;
}
