"""kade2kfp ssh."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence

import click

from kade2kfp.cli.gates import Where, the_step, wait_for, where_options
from kade2kfp.cli.runs import run_argument
from kade2kfp.cli.streams import out, say
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.gates.model import HOST_KEY_FILE, SHELL_FILE, Gates, Standing

_EXAMPLES = """\b
Examples:
  kade2kfp ssh last train
  kade2kfp ssh last train --exec
  kade2kfp ssh last train --exec -- ls -l /data
"""
_SHELL = ("sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash; exec sh")


@click.command("ssh", epilog=_EXAMPLES)
@run_argument
@click.argument("task", metavar="TASK")
@click.argument("words", nargs=-1, metavar="[-- COMMAND...]")
@click.option("--exec", "now", is_flag=True, help="Run the command that gets there, rather than print it.")
@where_options
@click.pass_context
def command(ctx: click.Context, run: str, task: str, words: tuple[str, ...], now: bool, where: Where) -> None:
    """Print, or run, the command that gets a shell in a task that runs.

    By ssh where the task runs sshd, else past it; `COMMAND` in place of a shell. The exit code is the command's.
    """
    gates = where.gates()
    standing = the_step(gates, run, task, gate=False)
    way = _way(gates, standing)
    if isinstance(way, str):
        say(f"not by ssh: {terminal(way)}")
        if now:
            ctx.exit(gates.shell(standing, words or _SHELL))
        there = where.command("ssh", standing.run, task, "--exec")  # the options have to stand before `--`
        out(there + (f" -- {terminal(shlex.join(words))}" if words else "") + "\n")
        return
    user, key = way
    typed = _ssh(standing, user, key, where, words)
    if not now:
        out(terminal(shlex.join(typed)) + "\n")
        return
    if shutil.which("ssh") is None:
        raise click.ClickException("there is no ssh on this machine: install OpenSSH's client")
    code = subprocess.call(typed)
    ctx.exit(code if code >= 0 else 128 - code)


def _way(gates: Gates, standing: Standing) -> tuple[str, str] | str:
    """Who may come in by ssh, and sshd's public key; or why nobody does."""
    if not standing.ssh:
        return f"the document asks for no sshd in {standing.task}"

    def look() -> str | None:
        return (gates.read(standing, SHELL_FILE) or b"").decode(errors="replace").strip() or None

    said = wait_for(f"sshd of {standing.task}", look)
    if said is None:
        return "sshd has not begun"
    # The step may have written anything there, and ssh would take some of it for an option.
    if found := re.fullmatch(r"ssh ([A-Za-z0-9_][A-Za-z0-9_.-]{0,62}) [0-9]+", said):
        return found[1], _key(gates, standing)
    return said.removeprefix("exec ")


def _key(gates: Gates, standing: Standing) -> str:
    said = (gates.read(standing, HOST_KEY_FILE) or b"").decode(errors="replace").strip()
    found = re.fullmatch(r"(ssh-ed25519 [A-Za-z0-9+/=]{1,200})( .*)?", said)
    return found[1] if found else ""


def _ssh(standing: Standing, user: str, key: str, where: Where, words: Sequence[str]) -> list[str]:
    """The command line of ssh. The key has come another way, so ssh need not ask whether it is the right one."""
    carried = [*_ourselves(), "open", standing.run, standing.step, "--stdio", "--port", str(standing.ssh), *where.words]
    alias = f"kade2kfp-{standing.pod}"
    options = [
        # ssh replaces what stands behind a `%` (ssh_config(5), TOKENS).
        "ProxyCommand=" + shlex.join(carried).replace("%", "%%"),
        f"HostKeyAlias={alias}",
        "StrictHostKeyChecking=accept-new",
        "UserKnownHostsFile=/dev/null",
    ]
    if key:
        options += [
            "HostKeyAlgorithms=ssh-ed25519",
            "IgnoreUnknown=KnownHostsCommand",  # OpenSSH below 8.5
            f"KnownHostsCommand=/bin/echo {alias} {key}",
        ]
    remote = [shlex.join(words)] if words else []
    return ["ssh", *(word for one in options for word in ("-o", one)), f"{user}@kade2kfp", *remote]


def _ourselves() -> list[str]:
    """This program as it was called."""
    path = os.path.abspath(sys.argv[0])
    if os.access(path, os.X_OK) and os.path.isfile(path) and not path.endswith(".py"):
        return [path]
    return [sys.executable, "-m", "kade2kfp"]
