# SPDX-License-Identifier: GPL-2.0-or-later
"""What a CPU has besides to count walks: all of QEMU's, or the misses of a modelled TLB."""


def counting(tlb=None, mode=None, caches=False, filter_bits=None):
    """Words for -cpu, as docs/tlb.md and docs/caches.md have them.

    tlb: a preset, or the path of a file; mode: 'inclusive' or 'exact'
    filter_bits: of the escape filter, if not as many as there are by default
    """
    return ','.join(filter(None, ('dseg=on', filter_bits and f'dseg-filter-bits={filter_bits}',
                                  tlb and f'dseg-tlb={tlb}',
                                  mode and f'dseg-tlb-mode={mode}', caches and 'dseg-caches=on')))
