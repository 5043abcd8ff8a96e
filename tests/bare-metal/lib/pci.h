/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCI configuration space of bus 0, by configuration mechanism 1. */
#ifndef BARE_METAL_PCI_H
#define BARE_METAL_PCI_H

#include <stdint.h>

#define PCI_ID 0x00
#define PCI_COMMAND_STATUS 0x04
#define PCI_STATUS_INTERRUPT (1u << 19)
#define PCI_CLASS_REVISION 0x08
#define PCI_BAR0 0x10

/* The number of the device with that ID (vendor in bits 15:0), or die. */
unsigned pci_find(uint32_t id);

/* A register of 32 bits, at a multiple of 4. */
uint32_t pci_read(unsigned device, unsigned offset);

#endif
