# SPDX-License-Identifier: GPL-2.0-or-later
"""Which Debian packages scripts/lib/setup.sh finds missing, from dpkg's status."""

import os
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def stanza(name, version, provides='', status='install ok installed'):
    """What dpkg knows of a package."""
    more = f'Provides: {provides}\n' if provides else ''
    return (f'Package: {name}\nStatus: {status}\nArchitecture: amd64\nVersion: {version}\n'
            f'{more}Maintainer: nobody\nDescription: for a test\n\n')


STATUS = ''.join([
    stanza('bash', '5.2-1'),
    stanza('libelf1t64', '0.192-4', provides='libelf1 (= 0.192-4)'),
    stanza('awkward', '1:2.0-1', provides='awk, libfoo:any (= 1:1.6.0~rc1-2), meson (= 9)'),
    stanza('meson', '1.0.1-5'),
    stanza('libbar', '3-1', status='deinstall ok config-files'),
])


@pytest.fixture
def missing(tmp_path):
    """The function missing_of, on a machine with the packages of STATUS."""
    (tmp_path / 'status').write_text(STATUS)

    def missing_of(*packages):
        # As if the script had its clean environment already.
        code = 'DSEG_CLEAN=$$; . "$(dirname "$0")/lib/setup.sh"; missing_of "$@"'
        done = subprocess.run(['sh', '-c', code, ROOT / 'scripts/test', *packages], check=True,
                              text=True, stdout=subprocess.PIPE, timeout=60,
                              env={**os.environ, 'DPKG_ADMINDIR': str(tmp_path)})
        return done.stdout.split()
    return missing_of


def test_an_installed_package_is_not_missing(missing):
    assert missing('bash', 'meson>=1.0') == []


def test_a_package_that_another_one_provides_is_not_missing(missing):
    assert missing('libelf1', 'awk', 'libfoo') == []


def test_what_is_provided_has_a_version_of_its_own(missing):
    assert missing('libelf1>=0.192', 'libfoo>=1:1.6.0~rc1') == []
    assert missing('libelf1>=0.193', 'libfoo>=1:1.6.0') == ['libelf1>=0.193', 'libfoo>=1:1.6.0']


def test_what_is_provided_without_a_version_is_new_enough_for_no_version(missing):
    assert missing('awk>=1') == ['awk>=1']


def test_a_package_of_that_name_counts_before_what_provides_it(missing):
    assert missing('meson>=1.5') == ['meson>=1.5']


def test_unknown_removed_and_similar_names_are_missing(missing):
    names = ['libbar', 'libelf', 'elf1', 'bas', 'libelf1t64=', 'rc1']
    assert missing(*names) == names


def test_a_machine_with_many_packages_is_asked_in_a_moment(missing, tmp_path):
    with open(tmp_path / 'status', 'a', encoding='utf-8') as status:
        for number in range(3000):
            status.write(stanza(f'many-{number}', '1.0', provides=f'much-{number} (= 1.0)'))
    begin = time.monotonic()
    wanted = [f'much-{number}' for number in range(2900, 2930)]
    assert missing(*wanted, 'no-such') == ['no-such']
    assert time.monotonic() - begin < 10
