/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCI configuration space of bus 0. */
#include "pci.h"

#include "cpu.h"
#include "print.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define CONFIG_ENABLE (1u << 31)
#define DEVICES 32

uint32_t pci_read(unsigned device, unsigned offset)
{
    uint32_t value;

    out32(CONFIG_ADDRESS, CONFIG_ENABLE | device << 11 | offset);
    asm volatile("inl %1, %0" : "=a"(value) : "Nd"((uint16_t)CONFIG_DATA));
    return value;
}

unsigned pci_find(uint32_t id)
{
    for (unsigned device = 0; device < DEVICES; device++) {
        if (pci_read(device, PCI_ID) == id) {
            return device;
        }
    }
    die("there is no PCI device 0x%x", id);
}
