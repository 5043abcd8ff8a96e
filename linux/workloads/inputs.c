/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inputs of Debian's programs, the same for the same seed.
 */
#include "common.h"
#include "numbers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE 80               /* characters of a genome's line */
#define READ 100              /* bases of a read */
#define MUTATION 100          /* one base of so many is another one */
#define CHOSEN 20             /* features of a vector that are not 0 */
#define WORDS_BITS 12         /* 2^12 words make a text */

enum kind { VALUES = 200, BASES, READS, MUTATIONS, WEIGHTS, VECTORS, WORDS, TEXT };

static const struct options o = { .name = "inputs" };

static void print_help(void)
{
    puts("Usage: inputs KIND NUMBER...\n\n"
         "Prints an input of a program, which is the same for the same numbers:\n\n"
         "  set COUNT BYTES SEED       requests to memcached to store so many values\n"
         "  get COUNT                  requests to have them back\n"
         "  values COUNT BYTES SEED    what the right answer to those is\n"
         "  genome BASES SEED          a random genome, in FASTA\n"
         "  reads BASES COUNT SEED     reads of it with errors, in FASTQ; a name is where it is from\n"
         "  vectors COUNT FEATURES SEED\n"
         "                             labelled vectors that a plane divides, as liblinear reads them\n"
         "  text BYTES SEED            words, some of them much more frequent than others\n\n"
         "Example: inputs text 1000000 1");
}

/* @bytes hexadecimal digits, the value of the @i-th key. */
static void put_value(uint64_t bytes, uint64_t seed, uint64_t i)
{
    uint64_t state = sequence(seed, VALUES, i);
    char digits[17];

    for (uint64_t at = 0; at < bytes; at += 16) {
        snprintf(digits, sizeof(digits), "%016" PRIx64, random_number(&state));
        fwrite(digits, 1, bytes - at < 16 ? bytes - at : 16, stdout);
    }
}

static void set(const uint64_t *n)
{
    for (uint64_t i = 0; i < n[0]; i++) {
        printf("set ours%" PRIu64 " 0 0 %" PRIu64 " noreply\r\n", i, n[1]);
        put_value(n[1], n[2], i);
        fputs("\r\n", stdout);
    }
    fputs("quit\r\n", stdout);
}

static void get(const uint64_t *n)
{
    for (uint64_t i = 0; i < n[0]; i++) {
        printf("get ours%" PRIu64 "\r\n", i);
    }
    fputs("quit\r\n", stdout);
}

static void values(const uint64_t *n)
{
    for (uint64_t i = 0; i < n[0]; i++) {
        printf("VALUE ours%" PRIu64 " 0 %" PRIu64 "\r\n", i, n[1]);
        put_value(n[1], n[2], i);
        fputs("\r\nEND\r\n", stdout);
    }
}

static char base(uint64_t seed, uint64_t i)
{
    return "ACGT"[sequence(seed, BASES, i) >> 62];
}

static void genome(const uint64_t *n)
{
    puts(">genome");
    for (uint64_t i = 0; i < n[0]; i++) {
        putchar(base(n[1], i));
        if (i % LINE == LINE - 1 || i == n[0] - 1) {
            putchar('\n');
        }
    }
}

/* Names begin with the position as SAM has it, which counts from 1. */
static void reads(const uint64_t *n)
{
    char quality[READ + 1];

    if (n[0] < READ) {
        die(&o, "reads: BASES must be at least %d", READ);
    }
    memset(quality, 'I', READ);
    quality[READ] = 0;
    for (uint64_t i = 0; i < n[1]; i++) {
        uint64_t at = below(sequence(n[2], READS, i), n[0] - READ + 1);
        uint64_t state = sequence(n[2], MUTATIONS, i);

        printf("@%" PRIu64 "_%" PRIu64 "\n", at + 1, i);
        for (unsigned j = 0; j < READ; j++) {
            uint64_t random = random_number(&state);

            putchar(below(random, MUTATION) ? base(n[2], at + j) : "ACGT"[random & 3]);
        }
        printf("\n+\n%s\n", quality);
    }
}

/* The label is the side of a plane through 0, whose normal vector has just 1 and -1. */
static void vectors(const uint64_t *n)
{
    uint64_t part = n[1] / CHOSEN;

    if (!part) {
        die(&o, "vectors: FEATURES must be at least %d", CHOSEN);
    }
    for (uint64_t i = 0; i < n[0]; i++) {
        uint64_t state = sequence(n[2], VECTORS, i);
        unsigned values[CHOSEN];
        uint64_t features[CHOSEN];
        int64_t side = 0;

        for (unsigned j = 0; j < CHOSEN; j++) {
            features[j] = j * part + below(random_number(&state), part);
            values[j] = 1 + below(random_number(&state), 9999);
            side += sequence(n[2], WEIGHTS, features[j]) & 1 ? values[j] : -(int64_t)values[j];
        }
        fputs(side < 0 ? "-1" : "+1", stdout);
        for (unsigned j = 0; j < CHOSEN; j++) {
            printf(" %" PRIu64 ":0.%04u", features[j] + 1, values[j]);
        }
        putchar('\n');
    }
}

/* The number of a word is even in its logarithm, so the first are the most frequent. */
static void text(const uint64_t *n)
{
    uint64_t state = sequence(n[1], TEXT, 0);

    for (uint64_t written = 0; written < n[0];) {
        uint64_t random = random_number(&state);
        uint64_t bits = below(random_number(&state), WORDS_BITS + 1);
        uint64_t letters = sequence(n[1], WORDS, random & ((UINT64_C(1) << bits) - 1));
        unsigned length = 3 + (letters & 7);

        for (unsigned j = 0; j < length && written < n[0]; j++, written++) {
            letters >>= 5;
            putchar('a' + (letters & 31) % 26);
        }
        if (written < n[0]) {
            putchar(random >> 60 ? ' ' : '\n');
            written++;
        }
    }
}

static const struct input {
    const char *name;
    int numbers;
    void (*print)(const uint64_t *numbers);
} kinds[] = {
    { "set", 3, set }, { "get", 1, get }, { "values", 3, values }, { "genome", 2, genome },
    { "reads", 3, reads }, { "vectors", 3, vectors }, { "text", 2, text },
};

static uint64_t number_of(const char *kind, const char *text)
{
    char *end;
    uint64_t number;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno || end == text || *end || strchr(text, '-')) {
        die(&o, "%s: '%s' is no number", kind, text);
    }
    return number;
}

int main(int argc, char **argv)
{
    uint64_t numbers[3];

    if (argc == 2 && !strcmp(argv[1], "--help")) {
        print_help();
        return 0;
    }
    for (size_t i = 0; argc > 1 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(argv[1], kinds[i].name)) {
            continue;
        }
        if (argc != 2 + kinds[i].numbers) {
            die(&o, "%s: takes %d numbers; see --help", argv[1], kinds[i].numbers);
        }
        for (int j = 0; j < kinds[i].numbers; j++) {
            numbers[j] = number_of(argv[1], argv[2 + j]);
        }
        kinds[i].print(numbers);
        if (fflush(stdout) || ferror(stdout)) {
            die(&o, "%s: what it prints can't be written", argv[1]);
        }
        return 0;
    }
    die(&o, "which input? see --help");
}
