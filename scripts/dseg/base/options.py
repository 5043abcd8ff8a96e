# SPDX-License-Identifier: GPL-2.0-or-later
"""What the options of all scripts have in common; and a check of them, before anything is done.

usage: python3 -m dseg.base.options SCRIPT ROOM.MODULE WORD...

Reads the words by parse_arguments() of the module, and ends as the script of that name does.
"""

import argparse
import importlib
import sys
from pathlib import Path

from .. import patient, run_main
from .sizes import parse_size


class Parser(argparse.ArgumentParser):
    """Of a script, whose --help is at the top of the shell script of that name.

    Nothing may be abbreviated: the shell scripts look for some options, too.
    """

    def __init__(self, name):
        super().__init__(prog=name, add_help=False, allow_abbrev=False)

    def error(self, message):
        self.exit(2, f'{self.prog}: {message}; see --help\n')


def text(word):
    """A word that must not be empty."""
    if not word:
        raise argparse.ArgumentTypeError('must not be empty')
    return word


def path(word):
    """A file or a folder."""
    return Path(text(word))


def file(word):
    """A file, or a device, that is there."""
    found = path(word)
    if found.is_dir():
        raise argparse.ArgumentTypeError(f'{word} is a folder; a file is needed')
    if not found.exists():
        raise argparse.ArgumentTypeError(f'there is no {word}')
    return found


def new_file(word):
    """A file to write."""
    found = path(word)
    if found.is_dir():
        raise argparse.ArgumentTypeError(f'{word} is a folder; a file is needed')
    if not found.parent.is_dir():
        raise argparse.ArgumentTypeError(f'there is no folder {found.parent}')
    return found


def new_folder(word):
    """A folder to write files into, which may be there."""
    found = path(word)
    if found.exists() and not found.is_dir():
        raise argparse.ArgumentTypeError(f'{word} is no folder')
    return found


def count(word):
    """How many, or how often."""
    if not (word.isascii() and word.isdigit()) or int(word) < 1:
        raise argparse.ArgumentTypeError(f"'{word}' is not a number from 1 on")
    return int(word)


def size(word):
    """Bytes, as 512M or 2G."""
    try:
        return parse_size(word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(error) from error


def main(arguments):
    """Read the options of a script, and what all of them read from the environment."""
    patient(0)
    _, module, *words = arguments
    importlib.import_module(f'dseg.{module}').parse_arguments(words)
    return 0


if __name__ == '__main__':
    run_main(sys.argv[1], main)
