# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the scripts share: a copy of them beside a small series, and small QEMU trees."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 60
# As small as what the scripts take for QEMU's source.
QEMU = {'VERSION': '10.0.1\n', 'configure': '#!/bin/sh\nexit 1\n',
        'target/i386/cpu.h': 'first\nsecond\nthird\n', 'qapi/qapi-schema.json': '{}\n',
        'subprojects/keycodemapdb/README': 'there\n', 'dos.txt': 'of two bytes\r\nin the end\r\n'}
PATCH = '''\
From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: Direct segments <dseg@localhost>
Date: Thu, 1 Jan 1970 00:00:00 +0000
Subject: [PATCH] target/i386: Say more

---
diff --git a/target/i386/cpu.h b/target/i386/cpu.h
--- a/target/i386/cpu.h
+++ b/target/i386/cpu.h
@@ -1,3 +1,3 @@
 first
-second
+second, and more
 third
'''


class Project:
    """A copy of the scripts, with a series of one patch."""

    def __init__(self, folder):
        self.folder = folder
        self.out = folder / 'out'
        shutil.copytree(ROOT / 'scripts', folder / 'scripts',
                        ignore=shutil.ignore_patterns('__pycache__'))
        patches = folder / 'qemu-patches'
        patches.mkdir()
        (patches / '0001-target-i386-Say-more.patch').write_text(PATCH)
        (patches / 'series').write_text('0001-target-i386-Say-more.patch\n')

    def run(self, script, *arguments, check=True, env=None, **options):
        """Run one of the scripts in an environment of little but what env adds."""
        done = subprocess.run([self.folder / 'scripts' / script, *arguments], text=True,
                              check=False, timeout=SECONDS, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=environment(**(env or {})), **options)
        assert not check or done.returncode == 0, done.stdout
        return done


def environment(**more):
    """Few variables; the packages that these scripts need are those of the suite."""
    return {'PATH': os.environ['PATH'], 'HOME': '/nonexistent', 'DSEG_SKIP_PACKAGES': '1', **more}


def git(folder, *words):
    """Git as a user would run it in a folder; returns what it prints."""
    return subprocess.run(
        ['git', '-c', 'user.name=User', '-c', 'user.email=user@localhost', *words], cwd=folder,
        check=True, text=True, stdout=subprocess.PIPE, timeout=SECONDS,
        env={'PATH': os.environ['PATH'], 'GIT_CONFIG_GLOBAL': '/dev/null'}).stdout.strip()


def make_tree(folder):
    """A small tree of QEMU."""
    for name, text in QEMU.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return folder


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / 'project')


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / 'qemu')


@pytest.fixture
def repository(tmp_path):
    """A repository of the user's that none of our scripts has anything to do with."""
    folder = tmp_path / 'of-the-user'
    folder.mkdir()
    git(folder, 'init', '-q')
    (folder / 'file').write_text('of the user\n')
    git(folder, 'add', '.')
    git(folder, 'commit', '-q', '-m', 'Of the user')
    return folder
