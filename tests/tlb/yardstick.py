# SPDX-License-Identifier: GPL-2.0-or-later
"""What the TLB model is held against: programs, run in QEMU with the plugin that traces them, and
traces, read by the simulator; and QEMU's own counts of the same programs."""

import functools
import json
import os
import subprocess
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from dseg.stack.stack import Machine, qemu_binary
from dseg.testing import baremetal

HERE = Path(__file__).parent
BUILD = Path(os.environ.get('DSEG_TLB_BUILD', HERE.parents[1] / 'build/tests'))
PROGRAMS = sorted(file.stem for file in (HERE / 'programs').glob('*.c')
                  if file.stem not in ('space', 'guest'))
SYNTHETIC = json.loads((HERE / 'geometries.json').read_text())
FIRST = 'sandybridge-ep'        # the preset that single tests use
BLIND = ' with L1 '     # names geometries whose policies hits do not matter to
RAM = 64 << 20          # what baremetal.command() gives a machine
TIMEOUT = 120.0         # a float: event_wait() takes an int for forever
LABEL_BEGIN, LABEL_END = 1, 2
ICOUNT = ('-accel', 'tcg,thread=single', '-icount', 'shift=0,sleep=off')


@functools.cache
def ask(command, **arguments):
    """What QEMU answers without a machine."""
    words = [str(qemu_binary()), '-S', '-M', 'none', '-nodefaults']
    machine = Machine(words[0], args=words[1:])
    try:
        machine.launch()
        return machine.cmd(command, **arguments)
    finally:
        machine.shutdown()


@functools.cache
def geometries():
    """Name to geometry: QEMU's presets, and small ones of every policy."""
    presets = ask('query-x86-dseg-tlb-presets')
    found = {entry['name']: entry['geometry'] for entry in [*presets, *SYNTHETIC]}
    return {**found, **{f'{name}{BLIND}{policy}': with_l1(geometry, policy)
                        for name, geometry in found.items() for policy in ('fifo', 'random')}}


def with_l1(geometry, policy):
    """The same, with another policy of L1 and segments beside L2."""
    arrays = [{**array, 'policy': policy} if array['level'].startswith('l1') else array
              for array in geometry['arrays']]
    return {**geometry, 'arrays': arrays, 'segments': 'l2'}


def is_blind(name):
    """Whether it is one of those that with_l1() made."""
    return BLIND in name


def command(program, *, cpu='on', more=()):
    """QEMU's words: one CPU, and what the other suites give such a program."""
    options = SimpleNamespace(qemu=qemu_binary(), dseg=f'{cpu},pcid=on,invpcid=on',
                              program=BUILD / f'tlb-{program}')
    words = [str(word) for word in baremetal.command(options)]
    if ICOUNT[0] in more:
        at = words.index('-accel')
        del words[at:at + 2]
    return [*words, '-smp', '1', *more]


def record(program, file, more=()):
    """Run a program with the plugin; skips the test if the CPU lacks what it is about."""
    plugin = f'{BUILD / "tlb-trace-plugin.so"},trace={file},ram={RAM}'
    run = subprocess.run(command(program, more=('-plugin', plugin, *more)), check=False,
                         stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         timeout=TIMEOUT)
    assert run.returncode == baremetal.PASSED, run.stdout + run.stderr
    for line in run.stdout.splitlines():
        if line.startswith('# SKIP '):
            pytest.skip(line.removeprefix('# SKIP '))
    return file


def simulator_text(geometry, mode):
    """A geometry as geometry.h has it."""
    arrays = [f'array {array["level"]} pages={",".join(array["pages"])} '
              f'entries={array["entries"]} ways={array["ways"]} '
              f'policy={array.get("policy", "lru")}'
              for array in geometry['arrays']]
    walks = [' '.join(['walk-cache', dimension, *(
                 f'{level}={entries}'
                 for level, entries in geometry.get(f'{dimension}-walk-cache', {}).items())])
             for dimension in ('guest', 'nested')]
    return '\n'.join([*arrays, *walks, *caches_text(geometry.get('caches')),
                      f'seed {geometry.get("seed", 0)}', f'mode {mode}',
                      f'segments {geometry.get("segments", "l2")}', ''])


def caches_text(caches):
    """The lines for the caches of a geometry, which may have none."""
    if not caches:
        return []
    settings = [f'{key}={value}' for key, value in caches.items() if not isinstance(value, dict)]
    return [' '.join(['caches', *settings])] + [
        f'cache {name} size={cache["size"]} ways={cache["ways"]} latency={cache["latency"]} '
        f'policy={cache.get("policy", "lru")} '
        f'inclusive={"yes" if cache.get("inclusive") else "no"}'
        for name, cache in caches.items() if isinstance(cache, dict)]


