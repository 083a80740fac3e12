"""Submits in processes of their own that can be killed: each is forked from one that has imported all, which takes seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[3]
_FORKING = """
import os, signal, sys
from pathlib import Path
import kfp
from cluster.kfp.test_submit import once
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    url, home = line.rstrip("\\n").split("\\t")
    pid = os.fork()
    if pid == 0:
        try:
            once(url, Path(home))
        finally:
            os._exit(0)
    print(pid, flush=True)
"""


class Forks:
    """A process that forks one for each submit."""

    def __init__(self) -> None:
        paths = os.pathsep.join([str(TOP), str(TOP / "tests")])
        self._process = subprocess.Popen(
            [sys.executable, "-c", _FORKING],
            env=os.environ | {"PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def submit(self, url: str, home: Path) -> int:
        """Begin a submit; the id of its process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{url}\t{home}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def stop(self) -> None:
        self._process.communicate(timeout=60)
