"""How one logs in to KFP: where a token or cookie comes from. None is ever printed, part of a URL, or given in a command line."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kade2kfp.diagnostics.cannot import CannotDoError

Token = Callable[[], str]
"""Gives the token of this moment; raises CannotDoError."""
SERVICE_ACCOUNT = "/var/run/secrets/kubeflow/pipelines/token"
"""Where Kubeflow projects a pod's token for KFP (sdk/python/kfp/client/set_volume_credentials.py)."""
SERVICE_ACCOUNT_VARIABLE = "KF_PIPELINES_SA_TOKEN_PATH"
DEX_COOKIE = "authservice_session"
_PATIENCE = 60.0  # seconds that a login program may take; it may ask something
_FRESH = 300.0  # seconds that what it said is used


def from_text(text: str, what: str) -> Token:
    """A token that is there already."""
    token = checked(text, what)
    return lambda: token


def from_file(path: str, *, private: bool = True) -> Token:
    """A file's token, read anew for each request: others may replace it. `private`: only its owner may have access."""

    def read() -> str:
        return checked(read_secret(path, private=private), path)

    return read


def from_program(command: Sequence[str], what: str) -> Token:
    """What a program prints: a token, or Kubernetes' ExecCredential. It is asked again after five minutes."""
    kept: list[tuple[float, str]] = []

    def ask() -> str:
        if not kept or time.monotonic() - kept[0][0] > _FRESH:
            kept[:] = [(time.monotonic(), checked(_printed(command, what), what))]
        return kept[0][1]

    return ask


def service_account() -> str | None:
    """The file of the pod's own token for KFP, where there is one."""
    path = os.environ.get(SERVICE_ACCOUNT_VARIABLE) or SERVICE_ACCOUNT
    return path if os.path.exists(path) else None


def cookie_of(text: str, what: str) -> str:
    """A `Cookie` header: `name=value` as it is, a bare value as Dex' session."""
    value = checked(text, what)
    name, _, rest = value.partition("=")
    named = name.replace("_", "").replace("-", "").isalnum() and bool(rest.strip("="))  # base64 ends in =
    return value if named else f"{DEX_COOKIE}={value}"


def checked(text: str, what: str) -> str:
    """A secret without the line's end. Raises CannotDoError where no header can carry it."""
    secret = text.strip()
    if not secret:
        raise CannotDoError(f"{what} holds no token", "log in again")
    if not secret.isascii() or not secret.isprintable():
        raise CannotDoError(f"what {what} holds cannot be sent as a token", "it has to be one line of plain ASCII")
    return secret


def read_secret(path: str, *, private: bool = True) -> str:
    """A file's text. Raises CannotDoError where it cannot be read, or others have access to it and must not."""
    try:
        with open(Path(path).expanduser(), encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            if private:
                refuse_shared(path, mode)
            return file.read(1 << 20)
    except (OSError, RuntimeError, UnicodeDecodeError) as error:
        reason = (getattr(error, "strerror", None) or "it is no text").lower()
        raise CannotDoError(f"cannot read {path}, which holds the login: {reason}", "log in again") from None


def refuse_shared(path: str, mode: int) -> None:
    """Raises CannotDoError where a file that holds a secret can be used by others; pipes have no such modes."""
    if stat.S_ISREG(mode) and mode & 0o077:
        raise CannotDoError(
            f"{path} holds a secret, and others than its owner have access to it ({stat.S_IMODE(mode):o})",
            f"chmod 600 {path}",
        )


def _printed(command: Sequence[str], what: str) -> str:
    try:
        ran = subprocess.run(list(command), stdout=subprocess.PIPE, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise CannotDoError(f"{what} did not end in {_PATIENCE:.0f} s", "does it wait for something?") from None
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "it cannot be called so").lower()
        raise CannotDoError(f"cannot start {what}: {reason}", "look at `exec` in the configuration") from None
    if ran.returncode:
        raise CannotDoError(f"{what} failed with exit code {ran.returncode}", "what it said stands above")
    text = ran.stdout.decode(errors="replace")
    try:
        status = json.loads(text).get("status")
        return str(status["token"])
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
        return text
