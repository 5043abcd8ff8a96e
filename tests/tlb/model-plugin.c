/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What somebody would write today who wants the TLB misses of a guest and has
 * QEMU as it is: a TCG plugin that asks a TLB model at every access. It is here
 * to be compared with, in speed alone (scripts/bench tlb):
 *
 *     -plugin tlb-model-plugin.so,out=FILE
 *
 * The hierarchy is that of sandybridge-ep for pages of 4 KiB, by virtual page:
 * L1D 64 x 4, L1I 128 x 4, L2 512 x 4, LRU. The plugin interface tells neither
 * page sizes, nor address spaces, nor D, and nothing of invalidations, and of
 * code that has several virtual addresses the one that it was translated at; so,
 * as such plugins do, it leaves these out: that makes it faster, not slower.
 *
 * What makes it fast, as far as the interface allows:
 *
 * - Fetches: generated code compares the page of a block with that of the fetch
 *   before, and calls the model only if they differ
 *   (qemu_plugin_register_vcpu_tb_exec_cond_cb); a block on two pages does so
 *   once more, at the first instruction of the second.
 * - Loads and stores are counted by inline operations. Their addresses are
 *   known to callbacks only, so each makes a call, which returns at once if the
 *   page is that of the access before: it is the newest of its set, so nothing
 *   would change.
 * - A set is four tags in the order of their use: a hit moves one to the front,
 *   a miss drops the last. There are no time stamps to compare.
 * - The state of a CPU is an array of our own, aligned to lines of the cache:
 *   no lock, no search, no memory that CPUs share.
 */
#include <glib.h>
#include <inttypes.h>
#include <qemu-plugin.h>
#include <stdio.h>
#include <string.h>

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

#define PAGE_BITS 12
#define WAYS 4
#define L1D_SETS 16
#define L1I_SETS 32
#define L2_SETS 128
#define MAX_CPUS 64
#define NO_PAGE UINT64_MAX
#define LIKELY(condition) __builtin_expect(!!(condition), 1)

typedef uint64_t set_t[WAYS];           /* page numbers, newest first */

struct cpu {
    uint64_t data_page;                 /* of the access before */
    uint64_t l1d_misses, l1i_misses, l2_misses;
    set_t l1d[L1D_SETS], l1i[L1I_SETS], l2[L2_SETS];
} __attribute__((aligned(64)));

/* What generated code reads and writes. */
struct inline_state {
    uint64_t fetch_page, loads, stores;
};

static struct cpu cpus[MAX_CPUS];
static struct qemu_plugin_scoreboard *scoreboard;
static qemu_plugin_u64 fetch_page, loads, stores;
static char *out;

/* Whether a set has a page, which then is its newest. */
static inline bool touch(set_t set, uint64_t page)
{
    bool hit;

    if (LIKELY(set[0] == page)) {
        return true;
    }
    if (set[1] == page) {
        set[1] = set[0];
        set[0] = page;
        return true;
    }
    hit = set[2] == page;
    if (!hit) {
        hit = set[3] == page;
        set[3] = set[2];
    }
    set[2] = set[1];
    set[1] = set[0];
    set[0] = page;
    return hit;
}

static void l1_miss(struct cpu *cpu, uint64_t page)
{
    cpu->l2_misses += !touch(cpu->l2[page % L2_SETS], page);
}

static void on_access(unsigned index, qemu_plugin_meminfo_t info,
                      uint64_t address, void *opaque)
{
    struct cpu *cpu = &cpus[index];
    uint64_t page = address >> PAGE_BITS;

    (void)info;
    (void)opaque;
    if (LIKELY(page == cpu->data_page)) {
        return;
    }
    cpu->data_page = page;
    if (!touch(cpu->l1d[page % L1D_SETS], page)) {
        cpu->l1d_misses++;
        l1_miss(cpu, page);
    }
}

