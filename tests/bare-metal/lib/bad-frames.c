/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device dseg-bad-frames. */
#include "bad-frames.h"

#include "cpu.h"
#include "pci.h"
#include "print.h"
#include "tap.h"

/* QEMU's docs/specs/fw_cfg.rst */
#define FW_CFG_DMA_HIGH 0x514
#define FW_CFG_DMA_LOW 0x518
#define FW_CFG_SELECT_AND_READ 0x0a
#define FW_CFG_SIGNATURE_SIZE 4

static volatile void *registers(unsigned offset)
{
    static uint64_t bar;

    if (!bar) {
        unsigned device = pci_find(DSEG_BAD_DEVICE_ID << 16 |
                                   DSEG_BAD_VENDOR_ID);

        bar = pci_read(device, PCI_BAR0);
    }
    return at_hpa(bar + offset);
}

uint32_t bad_frames_read32(unsigned offset)
{
    return *(volatile uint32_t *)registers(offset);
}

uint64_t bad_frames_read64(unsigned offset)
{
    return *(volatile uint64_t *)registers(offset);
}

void bad_frames_write32(unsigned offset, uint32_t value)
{
    *(volatile uint32_t *)registers(offset) = value;
}

uint64_t garbage(uint64_t hpa)
{
    return hpa / 8 * 0x9e3779b97f4a7c15ull;
}

struct accesses accesses_of(uint64_t frame)
{
    for (unsigned i = 0; i < bad_frames_read32(DSEG_BAD_COUNT); i++) {
        if (bad_frames_read64(DSEG_BAD_ADDRESS(i)) == frame) {
            return (struct accesses) {
                bad_frames_read64(DSEG_BAD_FRAME_READS(i)),
                bad_frames_read64(DSEG_BAD_FRAME_WRITES(i)),
            };
        }
    }
    die("frame 0x%lx is not bad", frame);
}

void expect_accesses(uint64_t frame, struct accesses before, uint64_t reads,
                     uint64_t writes)
{
    struct accesses after = accesses_of(frame);

    expect("reads of the bad frame", reads, after.reads - before.reads);
    expect("writes to the bad frame", writes, after.writes - before.writes);
}

void lose_quadword(uint64_t hpa)
{
    *(volatile uint64_t *)at_hpa(hpa) = ~garbage(hpa);
}

void write_by_dma(uint64_t hpa)
{
    static volatile struct {
        uint32_t control, length;
        uint64_t address;
    } access;

    access.control = __builtin_bswap32(FW_CFG_SELECT_AND_READ);
    access.length = __builtin_bswap32(FW_CFG_SIGNATURE_SIZE);
    access.address = __builtin_bswap64(hpa);
    out32(FW_CFG_DMA_HIGH, 0);
    out32(FW_CFG_DMA_LOW, __builtin_bswap32((uint64_t)&access));
    expect("state of the DMA: done", 0, access.control);
}
