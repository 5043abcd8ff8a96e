#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""No room of target-i386-ext/ knows one behind it: what it includes, and what it calls.

usage: rooms.py FOLDER
FOLDER is target-i386-ext/. Prints TAP.
"""

import re
import sys
from pathlib import Path

ROOMS = ('model', 'tlb', 'caches', 'cpu', 'monitor')
PLAIN = ('model', 'tlb', 'caches')      # C without a header of QEMU
DOOR = 'dseg.h'                         # belongs to cpu/


def room_of(header):
    """The room that an include of that name leads to; None if it is not ours."""
    if header == DOOR:
        return 'cpu'
    room = header.partition('/')[0]
    return room if room in ROOMS and (FOLDER / header).exists() else None


def wrong_includes(room):
    """What files of a room include and must not, a line each."""
    for file in sorted((FOLDER / room).glob('*.[ch]')):
        for header in re.findall(r'^#include "([^"]+)"', file.read_text(), re.M):
            other = room_of(header)
            if other and ROOMS.index(other) > ROOMS.index(room):
                yield f'{room}/{file.name} includes {header}: {room} must not know {other}'
            elif room in PLAIN and not other:
                yield f'{room}/{file.name} includes {header}, a header of QEMU: {room} is plain C'


def names_of(pattern, room, function):
    """Words that function finds in each C file of a room."""
    found = {}
    for file in sorted((FOLDER / room).glob('*.c')):
        for name in re.findall(pattern, function(file), re.M):
            found.setdefault(name, file.name)
    return found


def without_comments(file):
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(\\.|[^"\\\n])*"', ' ', file.read_text(), flags=re.S)


def definitions(room):
    """Functions that other files may call: at the beginning of a line, after their type."""
    return names_of(r'^(?!static|typedef|extern|#)\w[\w \*]*?\b(\w+)\([^;{]*\)\s*\{', room, without_comments)


def wrong_calls(room):
    """Calls of a function that a room behind defines, a line each."""
    calls = names_of(r'\b(\w+)\(', room, without_comments)
    for other in ROOMS[ROOMS.index(room) + 1:]:
        for name in sorted(set(calls) & set(definitions(other))):
            yield f'{room}/{calls[name]} calls {name}() of {other}'


def report(number, name, problems):
    """One test case."""
    print(f'{"not ok" if problems else "ok"} {number} - {name}')
    for problem in problems:
        print(f'# {problem}')


FOLDER = Path(sys.argv[1])
if __name__ == '__main__':
    print(f'1..{2 * len(ROOMS)}')
    for index, ROOM in enumerate(ROOMS):
        report(2 * index + 1, f'/rooms/{ROOM}-includes-only-rooms-before-it', list(wrong_includes(ROOM)))
        report(2 * index + 2, f'/rooms/{ROOM}-calls-only-rooms-before-it', list(wrong_calls(ROOM)))
