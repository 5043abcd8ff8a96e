# SPDX-License-Identifier: GPL-2.0-or-later
"""Options that can't be are refused in a line, before anything is fetched, built or written."""

import importlib
import json
import re

import pytest

from conftest import ROOT

SCRIPTS = {path.name: path.read_text() for path in (ROOT / 'scripts').iterdir() if path.is_file()}
# Those that fetch or build before what their options are for.
WITH_STEPS = sorted(name for name, text in SCRIPTS.items() if 'run_step' in text)
GIVES_TO_PYTEST = {'sanitize-modules'}     # what it does not know
MAY_BE_EMPTY = {('boot', '--append')}


def module_of(script):
    return re.findall(r'^ *run_python (\S+)', SCRIPTS[script], re.M)[-1]


def options_with_values():
    for script in sorted(set(SCRIPTS) - {'self-balloon'}):     # which needs QEMU's source
        path = ROOT / 'scripts/dseg' / f'{module_of(script).replace(".", "/")}.py'
        for option, more in re.findall(r"add_argument\('(--[a-z0-9-]+)'(.*)\)", path.read_text()):
            if 'store_' not in more:
                yield script, option


def refused(done, *words):
    assert done.returncode == 2, done.stdout
    assert len(done.stdout.splitlines()) == 1, done.stdout
    for word in words:
        assert word in done.stdout, done.stdout
    return True


# What has to be there besides.
NEEDED = {'bench': ['overhead'], 'experiment': ['plan', 'file'], 'explain': ['--out', 'picture.svg']}


@pytest.mark.parametrize('script', [*sorted({*WITH_STEPS, 'test'} - GIVES_TO_PYTEST)])
def test_an_unknown_option_is_refused_before_anything_is_done(project, script):
    done = project.run(script, '--bogus', *NEEDED.get(script, []), check=False)
    assert refused(done, f'{script}: ', '--bogus', '--help')
    assert not project.out.exists() and not (project.folder / 'build').exists()


@pytest.mark.parametrize('words, told', [
    (['demo', '--rounds', 'x'], '--rounds'), (['demo', '--json', 'no/such/file'], 'no folder no/such'),
    (['boot', '--memory=100M'], 'memory of L1'), (['boot', '--kernel', '/no/such'], 'no /no/such'),
    (['boot', '--l2-mem', '1G'], '--l2-mem'), (['explain', '--out', 'x.svg', '--js', 'file'], '--js'),
    (['try-programs', 'nodejs'], 'nodejs'), (['bench', 'overhead', '--runs', '0'], '--runs'),
    (['tradeoffs', '--json', '.'], 'is a folder'), (['sanitize-modules', 'msan'], 'msan'),
    (['boot', '--caches'], '--caches: they are those of a geometry, so it needs a --tlb'),
    (['soak', '--logs', 'scripts/boot'], 'no folder')],
    ids=lambda words: ' '.join(words) if isinstance(words, list) else '')
def test_an_argument_that_can_not_be_is_refused_before_anything_is_done(project, words, told):
    done = project.run(*words, check=False, cwd=project.folder)
    assert done.returncode in (1, 2) and len(done.stdout.splitlines()) == 1, done.stdout
    assert told in done.stdout
    assert not project.out.exists()


def test_a_patience_that_is_no_number_is_refused_before_anything_is_done(project):
    done = project.run('soak', check=False, env={'DSEG_PATIENCE': 'much'})
    assert done.stdout == "soak: DSEG_PATIENCE is 'much': it must be a number from 1 to 1000\n"
    assert not project.out.exists()


def test_self_balloon_says_in_a_line_that_it_needs_the_source_of_qemu(project):
    done = project.run('self-balloon', '--qmp', 'none', '--size', '128M', check=False)
    assert done.returncode == 1 and len(done.stdout.splitlines()) == 1, done.stdout
    assert 'run scripts/fetch-qemu' in done.stdout


@pytest.mark.parametrize('script, option', sorted(set(options_with_values()) - MAY_BE_EMPTY))
def test_an_empty_value_is_refused(capsys, script, option):
    module = importlib.import_module(f'dseg.{module_of(script)}')
    with pytest.raises(SystemExit) as ended:
        getattr(module, 'parse_arguments', module.main)([option, ''])
    assert ended.value.code == 2
    assert f'{option}: ' in capsys.readouterr().err


@pytest.mark.parametrize('words', [['--json', 'reply.json'], ['--json=reply.json'],
                                   ['--qmp=none.sock', '--address=0'],
                                   ['--address', '0', '--qmp', 'none.sock']], ids=' '.join)
def test_explain_builds_nothing_for_a_file_or_a_machine_that_is_running(project, tmp_path, words):
    pytest.importorskip('matplotlib')
    (tmp_path / 'reply.json').write_text(json.dumps({'return': {}}))
    done = project.run('explain', *words, '--out', 'picture.svg', cwd=tmp_path, check=False)
    assert re.search(r'reply.json is no reply|none.sock|QEMU.s Python modules', done.stdout), done.stdout
    assert not project.out.exists()
    assert 'fetch-qemu failed' not in done.stdout and 'GiB' not in done.stdout
