// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frames that are bad, as the PCI device dseg-bad-frames says
 *
 * The kernel does not know of them.  So those that are free are taken out of
 * use, and those that a segment has are replaced; what is in use otherwise is
 * left alone.
 */
#include <linux/gfp.h>
#include <linux/interrupt.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pci.h>

#include <dseg-bad-frames.h>

#include "contig.h"
#include "fault.h"
#include "vmm.h"

#define NAME "dseg-vmm"
#define MOST 64		/* frames that the device can have */

/**
 * struct bad_frame - a frame that is bad
 *
 * @pfn: which
 * @held: we have a reference of our own to it, so that nobody uses it
 */
struct bad_frame {
	unsigned long pfn;
	bool held;
};

/* Those known, and the lock for that. */
static struct bad_frame known[MOST];
static unsigned int nr_known;
static DEFINE_MUTEX(known_lock);

/* The registers of the device.  One interrupt is handled at a time. */
static void __iomem *registers;

static struct bad_frame *find(unsigned long pfn)
{
	unsigned int i;

	for (i = 0; i < nr_known; i++)
		if (known[i].pfn == pfn)
			return &known[i];
	return NULL;
}

bool vmm_bad_frame_held(unsigned long pfn)
{
	struct bad_frame *frame;
	bool held;

	if (!READ_ONCE(nr_known))	/* asked of many frames */
		return false;
	mutex_lock(&known_lock);
	frame = find(pfn);
	held = frame && frame->held;
	mutex_unlock(&known_lock);
	return held;
}

bool vmm_bad_frame_hold(unsigned long pfn)
{
	struct bad_frame *frame;

	mutex_lock(&known_lock);
	frame = find(pfn);
	if (frame && !frame->held) {
		get_page(pfn_to_page(pfn));
		frame->held = true;
	}
	mutex_unlock(&known_lock);
	return frame;
}

/* Those of a range that nobody has seen to; returns how many. */
static unsigned int list_not_held(unsigned long pfn, unsigned long nr,
				  unsigned long *list)
{
	unsigned int i, count = 0;

	mutex_lock(&known_lock);
	for (i = 0; i < nr_known; i++)
		if (!known[i].held && known[i].pfn - pfn < nr)
			list[count++] = known[i].pfn;
	mutex_unlock(&known_lock);
	return count;
}

void vmm_bad_frames_replace(unsigned long pfn, unsigned long nr)
{
	unsigned long bad[MOST];
	unsigned int i, count = list_not_held(pfn, nr, bad);

	for (i = 0; i < count; i++)
		vmm_replace_frame(bad[i]);
}

/*
 * What becomes of a frame
 */

static void learn(unsigned long pfn)
{
	mutex_lock(&known_lock);
	if (nr_known < MOST) {
		known[nr_known] = (struct bad_frame) { .pfn = pfn };
		WRITE_ONCE(nr_known, nr_known + 1);
	}
	mutex_unlock(&known_lock);
}

/* Take it out of use, if it is in use by nobody, or by one of our segments. */
static void retire(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);
	bool is_free;

	if (!page || vmm_frames_reserved(pfn) || vmm_replace_frame(pfn))
		return;
	is_free = !page_count(page);
	if (is_free && !dseg_contig_take(pfn, 1, vmm_bad_frame_held)) {
		vmm_bad_frame_hold(pfn);
		put_page(page);
		return;
	}
	pr_notice(NAME ": bad frame %#llx is %s, and stays so\n",
		  PFN_PHYS(pfn),
		  is_free ? "beside what can't be moved" : "in use");
}

/* It is good again, or not our business any longer. */
static void forget(unsigned long pfn)
{
	struct bad_frame *frame;
	bool held = false;

	mutex_lock(&known_lock);
	frame = find(pfn);
	if (frame) {
		held = frame->held;
		*frame = known[nr_known - 1];
		WRITE_ONCE(nr_known, nr_known - 1);
	}
	mutex_unlock(&known_lock);
	if (held)
		dseg_contig_release(pfn);
}

/*
 * The device
 */

/* Reads the list of bad frames; returns how many there are. */
static unsigned int read_list(unsigned long *pfn)
{
	unsigned int i, nr;
	u32 generation;

	do {
		generation = readl(registers + DSEG_BAD_GENERATION);
		nr = min_t(u32, readl(registers + DSEG_BAD_COUNT), MOST);
		for (i = 0; i < nr; i++)
			pfn[i] = PHYS_PFN(readq(registers +
						DSEG_BAD_ADDRESS(i)));
	} while (readl(registers + DSEG_BAD_GENERATION) != generation);
	return nr;
}

static bool is_in(const unsigned long *list, unsigned int nr, unsigned long pfn)
{
	while (nr--)
		if (list[nr] == pfn)
			return true;
	return false;
}

/* Only we change what is known, by an interrupt at a time. */
static void update(const unsigned long *bad, unsigned int nr)
{
	unsigned int i;

	for (i = nr_known; i--; )
		if (!is_in(bad, nr, known[i].pfn))
			forget(known[i].pfn);
	for (i = 0; i < nr; i++) {
		if (find(bad[i]))
			continue;
		learn(bad[i]);
		retire(bad[i]);
	}
}

static irqreturn_t on_interrupt(int irq, void *unused)
{
	if (!(readl(registers + DSEG_BAD_STATUS) & DSEG_BAD_CHANGED))
		return IRQ_NONE;
	writel(DSEG_BAD_CHANGED, registers + DSEG_BAD_STATUS);
	return IRQ_WAKE_THREAD;
}

static irqreturn_t on_change(int irq, void *unused)
{
	static unsigned long bad[MOST];

	update(bad, read_list(bad));
	return IRQ_HANDLED;
}

static int probe(struct pci_dev *device, const struct pci_device_id *id)
{
	int err;

	if (registers)
		return -EBUSY;
	err = pcim_enable_device(device);
	if (!err)
		err = pcim_iomap_regions(device, 1 << 0, NAME);
	if (err)
		return err;
	registers = pcim_iomap_table(device)[0];
	err = -ENODEV;
	if (readl(registers + DSEG_BAD_ID) == DSEG_BAD_ID_VALUE &&
	    readl(registers + DSEG_BAD_VERSION) == DSEG_BAD_VERSION_VALUE)
		err = request_threaded_irq(device->irq, on_interrupt, on_change,
					   IRQF_SHARED, NAME, device);
	if (err) {
		registers = NULL;
		return err;
	}
	writel(DSEG_BAD_CHANGED, registers + DSEG_BAD_INTERRUPT);
	irq_wake_thread(device->irq, device);	/* those that are bad already */
	return 0;
}

static void remove(struct pci_dev *device)
{
	writel(0, registers + DSEG_BAD_INTERRUPT);
	free_irq(device->irq, device);
	update(NULL, 0);
	registers = NULL;
}

static const struct pci_device_id ids[] = {
	{ PCI_DEVICE(DSEG_BAD_VENDOR_ID, DSEG_BAD_DEVICE_ID) },
	{}
};
MODULE_DEVICE_TABLE(pci, ids);

static struct pci_driver driver = {
	.name = NAME,
	.id_table = ids,
	.probe = probe,
	.remove = remove,
};

int vmm_bad_frames_init(void)
{
	return dseg_fault() ? -ENOMEM : pci_register_driver(&driver);
}

void vmm_bad_frames_exit(void)
{
	pci_unregister_driver(&driver);
}