/* opaque: the number of a page that is not that of the fetch before. */
static void on_fetch(unsigned index, void *opaque)
{
    struct cpu *cpu = &cpus[index];
    uint64_t page = (uintptr_t)opaque;

    qemu_plugin_u64_set(fetch_page, index, page);
    if (!touch(cpu->l1i[page % L1I_SETS], page)) {
        cpu->l1i_misses++;
        l1_miss(cpu, page);
    }
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    uint64_t before = qemu_plugin_tb_vaddr(tb) >> PAGE_BITS;

    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cond_cb(
        tb, on_fetch, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_COND_NE, fetch_page,
        before, (void *)(uintptr_t)before);
    for (size_t n = 0; n < qemu_plugin_tb_n_insns(tb); n++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, n);
        uint64_t last = (qemu_plugin_insn_vaddr(insn) +
                         qemu_plugin_insn_size(insn) - 1) >> PAGE_BITS;

        if (last != before) {
            qemu_plugin_register_vcpu_insn_exec_cond_cb(
                insn, on_fetch, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_COND_NE,
                fetch_page, last, (void *)(uintptr_t)last);
            before = last;
        }
        qemu_plugin_register_vcpu_mem_inline_per_vcpu(
            insn, QEMU_PLUGIN_MEM_R, QEMU_PLUGIN_INLINE_ADD_U64, loads, 1);
        qemu_plugin_register_vcpu_mem_inline_per_vcpu(
            insn, QEMU_PLUGIN_MEM_W, QEMU_PLUGIN_INLINE_ADD_U64, stores, 1);
        qemu_plugin_register_vcpu_mem_cb(insn, on_access,
                                         QEMU_PLUGIN_CB_NO_REGS,
                                         QEMU_PLUGIN_MEM_RW, NULL);
    }
}

static void on_cpu(qemu_plugin_id_t id, unsigned index)
{
    (void)id;
    g_assert(index < MAX_CPUS);
    memset(&cpus[index], 0xff, sizeof(cpus[index]));    /* NO_PAGE */
    cpus[index].l1d_misses = cpus[index].l1i_misses = 0;
    cpus[index].l2_misses = 0;
    qemu_plugin_u64_set(fetch_page, index, NO_PAGE);
}

static void on_exit_(qemu_plugin_id_t id, void *opaque)
{
    FILE *file = out ? fopen(out, "w") : stderr;

    (void)id;
    (void)opaque;
    if (!file) {
        fprintf(stderr, "tlb-model-plugin: can't write %s\n", out);
        return;
    }
    fprintf(file, "[");
    for (int i = 0; i < qemu_plugin_num_vcpus(); i++) {
        fprintf(file, "%s{\"loads\": %" PRIu64 ", \"stores\": %" PRIu64
                ", \"l1d-misses\": %" PRIu64 ", \"l1i-misses\": %" PRIu64
                ", \"walks\": %" PRIu64 "}", i ? ",\n" : "",
                qemu_plugin_u64_get(loads, i), qemu_plugin_u64_get(stores, i),
                cpus[i].l1d_misses, cpus[i].l1i_misses, cpus[i].l2_misses);
    }
    fprintf(file, "]\n");
    if (out) {
        fclose(file);
    }
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
                                           const qemu_info_t *info,
                                           int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!g_str_has_prefix(argv[i], "out=")) {
            fprintf(stderr, "tlb-model-plugin: there is no argument %s\n",
                    argv[i]);
            return -1;
        }
        out = argv[i] + strlen("out=");
    }
    scoreboard = qemu_plugin_scoreboard_new(sizeof(struct inline_state));
    fetch_page = qemu_plugin_scoreboard_u64_in_struct(
        scoreboard, struct inline_state, fetch_page);
    loads = qemu_plugin_scoreboard_u64_in_struct(
        scoreboard, struct inline_state, loads);
    stores = qemu_plugin_scoreboard_u64_in_struct(
        scoreboard, struct inline_state, stores);
    qemu_plugin_register_vcpu_init_cb(id, on_cpu);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit_, NULL);
    return 0;
}