def simulate(trace_file, name, folder, mode='exact'):
    """What the simulator counts; in mode inclusive the caches see less, and hits of L1 are those
    of mode exact all the same."""
    text = folder / f'{name}.geometry'
    text.write_text(simulator_text(geometries()[name], mode))
    run = subprocess.run([BUILD / 'tlb-simulator', text, trace_file], check=False,
                         capture_output=True, text=True, timeout=TIMEOUT)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def markers(program, name, folder, more=(), mode='exact', meanwhile=None):
    """What QEMU has counted in that mode, as it stands at each marker.

    meanwhile: a command of HMP to send again and again
    """
    geometry = geometries()[name]
    features = ',dseg-caches=on' if 'caches' in geometry else ''
    file = folder / f'{name}.json'
    file.write_text(json.dumps(geometry))
    words = command(program, cpu=f'on,dseg-tlb={file},dseg-tlb-mode={mode}{features}',
                    more=('-S', '-action', 'shutdown=pause', *more))
    machine = Machine(words[0], args=words[1:], log_dir=str(folder))
    try:
        machine.launch()
        machine.cmd('cont')     # not before QEMU sends us events
        end = time.monotonic() + TIMEOUT
        while not machine.event_wait('STOP', timeout=0.0 if meanwhile else TIMEOUT):
            machine.cmd('human-monitor-command', **{'command-line': meanwhile})
            assert time.monotonic() < end, 'the program ends in time'
        return {marker['label']: marker for marker in machine.cmd('query-x86-dseg-markers')}
    finally:
        machine.shutdown()


def measure(program, name, folder, more=(), mode='exact'):
    """What QEMU's TLB and caches have counted, as it stands at both markers."""
    found = markers(program, name, folder, more, mode)
    return found[LABEL_BEGIN]['tlb'], found[LABEL_END]['tlb']


def numbers(counts):
    """Counts as a Counter."""
    flat = Counter()
    for name in ('hits', 'misses'):
        for row in counts[name]:
            flat[name, row['level'], row['kind'], row['pages']] = row['count']
    for row in counts['invalidations']:
        for name in ('count', 'entries'):
            flat['invalidations', row['cause'], name] = row[name]
    for name in ('dirty-misses', 'segment-hits', 'segment-hits-l1', 'walks'):
        for part, count in counts[name].items():
            flat[name, part] = count
    for row in counts['arrays']:
        flat['evictions', row['array']] = row['evictions']
    for name, count in counts.get('walk-caches', {}).items():
        for index, part in enumerate(count if isinstance(count, list) else [count]):
            flat[name, index] = part
    if 'caches' in counts:
        flat += cache_numbers(counts['caches'])
    return flat


def step_numbers(steps):
    """Steps of walks as a Counter; those of caches by place, too."""
    return Counter({('steps', *(step.get(key) for key in (
        'world', 'privilege', 'dimension', 'for-level', 'table-level', 'place'))): step['count']
        for step in steps})


def cache_numbers(counts):
    """What the caches have counted, as a Counter."""
    flat = step_numbers(counts['steps'])
    for row in counts['data']:
        flat['data', row['kind'], row['place']] = row['count']
    for row in counts['walk-cycles']:
        flat['walk-cycles', row['regime'], row['access'], row['privilege']] = row['cycles']
    flat['data-cycles', ] = counts['data-cycles']
    for kind in ('load', 'store'):
        flat['swept', kind] = counts['swept'][kind]
    for row in counts['caches']:
        for name in ('evictions', 'back-invalidations'):
            flat[name, row['cache']] = row[name]
    return flat


def differences(expected, begin, end):
    """Counts that are others between two markers: what is expected, and what is found."""
    wanted, region = numbers(expected), numbers(end)
    region.subtract(numbers(begin))
    return {key: (wanted[key], region[key])
            for key in {*wanted, *region} if wanted[key] != region[key]}


def used(counts):
    """How many entries of each array and lines of each cache are valid."""
    rows = [*counts['arrays'], *counts.get('caches', {'caches': []})['caches']]
    return [row['used'] for row in rows]


def total(counts, name, level):
    """Hits or misses of a level, of all kinds and sizes."""
    return sum(row['count'] for row in counts[name] if row['level'] == level)
