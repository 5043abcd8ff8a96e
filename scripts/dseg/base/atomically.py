# SPDX-License-Identifier: GPL-2.0-or-later
"""Write files, links and folders so that others see the old one or the new one, whole."""

import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

from .. import Failure, unwritable


@contextmanager
def beside(path):
    """The name of a file beside path, which takes its place when all went well.

    What is no file, as /dev/stdout, is itself what to write to. Raises Failure where an OSError
    says that it can't be written.
    """
    path = Path(path)
    place = path.resolve()          # a link stays one
    part = place.with_name(f'.{place.stem}-{os.getpid()}{place.suffix}')
    try:
        if place.exists() and not place.is_file():
            yield place
            return
        yield part
        if place.exists():
            part.chmod(place.stat().st_mode & 0o777)
        part.replace(place)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        if part.exists():
            part.unlink()


def write_text(path, text):
    """As Path.write_text()."""
    with beside(path) as part:
        part.write_text(text)


def read_json(path):
    """The object in a file of ours; {} if there is none, or a damaged one: make it again."""
    try:
        found = json.loads(Path(path).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def link(path, target):
    """Make path a symlink to target, replacing one that leads elsewhere."""
    path, target = Path(path), Path(target)
    if path.is_symlink():
        if Path(os.readlink(path)) == target:
            return
    elif path.exists():
        raise Failure(f'{path} is in the way: it should be a link to {target}')
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'.{path.name}-{os.getpid()}')
    part.symlink_to(target)
    part.replace(path)


@contextmanager
def new_folder(path):
    """A new folder beside path, which takes its place when all went well. Needs a lock."""
    path = Path(path)
    new, old = (path.with_name(f'.{path.name}.{suffix}') for suffix in ('new', 'old'))
    for left in (new, old):
        if left.exists():
            shutil.rmtree(left)
    new.mkdir(parents=True)
    yield new
    if path.exists():
        path.rename(old)
    new.rename(path)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def filled(path):
    """For what makes a folder in place: empties it first if that was cut short. Needs a lock."""
    mark = Path(path) / 'dseg-cut-short'
    if mark.exists():
        for left in mark.parent.iterdir():
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            elif left != mark:
                left.unlink()
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    try:
        yield
    except Failure:
        mark.unlink()           # it has ended by itself
        raise
    mark.unlink()
