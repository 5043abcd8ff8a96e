/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bad frames: the frames
 *
 * An I/O region lies over the RAM of each one.  So every access comes here,
 * whoever makes it: loads, stores and fetches, page walks, the world switch,
 * devices.
 */

#include "qemu/osdep.h"
#include "qemu/bitops.h"
#include "qemu/cutils.h"
#include "qapi/error.h"
#include "qapi/util.h"
#include "exec/address-spaces.h"
#include "hw/core/cpu.h"
#include "cpu.h"
#include "bad-frames.h"

/* Above all else that may lie over RAM. */
#define PRIORITY 10000

/* As QEMU has it in machine checks that stand for memory errors of its host. */
#define MCE_BANK 9

/* 2^64 divided by the golden ratio: spreads the bits of an address. */
#define GARBAGE_FACTOR UINT64_C(0x9e3779b97f4a7c15)

static uint8_t garbage(uint64_t addr)
{
    return addr / 8 * GARBAGE_FACTOR >> 8 * (addr % 8);
}

static bool is_inverted(const DsegBadFrameSlot *slot, unsigned offset)
{
    return slot->inverted[offset / 64] >> offset % 64 & 1;
}

/* Remember of a byte that is lost what makes sure that it is not read. */
static void lose(DsegBadFrameSlot *slot, unsigned offset, uint8_t byte)
{
    slot->inverted[offset / 64] = deposit64(slot->inverted[offset / 64],
                                            offset % 64, 1,
                                            byte == garbage(slot->addr +
                                                            offset));
}

/*
 * Whether a CPU makes this access by itself: not a device that it has started,
 * nor the monitor on its thread.
 */
static bool is_of_cpu(MemTxAttrs attrs)
{
    return current_cpu && current_cpu->running && !attrs.unspecified;
}

/*
 * An uncorrected error: poison was consumed.  It is reported at the end of the
 * instruction, so EIPV is 0.  Until then, one machine check stands for all
 * accesses: a second one would shut the CPU down, as it does in the handler.
 */
static void machine_check(uint64_t addr)
{
    uint64_t status = MCI_STATUS_VAL | MCI_STATUS_UC | MCI_STATUS_EN |
                      MCI_STATUS_MISCV | MCI_STATUS_ADDRV |
                      MCI_STATUS_POISON;
    uint64_t misc = MCM_ADDR_PHYS << 6 | ctz32(DSEG_FRAME_SIZE);

    if (!(current_cpu->interrupt_request & CPU_INTERRUPT_MCE)) {
        cpu_x86_inject_mce(NULL, X86_CPU(current_cpu), MCE_BANK, status,
                           MCG_STATUS_MCIP | MCG_STATUS_RIPV, addr, misc,
                           MCE_INJECT_UNCOND_AO);
    }
}

static void accessed(DsegBadFrameSlot *slot, hwaddr offset, MemTxAttrs attrs)
{
    if (slot->owner->mce && is_of_cpu(attrs)) {
        machine_check(slot->addr + offset);
    }
}

static MemTxResult bad_frame_read(void *opaque, hwaddr offset, uint64_t *value,
                                  unsigned size, MemTxAttrs attrs)
{
    DsegBadFrameSlot *slot = opaque;

    *value = 0;
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = garbage(slot->addr + offset + i);

        if (is_inverted(slot, offset + i)) {
            byte = ~byte;
        }
        *value |= (uint64_t)byte << 8 * i;
    }
    slot->reads++;
    slot->owner->reads++;
    accessed(slot, offset, attrs);
    return MEMTX_OK;
}

static MemTxResult bad_frame_write(void *opaque, hwaddr offset, uint64_t value,
                                   unsigned size, MemTxAttrs attrs)
{
    DsegBadFrameSlot *slot = opaque;

    for (unsigned i = 0; i < size; i++) {
        lose(slot, offset + i, value >> 8 * i);
    }
    slot->writes++;
    slot->owner->writes++;
    accessed(slot, offset, attrs);
    return MEMTX_OK;
}

