# SPDX-License-Identifier: GPL-2.0-or-later
"""The TLB model counts what a simulator counts that knows docs/spec/tlb.rst alone.

Each program of programs/ runs in QEMU with the plugin that traces it, and the simulator reads the
trace; then it runs with each geometry in QEMU's own model. The counts of the region between the
markers 1 and 2 have to be equal: all of them in exact mode, and all but hits of L1 in inclusive
mode, if these do not change what is evicted.
"""

import functools
import json
import os
import shutil
import subprocess
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
def geometries():
    """Name to geometry: QEMU's presets, and small ones of every policy."""
    words = [str(qemu_binary()), '-S', '-M', 'none', '-nodefaults']
    machine = Machine(words[0], args=words[1:])
    try:
        machine.launch()
        presets = machine.cmd('query-x86-dseg-tlb-presets')
    finally:
        machine.shutdown()
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


def pytest_generate_tests(metafunc):
    """A test with the argument name is run for each geometry; with blind, for these only."""
    if 'name' in metafunc.fixturenames:
        metafunc.parametrize('name', (name for name in geometries() if not is_blind(name)))
    if 'blind' in metafunc.fixturenames:
        metafunc.parametrize('blind', filter(is_blind, geometries()))


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


@pytest.fixture(scope='session')
def trace(tmp_path_factory):
    """The trace of a program, made once."""
    folder = tmp_path_factory.mktemp('traces')
    made = {}

    def of(program):
        if program not in made:
            made[program] = record(program, folder / f'{program}.trace')
        return made[program]
    yield of
    shutil.rmtree(folder)       # some hundred megabytes


def simulator_text(geometry):
    """A geometry as geometry.h has it."""
    arrays = [f'array {array["level"]} pages={",".join(array["pages"])} '
              f'entries={array["entries"]} ways={array["ways"]} '
              f'policy={array.get("policy", "lru")}'
              for array in geometry['arrays']]
    caches = [' '.join(['walk-cache', dimension, *(
                  f'{level}={entries}'
                  for level, entries in geometry.get(f'{dimension}-walk-cache', {}).items())])
              for dimension in ('guest', 'nested')]
    return '\n'.join([*arrays, *caches, f'seed {geometry.get("seed", 0)}',
                      f'segments {geometry.get("segments", "l2")}', ''])


def simulate(trace_file, name, folder):
    """What the simulator counts."""
    text = folder / f'{name}.geometry'
    text.write_text(simulator_text(geometries()[name]))
    run = subprocess.run([BUILD / 'tlb-simulator', text, trace_file], check=False,
                         capture_output=True, text=True, timeout=TIMEOUT)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def measure(program, name, folder, more=(), mode='exact'):
    """What QEMU counts in that mode, as it stands at both markers."""
    file = folder / f'{name}.json'
    file.write_text(json.dumps(geometries()[name]))
    words = command(program, cpu=f'on,dseg-tlb={file},dseg-tlb-mode={mode}',
                    more=('-S', '-action', 'shutdown=pause', *more))
    machine = Machine(words[0], args=words[1:], log_dir=str(folder))
    try:
        machine.launch()
        machine.cmd('cont')     # not before QEMU sends us events
        machine.event_wait('STOP', timeout=TIMEOUT)
        markers = {marker['label']: marker['tlb']
                   for marker in machine.cmd('query-x86-dseg-markers')}
        return markers[LABEL_BEGIN], markers[LABEL_END]
    finally:
        machine.shutdown()


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
    return flat


def differences(expected, begin, end):
    """Counts that are others between two markers: what is expected, and what is found."""
    wanted, region = numbers(expected), numbers(end)
    region.subtract(numbers(begin))
    return {key: (wanted[key], region[key])
            for key in {*wanted, *region} if wanted[key] != region[key]}


def used(counts):
    """How many entries of each array are valid."""
    return [row['used'] for row in counts['arrays']]


def total(counts, name, level):
    """Hits or misses of a level, of all kinds and sizes."""
    return sum(row['count'] for row in counts[name] if row['level'] == level)


@pytest.mark.parametrize('program', PROGRAMS)
def test_exact_mode_counts_as_the_simulator(program, name, trace, tmp_path):
    expected = simulate(trace(program), name, tmp_path)
    begin, end = measure(program, name, tmp_path)
    assert not differences(expected, begin, end), 'what the simulator says, and what QEMU'
    assert used(expected) == used(end)


@pytest.mark.parametrize('program', PROGRAMS)
def test_inclusive_mode_counts_all_but_hits_of_l1_as_the_simulator(program, blind, trace, tmp_path):
    expected = simulate(trace(program), blind, tmp_path)
    begin, end = measure(program, blind, tmp_path, mode='inclusive')
    different = {key: both for key, both in differences(expected, begin, end).items()
                 if key[:2] != ('hits', 'l1')}
    assert not different, 'what the simulator says, and what QEMU'
    assert used(expected) == used(end)


