/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PCI device "dseg-bad-frames", which knows the frames of memory that are
 * bad: its registers, as offsets in BAR 0 (docs/spec/bad-frames.rst).
 */
#ifndef DSEG_BAD_FRAMES_H
#define DSEG_BAD_FRAMES_H

#define DSEG_BAD_VENDOR_ID	0x1234
#define DSEG_BAD_DEVICE_ID	0x4453

/* 32 bits each. */
#define DSEG_BAD_ID		0x00
#define DSEG_BAD_VERSION	0x04
#define DSEG_BAD_CAPACITY	0x08	/* most frames that can be bad */
#define DSEG_BAD_COUNT		0x0c	/* frames that are bad */
#define DSEG_BAD_GENERATION	0x10	/* other whenever the frames are */
#define DSEG_BAD_STATUS		0x14	/* write 1 to a bit to clear it */
#define DSEG_BAD_INTERRUPT	0x18	/* bits of STATUS that interrupt */
#define DSEG_BAD_FEATURES	0x1c

/* 64 bits each. */
#define DSEG_BAD_READS		0x20
#define DSEG_BAD_WRITES		0x28

/* The entry of bad frame number n, from 0 to COUNT - 1; 64 bits each. */
#define DSEG_BAD_ADDRESS(n)	(0x800 + (n) * 0x20)
#define DSEG_BAD_FRAME_READS(n)	(0x808 + (n) * 0x20)
#define DSEG_BAD_FRAME_WRITES(n) (0x810 + (n) * 0x20)

#define DSEG_BAD_ID_VALUE	0x46425344	/* "DSBF" */
#define DSEG_BAD_VERSION_VALUE	1

/* STATUS and INTERRUPT: the list of frames has changed. */
#define DSEG_BAD_CHANGED	0x1

/* FEATURES: an access raises a machine check. */
#define DSEG_BAD_MCE		0x1

#endif