static const MemoryRegionOps bad_frame_ops = {
    .read_with_attrs = bad_frame_read,
    .write_with_attrs = bad_frame_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid.min_access_size = 1,
    .valid.max_access_size = 8,
    .impl.min_access_size = 1,
    .impl.max_access_size = 8,
};

void dseg_bad_frames_init(DsegBadFramesState *s)
{
    for (unsigned i = 0; i < DSEG_BAD_FRAMES_MAX; i++) {
        DsegBadFrameSlot *slot = &s->slots[i];

        slot->owner = s;
        slot->addr = DSEG_NO_FRAME;
        memory_region_init_io(&slot->mr, OBJECT(s), &bad_frame_ops, slot,
                              "dseg-bad-frame", DSEG_FRAME_SIZE);
    }
}

static void uncover(DsegBadFrameSlot *slot)
{
    if (memory_region_is_mapped(&slot->mr)) {
        memory_region_del_subregion(get_system_memory(), &slot->mr);
    }
}

static void cover(DsegBadFrameSlot *slot)
{
    memory_region_add_subregion_overlap(get_system_memory(), slot->addr,
                                        &slot->mr, PRIORITY);
}

void dseg_bad_frames_exit(DsegBadFramesState *s)
{
    for (unsigned i = 0; i < DSEG_BAD_FRAMES_MAX; i++) {
        uncover(&s->slots[i]);
    }
}

const DsegBadFrameSlot *dseg_bad_frames_at(const DsegBadFramesState *s,
                                           unsigned index)
{
    for (unsigned i = 0; i < DSEG_BAD_FRAMES_MAX; i++) {
        if (s->slots[i].addr != DSEG_NO_FRAME && index-- == 0) {
            return &s->slots[i];
        }
    }
    return NULL;
}

unsigned dseg_bad_frames_count(const DsegBadFramesState *s)
{
    unsigned count = 0;

    while (dseg_bad_frames_at(s, count)) {
        count++;
    }
    return count;
}

/* The slot that has @addr; with DSEG_NO_FRAME, one that is free. */
static DsegBadFrameSlot *find_slot(DsegBadFramesState *s, uint64_t addr)
{
    for (unsigned i = 0; i < DSEG_BAD_FRAMES_MAX; i++) {
        if (s->slots[i].addr == addr) {
            return &s->slots[i];
        }
    }
    return NULL;
}

static bool is_ram(uint64_t addr)
{
    MemoryRegionSection section = memory_region_find(get_system_memory(), addr,
                                                     DSEG_FRAME_SIZE);
    bool result;

    if (!section.mr) {
        return false;
    }
    result = memory_region_is_ram(section.mr) && !section.readonly &&
             !memory_region_is_ram_device(section.mr) &&
             int128_get64(section.size) == DSEG_FRAME_SIZE;
    memory_region_unref(section.mr);
    return result;
}

static bool check_new(DsegBadFramesState *s, uint64_t addr, Error **errp)
{
    if (addr % DSEG_FRAME_SIZE) {
        error_setg(errp, "frames: 0x%" PRIx64 " is not a multiple of 4 KiB",
                   addr);
    } else if (find_slot(s, addr)) {
        error_setg(errp, "frames: 0x%" PRIx64 " is bad already", addr);
    } else if (!is_ram(addr)) {
        error_setg(errp, "frames: 0x%" PRIx64 " is not RAM", addr);
    } else {
        return true;
    }
    return false;
}

/* Whether no frame is given twice. */
static bool check_unique(const uint64List *frames, Error **errp)
{
    for (; frames; frames = frames->next) {
        for (const uint64List *f = frames->next; f; f = f->next) {
            if (f->value == frames->value) {
                error_setg(errp, "frames: 0x%" PRIx64 " is given twice",
                           f->value);
                return false;
            }
        }
    }
    return true;
}

