"""Calling the command lines of docker and podman."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from kade2kfp.local.containers.options import variables

Done = subprocess.CompletedProcess[str]
_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Client:
    """The command `program`, which the user calls `name`. Its own environment is the caller's (DOCKER_HOST and such)."""

    name: str
    program: str

    def call(self, *arguments: str, seconds: float = _SECONDS) -> Done:
        """Call it, for what takes no time; code 124 when time was up. Raises OSError."""
        return _call([self.program, *arguments], seconds)

    def said(self, *arguments: str) -> str:
        """What a call printed; empty where it failed. Raises OSError."""
        done = self.call(*arguments)
        return done.stdout.strip() if done.returncode == 0 else ""

    def create(self, options: Sequence[str], image: str, arguments: Sequence[str], env: Mapping[str, str]) -> Done:
        """Make a container, with variables whose values nobody sees; pulls the image, however long that takes.

        It stays in the caller's group of processes, so that a Ctrl-C ends a pull. Raises CannotStartError, OSError.
        """
        given = variables(env)
        handle = os.memfd_create("kade2kfp")
        try:
            with open(os.dup(handle), "wb") as file:
                file.write(given.lines)
            named = [f"--env-file=/dev/fd/{handle}", *(f"--env={name}" for name in given.client)]
            # `--`: an image's name comes from the document, and must not be read as an option.
            command = [self.program, "create", *options, *named, "--", image, *arguments]
            return _call(command, None, {**os.environ, **given.client}, (handle,))
        finally:
            os.close(handle)

    def remove(self, *containers: str) -> None:
        """Remove containers, running or not, with the volumes that their images asked for; as well as that can be done."""
        with suppress(OSError):
            self.call("rm", "--force", "--volumes", *containers)


def last_words(done: Done) -> str:
    """Why a call failed, in the engine's own words: the last line of those that are no advice on its usage."""
    if done.returncode == 124 and not done.stderr:
        return "it does not answer"
    lines = [line.strip() for line in done.stderr.splitlines()]
    said = [line for line in lines if line and not re.match(r"(See|Run) '|Emulate Docker CLI|time=.*level=warn", line)]
    # "docker: Error response from daemon: ...", "Error: ..."
    return re.sub(r"^(docker: |Error response from daemon: |Error: )+", "", said[-1]) if said else "it does not say why"


def _call(
    command: Sequence[str], seconds: float | None, env: Mapping[str, str] | None = None, pass_fds: tuple[int, ...] = ()
) -> Done:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            env=env,
            pass_fds=pass_fds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(list(command), 124, "", "")
