# SPDX-License-Identifier: GPL-2.0-or-later
"""What the modes allow an operating system and a VMM to do: experiments in a running stack.

Each module has a function that attempts one thing, in a range that a segment covers and
outside it, and returns an Outcome: what was attempted, what became of it, and whether all data
was right afterwards. That it can't be done in a segment has to come out of it; without a
segment the same ranges tell what the base mode allows.
"""

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass

__all__ = ['Counts', 'Outcome', 'Range']

# Of the pages attempted in a range, how many must have gone for the operation to work there:
# few, because some pages of any range are in use by the kernel, or have no twin.
WORKS_FROM = 0.05


@dataclass(frozen=True)
class Range:
    """Of some address space; it may be empty."""
    start: int
    bytes: int

    @property
    def end(self):
        return self.start + self.bytes

    def moved(self, offset):
        return Range(self.start + offset, self.bytes)

    def without(self, other):
        """The ranges, none of them empty, that are left if @other is taken out."""
        parts = (Range(self.start, min(self.end, other.start) - self.start),
                 Range(max(self.start, other.end), self.end - max(self.start, other.end)))
        return [part for part in parts if part.bytes > 0]


@dataclass(frozen=True)
class Counts:
    """Pages."""
    attempted: int
    done: int

    @property
    def works(self):
        """None if nothing could be attempted."""
        return self.done >= WORKS_FROM * self.attempted if self.attempted else None


@dataclass(frozen=True)
class Outcome:
    """Of one experiment."""
    inside: Counts
    outside: Counts
    data_right: bool
    segment_kept: bool = True       # it is still in force; true if there was none

    @property
    def verdict(self):
        """'unrestricted' (works everywhere), 'limited' (outside the segment only) or 'none'.

        What ends the segment does not work inside it.
        """
        if not self.data_right or not self.outside.works and self.outside.attempted:
            return 'none'
        return 'unrestricted' if self.inside.works and self.segment_kept else 'limited'

    @property
    def reason(self):
        """What the verdict follows from, in words."""
        parts = [f'{counts.done} of {counts.attempted} pages {where}' for counts, where in
                 ((self.inside, 'inside'), (self.outside, 'outside')) if counts.attempted]
        parts += ['' if self.segment_kept else 'the segment has ended',
                  '' if self.data_right else 'data was wrong']
        return ', '.join(filter(None, parts)) or 'there was nothing to attempt it with'

    def to_json(self):
        return {**asdict(self), 'verdict': self.verdict, 'reason': self.reason}


def count_pages(console, ranges, options='', timeout=120):
    """The sums of what the program pages counts in each range, in one guest; a dict."""
    sums = {}
    for part in ranges:
        text = console.run(f'pages --at {part.start:#x} --bytes {part.bytes} {options}',
                           timeout)
        for name, number in json.loads(text).items():
            sums[name] = sums.get(name, 0) + number
    return sums


@contextmanager
def stopped(console, pid):
    """A process of a guest does not run inside the with statement."""
    console.run(f'kill -STOP {pid}')
    try:
        yield
    finally:
        console.run(f'kill -CONT {pid}')
