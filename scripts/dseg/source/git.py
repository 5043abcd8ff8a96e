# SPDX-License-Identifier: GPL-2.0-or-later
"""Git, on the one repository that is meant, whatever the caller and the repository tell git."""

import os

from .. import Failure
from ..base import processes

# The same commits and patches whoever makes them.
IDENTITY = {
    'GIT_COMMITTER_NAME': 'Direct segments',
    'GIT_COMMITTER_EMAIL': 'dseg@localhost',
}
# What comes before the settings of a repository: they may start other programs, which could
# start us again, or change what is committed.
SETTINGS = {
    'core.hooksPath': '/dev/null',
    'core.fsmonitor': 'false',
    'core.attributesFile': '/dev/null',
    'core.excludesFile': '/dev/null',
    'core.autocrlf': 'false',
    'commit.gpgSign': 'false',
    'tag.gpgSign': 'false',
    'gc.auto': '0',
}


def environment(**more):
    """The caller's, without what git takes from it: in a hook that names another repository."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith('GIT_')}
    settings = {'GIT_CONFIG_COUNT': str(len(SETTINGS))}
    for number, (key, value) in enumerate(SETTINGS.items()):
        settings[f'GIT_CONFIG_KEY_{number}'] = key
        settings[f'GIT_CONFIG_VALUE_{number}'] = value
    return {**kept, **settings, **IDENTITY, 'GIT_CONFIG_GLOBAL': '/dev/null',
            'GIT_CONFIG_NOSYSTEM': '1', 'GIT_ATTR_NOSYSTEM': '1',
            'GIT_OPTIONAL_LOCKS': '0',      # one of ours may be killed while it has the lock
            **more}


def command(repository, *words):
    """The command line of git on a repository. It needs environment().

    Git does not look for a repository that is named, neither in the folders around it nor for
    who owns it: root may work on the tree of another user.
    """
    return ['git', '-C', repository, '--git-dir=.git', '--work-tree=.', *words]


def run(repository, *words, check=True, env=None):
    """Run git on a repository, with more variables; returns what it prints, without the last
    newline."""
    done = processes.run(command(repository, *words), capture_output=True, text=True,
                         env=environment(**(env or {})))
    if check and done.returncode:
        raise Failure(f'git {words[0]} in {repository} failed:\n{done.stderr.strip()}')
    return done.stdout.rstrip('\n')
