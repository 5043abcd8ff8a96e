# SPDX-License-Identifier: GPL-2.0-or-later
"""Numbers say where they are from: those of demo, bench, tlb-accuracy and tradeoffs as those of points.

What boots guests has a stand-in, whose numbers are made up.
"""

import hashlib
import json
import os
import shlex
import stat
from types import SimpleNamespace

import pytest

from dseg import ROOT
from dseg.experiments import bench, bench_tlb, demo, provenance, tlbaccuracy
from dseg.experiments.measure import Result, Walks
from dseg.experiments.sweep.group import origin_of
from dseg.experiments.tradeoffs import table
from dseg.stack.modes import MODES
from dseg.stack.workload import Round
from conftest import git

VERSION, KERNEL = '10.0.99', '6.1.0-99-cloud-amd64'
KEYS = {'host', 'host-kernel', 'system', 'processor', 'processors', 'memory', 'python', 'project',
        'versions', 'inputs', 'command'}


def bzimage(version):
    """As much of a kernel as has its version: Documentation/arch/x86/boot.rst of Linux."""
    setup = bytearray(0x400)
    setup[0x202:0x206] = b'HdrS'
    setup[0x20e:0x210] = (0x100).to_bytes(2, 'little')
    text = f'{version} (debian-kernel@lists.debian.org) #1 SMP\0'.encode()
    setup[0x300:0x300 + len(text)] = text
    return bytes(setup)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """What a boot reads, by name; the disk of programs has not been made."""
    folder = tmp_path / 'guest'
    folder.mkdir()
    found = {'qemu': tmp_path / 'qemu', 'stock-qemu': tmp_path / 'stock',
             'kernel': folder / 'vmlinuz', 'ramdisk': folder / 'l1.cpio'}
    for name in 'qemu', 'stock-qemu':
        found[name].write_text(f'#!/bin/sh\n# {name}\necho "QEMU emulator version {VERSION} (of a test)"\n')
        found[name].chmod(found[name].stat().st_mode | stat.S_IXUSR)
    found['kernel'].write_bytes(bzimage(KERNEL))
    found['ramdisk'].write_text('a ramdisk')
    for module in provenance, bench:
        monkeypatch.setattr(module, 'qemu_binary',
                            lambda stock=False: found['stock-qemu' if stock else 'qemu'])
    monkeypatch.setattr(provenance, 'GUEST', folder)
    monkeypatch.setattr(provenance, 'PROGRAMS', folder / 'none')
    forget()
    yield found
    forget()


def forget():
    for each in vars(provenance).values():
        if hasattr(each, 'cache_clear'):
            each.cache_clear()


def walks_of(mode):
    """Such as the poster has it."""
    return Walks.from_reply([{
        'regimes': [{'regime': mode, 'access': 'load', 'privilege': 'user', 'walks': 9, 'guest-refs': 0,
                     'nested-refs': 9 * MODES[mode].refs, 'checks': 9 * MODES[mode].checks,
                     'filter-lookups': 0, 'escapes': 0, 'false-escapes': 0}],
        'refs-histogram': [{'world': MODES[mode].world, 'privilege': 'user', 'guest': 0,
                            'nested': MODES[mode].refs, 'walks': 9}],
        'checks-histogram': [{'world': MODES[mode].world, 'privilege': 'user', 'walks': 9,
                              'checks': MODES[mode].checks}],
        'steps': [], 'pages': [], 'exits': [], 'faults': {}}])


def demo_results(*_):
    rounds = [Round(1, 1000, 0.5, 'ab', 0)]
    return [*(Result(mode, walks_of(mode), rounds) for mode in MODES),
            Result('dual-direct', walks_of('dual-direct'), rounds, demo.ESCAPE)]


def poster_table(*_, **__):
    """What is found if all is as the poster says."""
    found = table.Table()
    sides = {side: {'attempted': 9, 'done': 9} for side in ('inside', 'outside')}
    for name, row in table.POSTER.items():
        for mode, value in zip(table.COLUMNS, row):
            found.set(name, mode, value, {**sides, 'reason': 'made up'})
    return found


def run_demo(monkeypatch, tmp_path):
    pytest.importorskip('matplotlib')
    monkeypatch.setattr(demo, 'run', demo_results)
    demo.main(['--json', f'{tmp_path}/out.json', '--chart', f'{tmp_path}/out.svg', '--rounds', '3'])
    return 'demo', ['--chart', f'{tmp_path}/out.svg', '--rounds', '3'], {}


