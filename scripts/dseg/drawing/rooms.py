# SPDX-License-Identifier: GPL-2.0-or-later
"""Draws the rooms of target-i386-ext/ and of scripts/dseg/, and who knows whom, from the files.

usage: PYTHONPATH=scripts /usr/bin/python3 -m dseg.drawing.rooms FOLDER

Writes FOLDER/rooms.svg and FOLDER/rooms-of-scripts.svg: docs/design.md has them.
"""

import argparse
import ast
import re
import textwrap
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from .. import ROOT, run_main

EXTENSION, SCRIPTS, PATCHES = ROOT / 'target-i386-ext', ROOT / 'scripts/dseg', ROOT / 'qemu-patches'
DOOR = 'dseg.h'                         # of target-i386-ext; belongs to cpu/

# Each knows only those before it.
OF_EXTENSION = {
    'model': 'the rules of direct segments, and what a walk costs (plain C)',
    'tlb': 'a modelled TLB (plain C)',
    'caches': 'modelled caches, in which walks find page-table entries (plain C)',
    'cpu': 'what a CPU does: hooks of the walker, registers, world switches, QEMU\'s TLB',
    'monitor': 'commands, statistics, and do segments agree with the page tables',
}
OF_SCRIPTS = {
    'base': 'processes, locks, files, options, progress',
    'drawing': 'pictures',
    'source': 'the source of QEMU: fetch, patch, build',
    'guests': 'what the guests boot: kernels, ramdisks, modules, programs',
    'stack': 'L1 and L2 that run: consoles, workloads, segments in each mode',
    'testing': 'the suites, and what else looks for faults',
    'points': 'what an experiment file asks for, and where its results are',
    'reports': 'from records of points to overheads, claims, tables and figures',
    'experiments': 'what is measured, and shown',
}
UPSTREAM = 'QEMU'

# In points.
WIDTH, LEFT, TOP, GAP = 530, 16, 16, 20
LINE, LETTERS = 15, 98                  # of names in a box
ARC, PORT = 30, 8                       # between two arrows: their lines, and their ends
BOX, TEXT, FAINT = '#0072b2', '#222222', '#888888'


@dataclass
class Room:
    """A box of the picture."""
    name: str
    about: str
    files: list

    @property
    def lines(self):
        return textwrap.wrap(', '.join(self.files), LETTERS, break_on_hyphens=False)

    @property
    def height(self):
        return 34 + LINE * len(self.lines)


def included(file):
    """What a C file includes of ours: cpu/state.h, say."""
    for header in re.findall(r'^#include "([^"]+)"', file.read_text(), re.M):
        if header == DOOR:
            yield f'cpu/{DOOR}'
        elif header.partition('/')[0] in OF_EXTENSION and (EXTENSION / header).exists():
            yield header


def imported(file):
    """What a module of Python imports of ours, as it is called below dseg: base.locks, say."""
    package = file.relative_to(SCRIPTS).parent.parts
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            words = [*package[:len(package) - node.level + 1], *(node.module or '').split('.')]
            base = '.'.join(filter(None, words))
            yield from (f'{base}.{name.name}'.strip('.') for name in node.names)


def hooked_files():
    """QEMU's own files in which our patches call the door."""
    found = Counter()
    for patch in sorted(PATCHES.glob('*.patch')):
        for part in re.split(r'^diff --git ', patch.read_text(), flags=re.M)[1:]:
            name = re.match(r'a/(\S+)', part)[1]
            found[name] += len(re.findall(r'^\+.*\bx86_dseg_\w+\(', part, re.M))
    return sorted(name for name, calls in found.items() if calls and name.endswith('.c'))


