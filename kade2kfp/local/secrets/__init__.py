"""Secrets and config maps of a local run: the file of `--secrets`, what a plan needs of them, what logs must not show.

The file's forms: local/secrets_file.py.
"""

from __future__ import annotations

import base64
import codecs
import json
import os
import stat
import sys
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.local.secrets.form import objects_of
from kade2kfp.source.lines import Lines
from kade2kfp.source.mistakes import Mistakes
from kade2kfp.steps.model import Plan, Step
from kade2kfp.steps.parts import EnvFrom, SecretMount
from kade2kfp.steps.sources import literal

MAX_BYTES = 1024 * 1024
"""Of the whole file. Kubernetes has it as the limit of one object (pkg/apis/core/types.go, MaxSecretSize)."""
UNREADABLE = "K720"
MISSING = "K724"
"""What `missing` tells is of this code."""

_MIN_LINE = 4


@dataclass(frozen=True, slots=True, repr=False)
class Objects:
    """Secrets and config maps by name, their values by key. `note` is a sentence to tell the user, or empty."""

    secrets: Mapping[str, Mapping[str, bytes]]
    config_maps: Mapping[str, Mapping[str, bytes]]
    note: str = ""

    def __repr__(self) -> str:
        """Names alone: what is logged by mistake tells no value."""
        return f"Objects(secrets={sorted(self.secrets)}, config_maps={sorted(self.config_maps)})"

    def of(self, source: str) -> Mapping[str, Mapping[str, bytes]]:
        """Those of one source of the plan: `secret` or `configMap`."""
        return self.secrets if source == "secret" else self.config_maps


NO_OBJECTS = Objects({}, {})


def read_secrets(path: str | Path) -> Objects | list[Diagnostic]:
    """Read the file of `--secrets`; `-` is standard input.

    Returns:
        What it holds; or K720 to K723, with line and column. Whoever shows them must not show the file's lines.
        A file that others than its owner may read is read, and `note` says so.
    """
    file = os.fspath(path)
    if file == "-":
        return read_text(sys.stdin.buffer.read(MAX_BYTES + 1), "<stdin>")
    try:
        # Not waiting for a pipe: it is refused below.
        with open(file, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK | os.O_CLOEXEC)) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                return _unread(file, "it is not a regular file", "send what a program writes to `--secrets -`")
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        help_ = "a folder cannot be read, only a file" if isinstance(error, IsADirectoryError) else "check the path"
        return _unread(file, (error.strerror or "unknown reason").lower(), help_)
    except ValueError:  # a NUL in the path
        return _unread(file, "no file can have this name", "check the path")
    note = f"other users may have access to {file}; close it with `chmod 600`" if status.st_mode & 0o077 else ""
    return read_text(data, file, note)


def read_text(data: bytes, file: str, note: str = "") -> Objects | list[Diagnostic]:
    """The same from bytes; `file` is what diagnostics call it, `note` goes into the result."""
    if len(data) > MAX_BYTES:
        return _unread(file, f"it has more than {MAX_BYTES:,} bytes", "Kubernetes takes no larger secret either")
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        return _unread(file, f"it is not UTF-8 (at byte {error.start + 1:,})", "bytes are written as `!!binary`")
    mistakes = Mistakes()
    found = objects_of(text, mistakes)
    if mistakes.found:
        return list(mistakes.diagnostics(Lines(text), file))
    return Objects(found["secret"], found["config map"], note)


def _unread(file: str, reason: str, help_: str) -> list[Diagnostic]:
    return [Diagnostic(UNREADABLE, f"the secrets cannot be read: {reason}", help=help_, file=file)]


def missing(plan: Plan, objects: Objects) -> list[tuple[str, EnvFrom | SecretMount, str]]:
    """What the plan's steps need and `objects` does not have: the step's name, what needs it, and a sentence.

    What may be missing is not told, nor are objects whose name is known only at run time (`problem` tells those).
    """
    found = []
    for step in plan.nodes:
        for need in _needs(step) if isinstance(step, Step) else ():
            name = literal(need.object if isinstance(need, EnvFrom) else need.name)
            if name is not None and (said := problem(need, name, objects)):
                found.append((step.name, need, said))
    return found


def _needs(step: Step) -> Iterator[EnvFrom | SecretMount]:
    yield from (env for env in step.env if isinstance(env, EnvFrom) and env.source != "field")
    yield from (mount for mount in step.mounts if isinstance(mount, SecretMount))
    if step.service and step.service.kind == "serving":  # a viewer's lack is its own, and stops no run
        yield from _needs(step.service.server)


def problem(need: EnvFrom | SecretMount, name: str, objects: Objects) -> str:
    """Why a step cannot have what it needs of the object `name`: a sentence, or empty where it can, or need not."""
    kind = "secret" if need.source == "secret" else "config map"
    values = objects.of(need.source).get(name)
    if values is None:
        if need.optional:
            return ""
        return _sentence(f"there is no {kind} `{name}`", did_you_mean(name, objects.of(need.source)))
    if isinstance(need, SecretMount):
        return ""
    value = values.get(need.key)
    if value is None:
        if need.optional:
            return ""
        return _sentence(f"the {kind} `{name}` has no key `{need.key}`", did_you_mean(need.key, values))
    if b"\0" in value:
        return f"`{need.key}` of the {kind} `{name}` has a byte 0, which no variable can hold"
    return ""


def _sentence(text: str, suggestion: str) -> str:
    return f"{text}; {suggestion}" if suggestion else text


def masks(objects: Objects) -> tuple[bytes, ...]:
    """What logs must not show: values of secrets, their lines, and how programs usually write them; longest first.

    A value is masked however short it is; of its lines those of at least four bytes.
    """
    found: set[bytes] = set()
    for values in objects.secrets.values():
        for value in values.values():
            for form in {value, value.strip()}:
                found.update(_forms(form))
            lines = [line.strip() for line in value.splitlines()]
            if len(lines) > 1:
                found.update(line for line in lines if len(line) >= _MIN_LINE)
    found.discard(b"")
    return tuple(sorted(found, key=lambda mask: (-len(mask), mask)))


def _forms(value: bytes) -> Iterator[bytes]:
    """The value as it is, in base64, in a URL, and in JSON."""
    yield value
    encoded = base64.b64encode(value)
    yield from (encoded, encoded.rstrip(b"="))
    for safe in ("", "/"):
        yield urllib.parse.quote(value, safe=safe).encode()
        yield urllib.parse.quote_plus(value, safe=safe).encode()
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return
    yield from (json.dumps(text, ensure_ascii=ascii_)[1:-1].encode() for ascii_ in (True, False))
