"""Names on terminals that do not know their characters."""

import os
import subprocess
import sys

import methods


def test_a_terminal_that_knows_only_ascii_gets_escapes():
    code = 'from gan_jax.runtime import process; process.set_up(""); print("caf\\u00e9 \\udcff")'
    environment = {**os.environ, 'PYTHONIOENCODING': 'ascii:strict', 'LC_ALL': 'C'}
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=methods.ROOT, env=environment, capture_output=True,
        check=True,
    )  # fmt: skip
    assert done.stdout == b'caf\\xe9 \\udcff\n'
