# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel modules' code, without running it."""

import os
import shutil
import subprocess

import pytest

from dseg import OUT
from dseg.guests import modules


@pytest.mark.skipif(not shutil.which('sparse'), reason='there is no sparse')
def test_compiler_and_sparse_have_no_warnings(tmp_path):
    modules.copy_sources(tmp_path / 'modules')
    command = modules.make_command(OUT / 'guest/headers', tmp_path / 'modules')
    done = subprocess.run([*command, 'C=2'], capture_output=True, text=True, check=False,
                          timeout=600, env={**os.environ, 'LC_ALL': 'C'})
    output = done.stdout + done.stderr
    assert done.returncode == 0 and 'CHECK' in output, output
    assert 'warning:' not in output and 'error:' not in output, output
