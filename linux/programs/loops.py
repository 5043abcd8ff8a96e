# SPDX-License-Identifier: GPL-2.0-or-later
"""What python3 does as a workload: loops as benchmarks of it have them, each with a check.

usage: loops.py BYTES TURNS SEED

Executes the markers around them, and prints a checksum and how many results were wrong.
"""

import hashlib
import json
import math
import os
import random
import re
import sys

ENTRY = 200             # bytes of an entry of a dictionary, about
MARK = '/tmp/program/mark'


def planets(turns):
    """Four bodies around a heavy one; their energy stays what it was."""
    bodies = [[0.0, 0.0, 0.0, 0.0, 1.0]] + [
        [radius, 0.0, 0.0, 1 / math.sqrt(radius), 1e-6] for radius in (1.0, 1.7, 2.9, 5.1)]

    def energy():
        moving = sum(mass * (vx * vx + vy * vy) / 2 for _, _, vx, vy, mass in bodies)
        return moving - sum(one[4] * other[4] / math.dist(one[:2], other[:2])
                            for i, one in enumerate(bodies) for other in bodies[:i])
    before = energy()
    for _ in range(turns):
        for i, one in enumerate(bodies):
            for other in bodies[:i]:
                dx, dy = one[0] - other[0], one[1] - other[1]
                pull = 0.001 / (dx * dx + dy * dy) ** 1.5
                one[2] -= dx * other[4] * pull
                one[3] -= dy * other[4] * pull
                other[2] += dx * one[4] * pull
                other[3] += dy * one[4] * pull
        for body in bodies:
            body[0] += 0.001 * body[2]
            body[1] += 0.001 * body[3]
    after = energy()
    return f'{after:.6e}', abs(after - before) < 0.01 * abs(before)


def flips(turns):
    """Pancakes: the most flips that a permutation takes, of as many as turns are."""
    most = 0
    order = list(range(9))
    generator = random.Random(turns)
    for _ in range(turns // 10):
        generator.shuffle(order)
        stack, count = order[:], 0
        while stack[0]:
            stack[:stack[0] + 1] = stack[stack[0]::-1]
            count += 1
        most = max(most, count)
    return most, 0 <= most <= 30    # 30 is the most of nine


def dictionary(table, turns, generator):
    """Random entries of a large dictionary."""
    keys = [f'key {generator.randrange(len(table))}' for _ in range(turns)]
    total = sum(table[key]['number'] for key in keys)
    return total, total == sum(int(key[4:]) for key in keys)


def words(turns, generator):
    """Text that is split, counted, and joined."""
    text = ' '.join(f'{generator.randrange(1000):03}' for _ in range(turns))
    found = re.findall(r'\b(\d)(\d)(\d)\b', text)
    counts = {}
    for word in text.split():
        counts[word] = counts.get(word, 0) + 1
    return sorted(counts.items())[:10], len(found) == turns == sum(counts.values())


def documents(turns, generator):
    """JSON there and back."""
    document = [{'id': i, 'values': [generator.random() for _ in range(5)], 'name': f'number {i}'}
                for i in range(turns // 10)]
    text = json.dumps(document)
    return hashlib.sha256(text.encode()).hexdigest(), json.loads(text) == document


def sorting(turns, generator):
    """By a key that is a function."""
    numbers = [generator.randrange(1 << 30) for _ in range(turns)]
    found = sorted(numbers, key=lambda number: -number)
    return found[:3], all(one >= other for one, other in zip(found, found[1:]))


def main(size, turns, seed):
    """All of them, between the markers."""
    table = {f'key {i}': {'number': i} for i in range(max(1, size // ENTRY // 2))}
    generator = random.Random(seed)
    os.system(f'{MARK} begin')
    results = [planets(turns), flips(turns), dictionary(table, turns, generator),
               words(turns, generator), documents(turns, generator), sorting(turns, generator)]
    os.system(f'{MARK} end')
    text = json.dumps([result for result, _ in results])
    print(hashlib.sha256(text.encode()).hexdigest()[:16], sum(not right for _, right in results))


main(*map(int, sys.argv[1:]))
