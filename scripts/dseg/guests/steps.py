# SPDX-License-Identifier: GPL-2.0-or-later
"""The steps of making something: each is done again only if what it is made of has changed."""

import hashlib
import json
import time
from pathlib import Path

from .. import Failure
from ..base.atomically import read_json, write_text


class Steps:
    """Does what has not been done yet from the same inputs."""

    def __init__(self, stamps, verbose):
        self._file = stamps
        self._verbose = verbose
        self._stamps = read_json(stamps)

    def do(self, name, inputs, outputs, action):
        """inputs: files, by their content, and words"""
        stamp = digest(inputs)
        known = self._stamps.get(name)
        if all(out.exists() for out in outputs) and (known == stamp or known and not inputs):
            if self._verbose:
                print(f'{name}: up to date')
            return
        begin = time.monotonic()
        before = [identity(output) for output in outputs]
        self._note(name, None)          # if we are killed in it, its outputs are of no inputs
        try:
            action()
        except Failure:
            if before == [identity(output) for output in outputs]:
                self._note(name, known)
            raise
        self._note(name, stamp)
        print(f'{name}: done ({time.monotonic() - begin:.1f} s)', flush=True)

    def _note(self, name, stamp):
        self._stamps[name] = stamp
        write_text(self._file, json.dumps(self._stamps, indent=1))


def identity(path):
    """Tells what is at a path from what has taken its place; None if there is nothing."""
    return (path.stat().st_ino, path.stat().st_mtime_ns) if path.exists() else None


def digest(parts):
    """One number for all of the files (Path) and words (str)."""
    sha = hashlib.sha256()
    for part in parts:
        sha.update(str(part).encode() + b'\0')
        if isinstance(part, Path):
            sha.update(part.read_bytes())
    return sha.hexdigest()
