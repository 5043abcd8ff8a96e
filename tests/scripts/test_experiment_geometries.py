# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of TLBs are refused by QEMU's rules before anything starts, or as soon as there is a QEMU.

A stand-in takes the place of QEMU; tests/linux/test_experiment.py asks the real one.
"""

import os
import time

import pytest

from dseg.experiments.sweep import geometry
from marked import start, start_python      # pylint: disable=unused-import
from test_experiment_runs import RUN, Folder

EXPERIMENT = '[fixed]\nsize = "smoke"\nworkload = "gups"\n[product]\nconfiguration = ["dd"]\n' \
    'tlb = ["good.json", "bad.json",\n"worse.json"]\n'
# Obeys whatever has no word of a rule in it.
QEMU = '''#!/bin/sh
case "$*" in
*-cpu*dseg-tlb=geometry.json) ;;
*) exit 3 ;;
esac
echo "qemu: warning: this CPU is slow" >&2
if grep -q '"broken": "[^"]' geometry.json; then
    echo "qemu: CPU property 'dseg-tlb': file 'geometry.json': $(sed 's/.*: "//; s/".*//' geometry.json)" >&2
    exit 1
fi
read -r word && [ "$word" = quit ]
'''
WAYS, LEVEL = 'arrays[0].ways: must be 1 to entries (4)', 'arrays[1].level: must be l1d'
REFUSED = [f'bad.json: {WAYS}; docs/spec', f'worse.json: {LEVEL}; docs/spec']


@pytest.fixture
def folder(tmp_path, start_python):     # pylint: disable=redefined-outer-name
    """An experiment with three geometries, of which QEMU, if it is there, refuses two."""
    found = Folder(tmp_path / 'one', start_python)
    found.file.write_text(EXPERIMENT)
    for name, rule in ('good', ''), ('bad', WAYS), ('worse', LEVEL):
        (found.place / f'{name}.json').write_text(f'{{"broken": "{rule}"}}')
    return found


def put_qemu(folder, text=QEMU):        # pylint: disable=redefined-outer-name
    """Where scripts/build-qemu would."""
    file = folder.place / 'out/qemu/qemu-system-x86_64'
    file.parent.mkdir(parents=True)
    file.write_text(text)
    file.chmod(0o755)
    return file


@pytest.mark.parametrize('command', ['plan', 'run'])
def test_geometries_that_break_a_rule_are_named_all_at_once_and_nothing_starts(folder, command):
    put_qemu(folder)
    output = folder.run(command=command, code=1)
    lines = output.splitlines()
    assert len(lines) == 2 and not folder.results.exists()
    for line, told in zip(lines, REFUSED):
        place, _, rest = line.partition(': product.tlb: ')
        assert place.removeprefix('experiment: ') == f'{folder.file}:6'
        assert rest.startswith(f'{folder.place}/{told}'), line


def test_geometries_that_obey_are_planned_and_measured(folder):
    put_qemu(folder)
    folder.file.write_text(EXPERIMENT.replace(', "bad.json",\n"worse.json"', ''))
    assert 'are checked' not in folder.run(command='plan')
    assert '1 of 1 points are done' in folder.run()


@pytest.mark.parametrize('qemu', [None, '#!/bin/sh\nexit 1\n', '#!/bin/sh\nkill -9 $$\n'],
                         ids=['none', 'another', 'broken'])
def test_without_a_qemu_that_can_say_it_a_plan_says_when_geometries_are_checked(folder, qemu):
    if qemu:
        put_qemu(folder, qemu)
    output = folder.run(command='plan')
    assert 'tlb      the rules of its files are checked when QEMU is built, before the first' in output


def test_a_run_that_got_its_qemu_meanwhile_checks_before_the_first_point(folder):
    """As scripts/experiment, which builds between the two: options first, then the run."""
    code = RUN.replace('from dseg.experiments.sweep import commands', '''
from dseg.experiments.sweep import commands, geometry
geometry.can_be_asked = lambda: False''')
    put_qemu(folder)
    found, output = folder.start(code=code).end(60)
    assert found == 1 and all(told in output for told in REFUSED), output
    assert not folder.results.exists() and not folder.began()


def test_a_run_whose_qemu_can_not_say_it_starts_nothing(folder):
    put_qemu(folder, '#!/bin/sh\necho "no such property" >&2\nexit 1\n')
    output = folder.run(code=1)
    assert 'can\'t say whether a geometry is right: run scripts/build-qemu; it said: no such' in output
    assert not folder.results.exists() and not folder.began()


@pytest.mark.parametrize('tlb, code', [('good.json', 1), ('genoa', 0)])
def test_a_folder_with_a_comma_is_refused_where_a_geometry_would_be_in_it(folder, tlb, code):
    put_qemu(folder)
    folder.file.write_text(EXPERIMENT.replace('"good.json", "bad.json",\n"worse.json"', f'"{tlb}"'))
    folder.results = folder.place / 'a,b'
    output = folder.run(code=code)
    assert (f'experiment: {folder.results}: QEMU can read no geometry' in output) == bool(code)
    assert folder.results.exists() == (not code)


def test_an_experiment_of_presets_needs_no_qemu(folder):
    folder.file.write_text(EXPERIMENT.replace('.json', '').replace('"good", "bad",\n"worse"', '"genoa"'))
    assert '1 of 1 points are done' in folder.run()


def test_a_qemu_that_is_older_than_its_rules_is_not_asked_unless_it_is_named(tmp_path, monkeypatch):
    file, source = tmp_path / 'qemu', tmp_path / 'tlb/geometry.c'
    file.write_text(QEMU)
    file.chmod(0o755)
    source.parent.mkdir()
    source.touch()
    monkeypatch.setattr(geometry, 'EXTENSION', tmp_path)
    monkeypatch.setattr(geometry, 'qemu_binary', lambda: file)
    monkeypatch.delenv('DSEG_QEMU', raising=False)
    now = time.time()
    os.utime(source, (now, now))
    os.utime(file, (now - 9, now - 9))
    assert not geometry.can_be_asked()
    monkeypatch.setenv('DSEG_QEMU', str(file))
    assert geometry.can_be_asked()
    monkeypatch.delenv('DSEG_QEMU')
    os.utime(file, (now + 9, now + 9))
    assert geometry.can_be_asked()


def test_each_source_of_the_rules_is_there():
    assert all([*geometry.EXTENSION.glob(pattern)] for pattern in geometry.SOURCES)