static bool check_number(DsegBadFramesState *s, const uint64List *frames,
                         Error **errp)
{
    unsigned free_slots = DSEG_BAD_FRAMES_MAX - dseg_bad_frames_count(s);

    for (; frames; frames = frames->next) {
        if (free_slots-- == 0) {
            error_setg(errp, "frames: these are too many: at most %d frames "
                       "can be bad at a time", DSEG_BAD_FRAMES_MAX);
            return false;
        }
    }
    return true;
}

/* A slot that has no frame has one. */
static void make_bad(DsegBadFrameSlot *slot, uint64_t addr)
{
    uint8_t lost[DSEG_FRAME_SIZE];

    slot->addr = addr;
    slot->reads = 0;
    slot->writes = 0;
    address_space_read(&address_space_memory, addr, MEMTXATTRS_UNSPECIFIED,
                       lost, sizeof(lost));
    for (unsigned i = 0; i < DSEG_FRAME_SIZE; i++) {
        lose(slot, i, lost[i]);
    }
    cover(slot);
}

bool dseg_bad_frames_add(DsegBadFramesState *s, const uint64List *frames,
                         Error **errp)
{
    /* The number first, so that the other checks are of a short list. */
    if (!check_number(s, frames, errp) || !check_unique(frames, errp)) {
        return false;
    }
    for (const uint64List *f = frames; f; f = f->next) {
        if (!check_new(s, f->value, errp)) {
            return false;
        }
    }
    memory_region_transaction_begin();
    for (const uint64List *f = frames; f; f = f->next) {
        make_bad(find_slot(s, DSEG_NO_FRAME), f->value);
    }
    memory_region_transaction_commit();
    if (frames) {
        dseg_bad_frames_changed(s);
    }
    return true;
}

bool dseg_bad_frames_remove(DsegBadFramesState *s, const uint64List *frames,
                            Error **errp)
{
    for (const uint64List *f = frames; f; f = f->next) {
        if (f->value == DSEG_NO_FRAME || !find_slot(s, f->value)) {
            error_setg(errp, "frames: 0x%" PRIx64 " is not bad", f->value);
            return false;
        }
    }
    if (!check_unique(frames, errp)) {
        return false;
    }
    memory_region_transaction_begin();
    for (const uint64List *f = frames; f; f = f->next) {
        DsegBadFrameSlot *slot = find_slot(s, f->value);

        uncover(slot);
        slot->addr = DSEG_NO_FRAME;
    }
    memory_region_transaction_commit();
    if (frames) {
        dseg_bad_frames_changed(s);
    }
    return true;
}

bool dseg_bad_frames_restore(DsegBadFramesState *s, Error **errp)
{
    dseg_bad_frames_exit(s);
    for (unsigned i = 0; i < DSEG_BAD_FRAMES_MAX; i++) {
        DsegBadFrameSlot *slot = &s->slots[i];

        if (slot->addr == DSEG_NO_FRAME) {
            continue;
        }
        /* One that is there twice is no RAM the second time. */
        if (slot->addr % DSEG_FRAME_SIZE || !is_ram(slot->addr)) {
            error_setg(errp, "bad frame 0x%" PRIx64 " is no frame of RAM",
                       slot->addr);
            return false;
        }
        cover(slot);
    }
    return true;
}

uint64List *dseg_bad_frames_parse(const char *text, Error **errp)
{
    g_auto(GStrv) words = g_strsplit(text, ":", -1);
    uint64List *frames = NULL, **tail = &frames;

    for (char **word = words; *word; word++) {
        uint64_t addr;

        if (qemu_strtosz(*word, NULL, &addr) < 0) {
            error_setg(errp, "frames: '%s' is not a number: 0x..., or decimal "
                       "with a suffix K, M, G or T", *word);
            qapi_free_uint64List(frames);
            return NULL;
        }
        QAPI_LIST_APPEND(tail, addr);
    }
    return frames;
}
