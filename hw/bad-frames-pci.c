/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bad frames: the PCI device
 */

#include "qemu/osdep.h"
#include "qemu/bitops.h"
#include "qemu/error-report.h"
#include "qemu/module.h"
#include "qapi/error.h"
#include "qapi/qapi-visit-dseg-bad-frames.h"
#include "qapi/visitor.h"
#include "hw/pci/pci.h"
#include "hw/qdev-properties.h"
#include "migration/vmstate.h"
#include "bad-frames.h"

#define DEVICE_ID 0x4453
#define REGISTERS_SIZE 4096

/* The registers, by quadwords: two of 32 bits, or one of 64 bits. */
enum {
    REG_IDENTITY = 0x00,        /* identification and version */
    REG_SIZE = 0x08,            /* capacity and count */
    REG_STATE = 0x10,           /* generation and status */
    REG_CONTROL = 0x18,         /* interrupt enable and features */
    REG_READS = 0x20,
    REG_WRITES = 0x28,
    REG_FRAMES = 0x800,
};
#define FRAME_ENTRY_SIZE 0x20

/* Those of 32 bits that can be written. */
enum {
    REG_STATUS = 0x14,
    REG_INTERRUPT = 0x18,
};

#define IDENTIFICATION 0x46425344       /* "DSBF" */
#define VERSION 1
#define STATUS_CHANGED 1
#define FEATURE_MCE 1

static uint64_t pair(uint32_t low, uint32_t high)
{
    return (uint64_t)high << 32 | low;
}

static uint64_t read_frame(DsegBadFramesState *s, unsigned index,
                           unsigned offset)
{
    const DsegBadFrameSlot *slot = dseg_bad_frames_at(s, index);

    if (!slot) {
        return 0;
    }
    switch (offset) {
    case 0x00:
        return slot->addr;
    case 0x08:
        return slot->reads;
    case 0x10:
        return slot->writes;
    default:
        return 0;
    }
}

static uint64_t read_quadword(DsegBadFramesState *s, hwaddr addr)
{
    switch (addr) {
    case REG_IDENTITY:
        return pair(IDENTIFICATION, VERSION);
    case REG_SIZE:
        return pair(DSEG_BAD_FRAMES_MAX, dseg_bad_frames_count(s));
    case REG_STATE:
        return pair(s->generation, s->status);
    case REG_CONTROL:
        return pair(s->interrupt, s->mce ? FEATURE_MCE : 0);
    case REG_READS:
        return s->reads;
    case REG_WRITES:
        return s->writes;
    default:
        return addr < REG_FRAMES ? 0 :
               read_frame(s, (addr - REG_FRAMES) / FRAME_ENTRY_SIZE,
                          addr % FRAME_ENTRY_SIZE);
    }
}

static uint64_t registers_read(void *opaque, hwaddr addr, unsigned size)
{
    uint64_t value = read_quadword(opaque, addr & -8);

    return extract64(value, addr % 8 * 8, size * 8);
}

static void update_interrupt(DsegBadFramesState *s)
{
    pci_set_irq(PCI_DEVICE(s), !!(s->status & s->interrupt));
}

static void registers_write(void *opaque, hwaddr addr, uint64_t value,
                            unsigned size)
{
    DsegBadFramesState *s = opaque;

    if (size != 4) {
        return;
    }
    switch (addr) {
    case REG_STATUS:
        s->status &= ~value;
        break;
    case REG_INTERRUPT:
        s->interrupt = value & STATUS_CHANGED;
        break;
    default:
        return;
    }
    update_interrupt(s);
}

static const MemoryRegionOps registers_ops = {
    .read = registers_read,
    .write = registers_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid.min_access_size = 4,
    .valid.max_access_size = 8,
    .impl.min_access_size = 4,
    .impl.max_access_size = 8,
};

void dseg_bad_frames_changed(DsegBadFramesState *s)
{
    s->generation++;
    s->status |= STATUS_CHANGED;
    update_interrupt(s);
}

DsegBadFramesState *dseg_bad_frames_find(Error **errp)
{
    Object *found = object_resolve_path_type("", TYPE_DSEG_BAD_FRAMES, NULL);

    if (!found) {
        error_setg(errp, "there is no device %s: start QEMU with -device %s",
                   TYPE_DSEG_BAD_FRAMES, TYPE_DSEG_BAD_FRAMES);
        return NULL;
    }
    return DSEG_BAD_FRAMES(found);
}

static void bad_frames_realize(PCIDevice *dev, Error **errp)
{
    DsegBadFramesState *s = DSEG_BAD_FRAMES(dev);

    if (!object_resolve_path_type("", TYPE_DSEG_BAD_FRAMES, NULL)) {
        error_setg(errp, "there can be only one device %s",
                   TYPE_DSEG_BAD_FRAMES);
        return;
    }
    dseg_bad_frames_init(s);
    memory_region_init_io(&s->registers, OBJECT(s), &registers_ops, s,
                          "dseg-bad-frames", REGISTERS_SIZE);
    pci_config_set_interrupt_pin(dev->config, 1);
    pci_register_bar(dev, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &s->registers);
    dseg_bad_frames_add(s, s->frames, errp);
}

