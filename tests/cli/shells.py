"""bash, zsh and fish, asked for completions by the scripts that `kade2kfp completion` prints."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from kade2kfp.resources import read_text

from .command import environment

SHELLS = ("bash", "zsh", "fish")
HERE = [name for name in SHELLS if shutil.which(name)]
# bash: its function is called as readline does; where readline completes paths itself, `(readline)` stands for them.
_BASH = """
compopt() { [[ $2 == default ]] && echo '(readline)'; return 0; }
source "$SCRIPT"
COMP_LINE=$0 COMP_POINT=${#COMP_LINE} COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_kade2kfp_completion kade2kfp
printf '%s\\n' "${COMPREPLY[@]}"
"""
# zsh: what is added as a match goes to a file besides.
_ZSH = """
autoload -U compinit; compinit -u -D
source $SCRIPT
compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then
        builtin compadd "$@"
        return
    fi
    local -a hits
    local -A given
    builtin compadd -A hits "$@"
    zparseopts -E -A given P: p:
    (( $#hits )) && print -rl -- "$IPREFIX$given[-P]$given[-p]"${^hits} >> $FOUND
    builtin compadd "$@"
}
ended() { print '(end)' >> $FOUND }
comppostfuncs=(ended)
setopt no_beep
PS1='(ready)'
"""


def plain_environment(home: Path) -> dict[str, str]:
    """The environment of a user's shell: kade2kfp is on its PATH, and its home is `home`."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return environment(
        PATH=path, HOME=str(home), TERM="dumb", ZDOTDIR=str(home), XDG_CONFIG_HOME=str(home), LC_ALL="C.UTF-8"
    )


def offers(shell: str, line: str, cwd: Path, home: Path, **more: str) -> list[str]:
    """What a shell offers at the end of a line: whole words, but bash those behind the last `=`.

    Fails where anything of it comes to the terminal's standard error.
    """
    script = home / f"_kade2kfp.{shell}"
    script.write_text(read_text(f"templates/completion/kade2kfp.{shell}"))
    env = plain_environment(home) | {"SCRIPT": str(script)} | more
    if shell == "zsh":
        return _zsh(line, cwd, home, env)
    if shell == "fish":
        command = ["fish", "--no-config", "-c", 'source "$SCRIPT"; complete -C "$argv[1]"', line]
    else:
        words = [part for word in line.split(" ") for part in (re.split(r"(=)", word) if word else [""])]
        command = ["bash", "--norc", "--noprofile", "-c", _BASH, line, *(one for one in words[:-1] if one), words[-1]]
    ran = subprocess.run(command, cwd=cwd, env=env, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
    assert (ran.returncode, ran.stderr) == (0, b"")
    return [row.partition("\t")[0] for row in ran.stdout.decode().split("\n") if row]


def _zsh(line: str, cwd: Path, home: Path, env: dict[str, str]) -> list[str]:
    found = home / "found"
    found.write_text("")
    setup = home / ".zshrc"
    setup.write_text(_ZSH)
    shown = typed(["zsh", "-d", "-i"], f"{line}\t", cwd, env | {"FOUND": str(found)}, found)
    rows = found.read_text().splitlines()
    assert rows[-1] == "(end)", shown
    assert "_kade2kfp" not in shown  # an error names the function
    return [row.replace("\\", "") for row in rows[:-1]]


def typed(command: list[str], text: str, cwd: Path, env: dict[str, str], until: Path | str) -> str:
    """What a shell shows on a terminal, which `(ready)` begins, after a text is typed; until a file ends or that is shown."""
    process, terminal = pty.fork()
    if process == 0:
        try:
            os.chdir(cwd)
            os.execvpe(command[0], command, env)
        finally:
            os._exit(127)
    try:
        shown = ""
        sent = False
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if select.select([terminal], [], [], 0.05)[0]:
                shown += os.read(terminal, 65536).decode(errors="replace")
            if not sent and "(ready)" in shown:
                os.write(terminal, text.encode())
                shown, sent = "", True
            if sent and (until.read_text().endswith("(end)\n") if isinstance(until, Path) else until in shown):
                return shown
        raise AssertionError(f"{command[0]} showed: {shown!r}")
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(terminal)
