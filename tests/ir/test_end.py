"""A container that is ended leaves nothing behind, whenever that comes."""

from __future__ import annotations

import os
import subprocess
import time

from . import sandbox


def test_a_container_ends_at_whatever_moment_of_its_start_it_is_ended() -> None:
    outside = sandbox._outside(os.getuid(), os.getgid())
    for step in range(30):
        words = [*outside, "--unshare-pid", "--die-with-parent", "--ro-bind", "/", "/", "--", "sleep", "600"]
        process = subprocess.Popen(words, stdout=subprocess.PIPE)
        time.sleep(step * 0.0003)
        sandbox.end(process)
        # The pipe ends when nothing is left that has it.
        assert process.communicate(timeout=20)[0] == b""
        assert process.returncode < 0
    sandbox.end(process)