def of_extension():
    """The rooms, the last first, and how often files of one include those of another."""
    rooms, arrows = [], Counter()
    for name, about in OF_EXTENSION.items():
        files = sorted((EXTENSION / name).glob('*.[ch]'))
        rooms.insert(0, Room(name, about, sorted({file.stem for file in files})))
        arrows.update((name, header.partition('/')[0]) for file in files for header in included(file))
    hooks = hooked_files()
    rooms.insert(0, Room(UPSTREAM, f'upstream files with hooks, which call the functions of {DOOR}',
                         [Path(name).name for name in hooks]))
    arrows[UPSTREAM, 'cpu'] = len(hooks)
    return rooms, arrows


def of_scripts():
    """The same of the Python."""
    rooms, arrows = [], Counter()
    for name, about in OF_SCRIPTS.items():
        files = sorted((SCRIPTS / name).rglob('*.py'))
        modules = sorted({file.relative_to(SCRIPTS / name).parts[0].removesuffix('.py') for file in files})
        rooms.insert(0, Room(name, about, modules))
        arrows.update((name, module.partition('.')[0]) for file in files for module in imported(file))
    return rooms, arrows


def draw(rooms, arrows, what, file):
    """Write the picture: a box for each room, and an arrow to each that it knows."""
    from . import grid      # pylint: disable=import-outside-toplevel  (the test needs no matplotlib)
    grid.matplotlib.rcParams['svg.fonttype'] = 'none'
    grid.matplotlib.rcParams['svg.hashsalt'] = 'rooms'
    shown = [(pair, count) for pair, count in arrows.items()
             if pair[0] != pair[1] and {*pair} <= {room.name for room in rooms}]
    height = 2 * TOP + 20 + sum(room.height + GAP for room in rooms)
    figure, axes = grid.new_axes(LEFT + WIDTH + 30 + ARC * len(shown), height)
    picture = grid.Picture(axes)
    places, y = {}, TOP
    for room in rooms:
        picture.box(LEFT, y, WIDTH, room.height, BOX)
        picture.text(LEFT + 12, y + 15, f'{room.name}/' if room.name != UPSTREAM else room.name,
                     size=10, align='left', weight='bold', colour=BOX)
        picture.text(LEFT + 96, y + 15, room.about, size=9, align='left')
        for number, line in enumerate(room.lines):
            picture.text(LEFT + 12, y + 36 + LINE * number, line, size=8, align='left',
                         family='monospace')
        places[room.name] = y
        y += room.height + GAP
    order = {room.name: number for number, room in enumerate(rooms)}
    shown.sort(key=lambda item: (order[item[0][1]] - order[item[0][0]], order[item[0][0]]))
    # At the right side of a box those that arrive are above those that leave.
    ports = {name: place + 9 for name, place in places.items()}
    arrivals = {}
    for pair, _ in shown:
        arrivals[pair] = ports[pair[1]]
        ports[pair[1]] += PORT
    for number, (pair, count) in enumerate(shown):
        x, begin, end = LEFT + WIDTH + 24 + ARC * number, ports[pair[0]], arrivals[pair]
        ports[pair[0]] += PORT
        picture.line((LEFT + WIDTH, x, x), (begin, begin, end), FAINT, 1)
        picture.arrow(x, end, LEFT + WIDTH, end, FAINT, 1)
        picture.text(x, (begin + end) / 2, count, size=8, backgroundcolor='white')
    picture.text(LEFT, height - TOP, what, size=8.5, align='left', colour=FAINT)
    figure.savefig(file, metadata={'Date': None})
    grid.pyplot.close(figure)


def main(arguments):
    """Draw both into the folder."""
    parser = argparse.ArgumentParser(prog='python3 -m dseg.drawing.rooms', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path)
    folder = parser.parse_args(arguments).folder
    draw(*of_extension(), 'An arrow leads to a room that is known; its number counts #include lines '
         '(from QEMU: files).', folder / 'rooms.svg')
    draw(*of_scripts(), 'An arrow leads to a room that is known; its number counts imports.',
         folder / 'rooms-of-scripts.svg')
    return 0


if __name__ == '__main__':
    run_main('dseg.drawing.rooms', main)