@pytest.mark.parametrize('program', PROGRAMS)
def test_exact_mode_repeats_itself_under_icount(program, trace, tmp_path):
    trace(program)      # skips what the CPU lacks
    first, second = (measure(program, FIRST, tmp_path, ICOUNT) for _ in range(2))
    assert first == second


@pytest.mark.parametrize('program', PROGRAMS)
def test_the_simulator_repeats_itself_with_and_without_icount(program, trace, tmp_path):
    expected = simulate(trace(program), FIRST, tmp_path)
    for _ in range(2):
        file = record(program, tmp_path / 'icount.trace', ICOUNT)
        assert simulate(file, FIRST, tmp_path) == expected
        file.unlink()


@pytest.mark.parametrize('program', PROGRAMS)
def test_the_simulator_obeys_the_identities(program, name, trace, tmp_path):
    counts = simulate(trace(program), name, tmp_path)
    walks = sum(counts['walks'].values())
    assert walks == total(counts, 'misses', 'l2') - sum(counts['segment-hits'].values())
    assert (total(counts, 'hits', 'l2') + total(counts, 'misses', 'l2')
            == total(counts, 'misses', 'l1')), 'L2 lookups = L1 misses'
    assert walks > 0


@pytest.fixture(scope='module')
def sandybridge(trace, tmp_path_factory):
    """What the simulator counts of a program with that preset."""
    folder = tmp_path_factory.mktemp(FIRST)
    return lambda program: simulate(trace(program), FIRST, folder)


@pytest.mark.parametrize('program, what', [
    ('spaces', {'mov-cr3', 'cr4'}), ('invlpg', {'invlpg'}), ('native-segment', {'guest-segment'}),
    ('pcid', {'mov-cr3', 'cr4', 'invpcid-address', 'invpcid-context', 'invpcid-all',
              'invpcid-all-nonglobal'}),
    ('invlpga', {'invlpga'}), ('vm-segments', {'vmm-segment', 'guest-segment', 'tlb-control'}),
    ('vms', {'tlb-control', 'mov-cr3', 'invlpg', 'cr4'}),
])
def test_programs_meet_the_invalidations_that_they_are_about(program, what, sandybridge):
    causes = {row['cause']: row for row in sandybridge(program)['invalidations']}
    assert what <= set(causes)
    assert all(causes[cause]['entries'] > 0 for cause in what), 'and they remove entries'


def test_invlpg_removes_more_pieces_of_a_page_than_a_whole_page_has_entries(sandybridge):
    """A page that is not in pieces has one in each of L1D, L1I and L2."""
    row, = (row for row in sandybridge('vms')['invalidations'] if row['cause'] == 'invlpg')
    assert row['entries'] > 3 * row['count']


@pytest.mark.parametrize('program, level, kind, pages', [
    ('stride', 'l2', 'load', '4k'), ('random', 'l2', 'store', '4k'), ('chase', 'l1', 'load', '2m'),
    ('sizes', 'l1', 'load', '1g'), ('sizes', 'l2', 'store', '2m'), ('code', 'l2', 'fetch', '4k'),
    ('code', 'l1', 'fetch', '2m'), ('unpaged', 'l2', 'load', '2m'), ('vms', 'l1', 'load', '2m'),
])
def test_programs_miss_as_they_are_meant_to(program, level, kind, pages, sandybridge):
    assert any((row['level'], row['kind'], row['pages']) == (level, kind, pages)
               for row in sandybridge(program)['misses'])


def test_code_is_fetched_where_it_is_called_and_not_where_it_was_translated(sandybridge):
    """The pages of code.c are frames with several virtual addresses, of 4K and 2M."""
    calls, thirds, fifths = 25000, 8334, 5000
    counts = sandybridge('code')
    lookups = Counter()
    for row in [*counts['hits'], *counts['misses']]:
        if (row['level'], row['kind']) == ('l1', 'fetch'):
            lookups[row['pages']] += row['count']
    # A call and a return each, and one more page for what straddles two.
    assert lookups == {'4k': calls + 2 * thirds, '2m': calls + thirds + fifths + 2 * fifths}


@pytest.mark.parametrize('program', ['native-segment', 'vm-segments'])
def test_segments_hit(program, sandybridge):
    assert sum(sandybridge(program)['segment-hits'].values()) > 100


def test_stores_to_clean_pages_miss(sandybridge):
    assert sandybridge('dirty')['dirty-misses']['l1'] > 100