static void bad_frames_unrealize(PCIDevice *dev)
{
    dseg_bad_frames_exit(DSEG_BAD_FRAMES(dev));
}

/* Like broken memory modules, the frames do not mind. */
static void bad_frames_reset(DeviceState *dev)
{
    DsegBadFramesState *s = DSEG_BAD_FRAMES(dev);

    s->status = 0;
    s->interrupt = 0;
    update_interrupt(s);
}

static int bad_frames_post_load(void *opaque, int version_id)
{
    Error *err = NULL;

    if (!dseg_bad_frames_restore(opaque, &err)) {
        error_report_err(err);
        return -EINVAL;
    }
    return 0;
}

static const VMStateDescription vmstate_slot = {
    .name = "dseg-bad-frames/slot",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT64(addr, DsegBadFrameSlot),
        VMSTATE_UINT64(reads, DsegBadFrameSlot),
        VMSTATE_UINT64(writes, DsegBadFrameSlot),
        VMSTATE_UINT64_ARRAY(inverted, DsegBadFrameSlot, DSEG_FRAME_SIZE / 64),
        VMSTATE_END_OF_LIST()
    }
};

static const VMStateDescription vmstate_bad_frames = {
    .name = "dseg-bad-frames",
    .version_id = 1,
    .minimum_version_id = 1,
    .post_load = bad_frames_post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_PCI_DEVICE(parent_obj, DsegBadFramesState),
        VMSTATE_STRUCT_ARRAY(slots, DsegBadFramesState, DSEG_BAD_FRAMES_MAX, 1,
                             vmstate_slot, DsegBadFrameSlot),
        VMSTATE_UINT64(reads, DsegBadFramesState),
        VMSTATE_UINT64(writes, DsegBadFramesState),
        VMSTATE_UINT32(generation, DsegBadFramesState),
        VMSTATE_UINT32(status, DsegBadFramesState),
        VMSTATE_UINT32(interrupt, DsegBadFramesState),
        VMSTATE_END_OF_LIST()
    }
};

static void get_frames(Object *obj, Visitor *v, const char *name, void *opaque,
                       Error **errp)
{
    DsegBadFramesState *s = DSEG_BAD_FRAMES(obj);

    visit_type_uint64List(v, name, &s->frames, errp);
}

static void set_frames(Object *obj, Visitor *v, const char *name, void *opaque,
                       Error **errp)
{
    DsegBadFramesState *s = DSEG_BAD_FRAMES(obj);
    g_autoptr(DsegBadFrameSet) list = NULL;
    uint64List *frames;

    if (DEVICE(obj)->realized) {
        error_setg(errp, "frames: can't be set any more; use the command "
                   "dseg-bad-frames-add");
        return;
    }
    if (!visit_type_DsegBadFrameSet(v, name, &list, errp)) {
        return;
    }
    if (list->type == QTYPE_QSTRING) {
        frames = dseg_bad_frames_parse(list->u.text, errp);
        if (!frames) {
            return;
        }
    } else {
        frames = g_steal_pointer(&list->u.addresses);
    }
    qapi_free_uint64List(s->frames);
    s->frames = frames;
}

static void bad_frames_finalize(Object *obj)
{
    qapi_free_uint64List(DSEG_BAD_FRAMES(obj)->frames);
}

static const Property bad_frames_properties[] = {
    DEFINE_PROP_BOOL("mce", DsegBadFramesState, mce, false),
};

static void bad_frames_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);

    pc->realize = bad_frames_realize;
    pc->exit = bad_frames_unrealize;
    pc->vendor_id = PCI_VENDOR_ID_QEMU;
    pc->device_id = DEVICE_ID;
    pc->revision = VERSION;
    pc->class_id = PCI_CLASS_SYSTEM_OTHER;
    dc->desc = "Makes chosen frames of RAM bad";
    dc->vmsd = &vmstate_bad_frames;
    dc->hotpluggable = false;
    device_class_set_legacy_reset(dc, bad_frames_reset);
    device_class_set_props(dc, bad_frames_properties);
    object_class_property_add(klass, "frames", "DsegBadFrameSet", get_frames,
                              set_frames, NULL, NULL);
    object_class_property_set_description(klass, "frames",
        "Frames that are bad from the start on: physical addresses, "
        "separated by colons");
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

static const TypeInfo bad_frames_info = {
    .name = TYPE_DSEG_BAD_FRAMES,
    .parent = TYPE_PCI_DEVICE,
    .instance_size = sizeof(DsegBadFramesState),
    .instance_finalize = bad_frames_finalize,
    .class_init = bad_frames_class_init,
    .interfaces = (InterfaceInfo[]) {
        { INTERFACE_CONVENTIONAL_PCI_DEVICE },
        { }
    },
};

static void bad_frames_register_types(void)
{
    type_register_static(&bad_frames_info);
}

type_init(bad_frames_register_types)