def run_bench(monkeypatch, tmp_path):
    found = {**dict.fromkeys(bench.MEASURES, 2.0), bench.DUAL: 3.0}
    monkeypatch.setattr(bench, 'run_once', lambda *_: found)
    bench.main(['overhead', '--runs', '2', '--json', f'{tmp_path}/out.json'])
    return 'bench', ['overhead', '--runs', '2'], {'stock-qemu'}


def run_bench_tlb(monkeypatch, tmp_path):
    (tmp_path / 'plugin.so').write_text('a plugin')
    monkeypatch.setattr(bench_tlb, 'build_plugins', lambda: {'plugin': tmp_path / 'plugin.so'})
    workloads = (bench_tlb.BOOT, *bench_tlb.PROGRAMS)
    monkeypatch.setattr(bench_tlb, 'measure', lambda name: dict.fromkeys(
        (*workloads, *map(bench_tlb.cpu_time, workloads)), 2.0))
    bench.main(['tlb', '--json', f'{tmp_path}/out.json'])
    return 'bench', ['tlb'], {'plugin'}


def run_tlb_accuracy(monkeypatch, tmp_path):
    monkeypatch.setattr(tlbaccuracy, 'preset', lambda name: {'arrays': []})
    monkeypatch.setattr(tlbaccuracy, 'count', lambda *_: dict.fromkeys(tlbaccuracy.COLUMNS, 7))
    assert tlbaccuracy.main(['--json', f'{tmp_path}/out.json', '--run', 'gups']) == 0
    return 'tlb-accuracy', ['--run', 'gups'], {}


def run_tradeoffs(monkeypatch, tmp_path):
    monkeypatch.setattr(table, 'make_table', poster_table)
    assert table.main(['--json', f'{tmp_path}/out.json', '--logs', f'{tmp_path}/logs']) == 0
    return 'tradeoffs', ['--logs', f'{tmp_path}/logs'], {}


@pytest.mark.parametrize('run', [run_demo, run_bench, run_bench_tlb, run_tlb_accuracy, run_tradeoffs])
def test_a_script_s_json_says_where_its_numbers_are_from(run, files, monkeypatch, tmp_path, capsys):
    script, words, more = run(monkeypatch, tmp_path)
    document = json.loads((tmp_path / 'out.json').read_text())
    found = document['provenance']
    assert set(found) == KEYS
    assert found['versions'] == {'qemu': VERSION, 'kernel': KERNEL}
    assert found['host'] == os.uname().nodename and found['processors'] == os.cpu_count()
    hashes = {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()
              if name != 'stock-qemu' or name in more}
    assert {name: found['inputs'][name] for name in hashes} == hashes
    assert found['inputs']['programs'] is None
    assert set(found['inputs']) == {*hashes, 'programs', *more}
    # The command is one that the script understands, with what made the numbers.
    said = shlex.split(found['command'])
    assert said[0] == f'scripts/{script}' and (ROOT / said[0]).exists()
    at = said.index('--json')
    assert said[1:at] + said[at + 2:] == words
    assert set(document) - {'provenance', 'schema'} and document['schema'] in (1, 2)


def test_a_point_s_provenance_is_that_of_a_script_and_its_axes(files):
    store = SimpleNamespace(experiment={'source': 'an experiment.toml', 'size': 'smoke'})
    point = SimpleNamespace(id='12ab', inputs={'qemu': 'a hash'}, axes={'seed': 1})
    found = origin_of(store, point)
    assert set(found) == {*KEYS, 'axes'} and found['axes'] == {'seed': 1}
    assert found['versions'] == {'qemu': VERSION, 'kernel': KERNEL}
    assert shlex.split(found['command']) == [
        'scripts/experiment', 'run', 'an experiment.toml', '--size', 'smoke',
        '--folder', 'out/experiments/12ab', '--only', 'id=12ab']


def test_what_can_not_be_found_out_is_null_and_no_error(files):
    files['qemu'].write_text('no program')
    files['kernel'].write_text('too short')
    assert provenance.provenance({}, ['x'])['versions'] == {'qemu': None, 'kernel': None}
    forget()
    files['qemu'].unlink()
    files['kernel'].unlink()
    assert provenance.provenance({}, ['x'])['versions'] == {'qemu': None, 'kernel': None}
    assert provenance.hashes()['kernel'] is provenance.hashes()['qemu'] is None


def test_a_project_whose_files_were_changed_is_told_from_its_commit(repository, monkeypatch):
    monkeypatch.setattr(provenance, 'ROOT', repository)
    commit = git(repository, 'rev-parse', 'HEAD')
    forget()
    assert provenance.provenance({}, ['x'])['project'] == commit
    (repository / 'file').write_text('another\n')
    forget()
    assert provenance.provenance({}, ['x'])['project'] == f'{commit}+'
    forget()
