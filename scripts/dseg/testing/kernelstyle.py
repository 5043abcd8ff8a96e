# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/check-kernel-style: the kernel's own checkpatch.pl, over our kernel code."""

import os
import re
import subprocess

from .. import OUT, Failure, run_main
from ..base.locks import alone
from ..base.options import Parser
from ..guests import kernelsource, modules
from ..guests.images import GUEST

TREE = OUT / 'checkpatch'
WANTED = ('checkpatch.pl', 'spelling.txt', 'const_structs.checkpatch')


def main(arguments):
    """What the command line asks for: nothing but to do it."""
    Parser('check-kernel-style').parse_args(arguments)
    if not (TREE / 'scripts' / WANTED[0]).exists():
        with alone(GUEST):          # whose lists of packages we use
            kernelsource.unpack_into(TREE, *(f'scripts/{name}' for name in WANTED))
    files = [file for file in modules.sources() if file.suffix in ('.c', '.h')]
    done = subprocess.run(['perl', TREE / 'scripts' / WANTED[0], '--no-tree', '--strict', '--file',
                           '--terse', '--show-types', '--no-summary', *files],
                          cwd=TREE, capture_output=True, text=True, check=False, timeout=300,
                          # Not the user's .checkpatch.conf.
                          env={**os.environ, 'HOME': '/nonexistent'})
    print(done.stdout, end='')
    counts = {kind: len(re.findall(rf'^\S+:\d+: {kind}:', done.stdout, re.M))
              for kind in ('ERROR', 'WARNING', 'CHECK')}
    if done.returncode and not any(counts.values()):
        raise Failure(f'checkpatch.pl failed:\n{done.stderr.rstrip()}')
    print(f'{len(files)} files: ' +
          ', '.join(f'{number} {kind}' for kind, number in counts.items()))
    return 1 if counts['ERROR'] or counts['WARNING'] else 0


if __name__ == '__main__':
    run_main('check-kernel-style', main)
