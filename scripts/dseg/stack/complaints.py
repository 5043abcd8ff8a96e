# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest's kernel says when something is wrong with it."""

# In re and in grep -E. A warning is at the beginning of its line: "Spectre V2 : WARNING" is none.
COMPLAINT = (r'\] WARNING: |BUG[: ]|Oops|Bad page|page dumped|blocked for more than|detected stall|'
             r'soft lockup|general protection|refcount_t|use-after-free|unchecked MSR|'
             r'Initramfs unpacking failed')


def complaints(console):
    """The lines of a kernel's log that are complaints."""
    return console.run(f'dmesg | grep -E "{COMPLAINT}" || true')
