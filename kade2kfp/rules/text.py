"""The text of a file of settings, and what TOML makes of it."""

from __future__ import annotations

import codecs
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kade2kfp.diagnostics.model import Diagnostic, Span
from kade2kfp.source import Source

MAX_BYTES = 2**20
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
# tomllib takes time that grows with the square of a key's parts (cpython issue 129403 and before).
_PARTS = re.compile(r"(?<![\w\"'.-])[\w\"'-]++(?:[ \t]*+\.[ \t]*+[\w\"'-]++){100}")


class UnreadableError(Exception):
    """A file that cannot be read as it is; the text says why."""


@dataclass(frozen=True, slots=True)
class Toml:
    """What a file holds; `problem` says why it could not be read, and then there is no table."""

    source: Source
    table: dict[str, Any]
    problem: Diagnostic | None = None


def data_of(path: str | Path, most: int = MAX_BYTES) -> bytes:
    """A file's bytes, at most one more than `most`. Raises UnreadableError."""
    try:
        # A device or a pipe may act or wait when it is opened: look first.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UnreadableError("it is no file")
        with open(path, "rb") as stream:
            return stream.read(most + 1)
    except OSError as error:
        raise UnreadableError((error.strerror or str(error)).lower()) from None
    except ValueError:  # a NUL or half a surrogate pair in the path
        raise UnreadableError("no file can have this name") from None


def read_toml(data: bytes, file: str) -> Toml:
    """What a file's bytes hold; `file` is what diagnostics call it."""
    if len(data) > MAX_BYTES:
        return _unread(Source(file, ""), f"the file has more than {MAX_BYTES // 2**20} MiB", "settings are short")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _unread(Source(file, ""), "the file is UTF-16", "TOML is UTF-8: save the file so")
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        source = Source(file, data.decode(errors="replace"))
        offset = len(data[: error.start].decode())
        span = source.lines.span(offset, offset + 1)
        message = f"the byte 0x{data[error.start]:02x} is not UTF-8"
        return _unread(source, message, "TOML is UTF-8: save the file so", span)
    source = Source(file, text)
    if long := _PARTS.search(text):
        span = source.lines.span(long.start(), long.start() + 1)
        return _unread(source, "this key has more than 100 parts", "keys of settings have at most five", span)
    import tomllib

    try:
        return Toml(source, tomllib.loads(text))
    except RecursionError:
        return _unread(source, "more arrays and tables inside each other than can be read", "settings are flat")
    except ValueError as error:  # TOMLDecodeError, and a number of thousands of digits
        message = str(error)
        found = _AT.search(message)
        said = message[: found.start()] if found else message
        return _unread(source, f"this is no TOML: {said[:1].lower()}{said[1:]}"[:300], _HELP, _span(source, found))


_HELP = "https://toml.io tells how it is written"


def _span(source: Source, found: re.Match[str] | None) -> Span | None:
    if found is None:
        return None
    if found[1] is None:
        end = len(source.text.rstrip())
        return source.lines.span(max(0, end - 1), end)
    line, column = int(found[1]), int(found[2])
    # Where a line ends too early, what is missing would stand behind it.
    return Span(line, column, line, column + 1)


def _unread(source: Source, message: str, help_: str, span: Span | None = None) -> Toml:
    return Toml(source, {}, Diagnostic("K011", message, help=help_, span=span, file=source.file))
