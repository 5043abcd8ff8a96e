# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's source packages in the suites of the machine's mirror: by apt, signatures checked."""

import functools
import re
import subprocess
import time
from dataclasses import dataclass, field

from .. import OUT, ROOT, Failure
from ..base.progress import run_logged

SUITES = ('bookworm-backports trixie trixie-updates trixie-security trixie-backports '
          'testing sid experimental').split()
PACKAGE = 'qemu'
DOWNLOADS = OUT / 'downloads'
APT_DIR = OUT / 'apt' / 'sources'
APT_CONF = APT_DIR / 'apt.conf'
APT_GET = ['apt-get', '-c', APT_CONF]
LOG = OUT / 'log' / 'apt.log'
SECONDS_LISTS_STAY_FRESH = 24 * 3600


class Missing(Failure):
    """The mirror lists a source package, and does not have its files any more."""


@dataclass
class Source:
    """One version of QEMU that Debian lists."""
    package_version: str                # 1:10.0.13+ds-0+deb13u1
    suites: list = field(default_factory=list)

    @property
    def version(self):
        """The version of QEMU itself: 10.0.13, or 11.1.0~rc2."""
        return re.sub(r'^\d+:|[+-].*$', '', self.package_version)


def versions():
    """What the suites list, newest first."""
    _update_lists()
    lines = subprocess.run(['apt-cache', '-c', APT_CONF, 'madison', PACKAGE], check=True, text=True,
                           stdout=subprocess.PIPE, timeout=60).stdout.splitlines()
    found = {}
    for line in lines:
        _, package_version, origin = (word.strip() for word in line.split('|'))
        suite = origin.split()[1].split('/')[0]
        found.setdefault(package_version, Source(package_version)).suites.append(suite)
    if not found:
        raise Failure(f'no suite of the machine\'s Debian mirror lists {PACKAGE}: see {LOG}')
    return sorted(found.values(), key=functools.cmp_to_key(_compare), reverse=True)


def download(source):
    """Fetch one source package; returns its .dsc. Raises Missing where files are."""
    stem = _fetch(source)
    return DOWNLOADS / f'{stem}.dsc'


def download_tarball(source):
    """Fetch only QEMU's own tarball, which often outlives the rest of a package."""
    stem = _fetch(source, '--tar-only')
    return DOWNLOADS / f'{stem.rpartition("-")[0]}.orig.tar.xz'


def _fetch(source, *parts):
    DOWNLOADS.mkdir(parents=True, exist_ok=True)
    try:
        run_logged(f'Fetching QEMU {source.version} ({source.suites[0]})',
                   [*APT_GET, 'source', '--only-source', '--download-only', *parts,
                    f'{PACKAGE}={source.package_version}'],
                   LOG, cwd=DOWNLOADS, timeout=1800)
    except Failure as failure:
        if re.search(r'\b(404|410) |File not found', str(failure)):
            raise Missing(str(failure)) from None
        raise
    return f'{PACKAGE}_{source.package_version.partition(":")[2]}'


def _compare(one, other):
    def is_(relation):
        return subprocess.run(['dpkg', '--compare-versions', one.package_version, relation,
                               other.package_version], check=False).returncode == 0
    return is_('gt') - is_('lt')


def _update_lists():
    made = subprocess.run([ROOT / 'scripts/lib/private-apt', APT_DIR, 'deb-src', *SUITES],
                          check=False, text=True, stderr=subprocess.PIPE)
    if made.returncode:
        raise Failure(f'{made.stderr.strip()}\n'
                      'Give fetch-qemu a release of QEMU by --tarball FILE or --tree DIR.')
    stamp = APT_DIR / 'updated'
    if stamp.exists() and time.time() - stamp.stat().st_mtime < SECONDS_LISTS_STAY_FRESH:
        return
    try:
        run_logged('Reading Debian\'s lists of sources', [*APT_GET, 'update'], LOG, timeout=600)
    except Failure:
        # A mirror without one of the suites is no reason to stop if it has others.
        if not _have_lists():
            raise
    if _have_lists():
        stamp.touch()


def _have_lists():
    return any((APT_DIR / 'lists').glob('*_Sources*'))
