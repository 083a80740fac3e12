"""The launcher's files (launcher.py, texts.py), compiled once for the Python that each step runs it with."""

from __future__ import annotations

import functools
import py_compile
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

_HERE = Path(__file__).parent
_FILES = {"launch": "launcher.py", "texts.pyc": "texts.py"}
_SCRIPT = """
import sys, py_compile
for source, target in zip(sys.argv[1::2], sys.argv[2::2]):
    py_compile.compile(source, target, doraise=True)
"""


@functools.cache
def bytecode(python: tuple[str, ...]) -> Mapping[str, bytes]:
    """The files of the launcher's folder by their names there, for a Python and its options."""
    with tempfile.TemporaryDirectory() as folder:
        pairs = [str(path) for name, source in _FILES.items() for path in (_HERE / source, Path(folder, name))]
        if Path(python[0]).resolve().name == "python{}.{}".format(*sys.version_info):
            for source, target in zip(pairs[::2], pairs[1::2], strict=True):
                py_compile.compile(source, target, doraise=True)
        else:
            subprocess.run([*python, "-c", _SCRIPT, *pairs], check=True)
        return {name: Path(folder, name).read_bytes() for name in _FILES}
