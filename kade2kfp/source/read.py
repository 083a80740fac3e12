"""A file, or bytes that are here already, to a source. No mistake of the user's raises."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.source.decode import decode
from kade2kfp.source.limits import MAX_BYTES
from kade2kfp.source.lines import Lines
from kade2kfp.source.mistakes import Mistakes
from kade2kfp.source.model import MISSING, Object, Source
from kade2kfp.source.strict import read_strict


def read_source(data: bytes, file: str) -> Source:
    """Read a document from bytes.

    Args:
        data: the whole file.
        file: what diagnostics call it.

    Returns:
        The source; what is wrong is in its diagnostics, and its root is MISSING where nothing can be read from it.
    """
    if len(data) > MAX_BYTES:
        return _too_large(file, len(data))
    text, wrong = decode(data)
    if wrong is not None:
        if not text:
            return _unread(file, wrong.code, wrong.message, wrong.help)
        mistakes = Mistakes()
        mistakes.add(wrong)
        return Source(file, text, MISSING, mistakes.diagnostics(Lines(text), file))
    root = read_strict(text)
    if isinstance(root, Object):
        return Source(file, text, root)
    from kade2kfp.source.scan import scan  # compiles many expressions, which a text without mistakes can do without

    found = scan(text)
    return Source(file, text, found.root, found.mistakes.diagnostics(Lines(text), file), found.places)


def read_file(path: str | Path) -> Source:
    """Read a document from a file, which is refused unread where it is no file or too large.

    Returns:
        The source, as `read_source` gives it, with its folder; K001 and K008 say why a file was not read.
    """
    file = os.fspath(path)
    return replace(_read(file), folder=os.path.dirname(file) or os.curdir)


def _read(file: str) -> Source:
    try:
        # A device or a pipe may act or wait when it is opened: look first.
        status = os.stat(file)
        if stat.S_ISREG(status.st_mode) and status.st_size <= MAX_BYTES:
            with open(file, "rb", opener=_open) as stream:
                status = os.fstat(stream.fileno())
                if stat.S_ISREG(status.st_mode):
                    # It may have grown since; what the system itself writes says that it is empty.
                    return read_source(stream.read(MAX_BYTES + 1), file)
    except OSError as error:
        meant = _meant(file) if isinstance(error, FileNotFoundError) else ""
        help_ = f"did you mean `{meant}`?" if meant else _HELP.get(type(error), "")
        return _unread(file, "K001", f"the file cannot be read: {_reason(error)}", help_)
    except ValueError:  # a NUL or half a surrogate pair in the path
        return _unread(file, "K001", "no file can have this name", "check the path")
    if stat.S_ISREG(status.st_mode):
        return _too_large(file, status.st_size)
    kind = next((name for is_kind, name in _KINDS if is_kind(status.st_mode)), "no file")
    help_ = "name a file; `-` reads standard input"
    if stat.S_ISDIR(status.st_mode):
        inside = os.path.join(file, _USUAL)
        found = os.path.isfile(inside)
        help_ = f"did you mean `{inside}`?" if found else f"name the document in it, such as {_USUAL}"
    return _unread(file, "K001", f"the file cannot be read: it is {kind}", help_)


_USUAL = "pipeline.json"
_MOST = 1000  # names of a folder that are looked at
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_HELP: dict[type[OSError], str] = {
    FileNotFoundError: "check the path; it begins at the working directory where it has no leading `/`",
    NotADirectoryError: "a part of the path is a file: check it",
    PermissionError: "make the file and its folders readable: `chmod`, or another user",
}


def _meant(file: str) -> str:
    """The document that was meant by a path at which there is nothing; empty where nobody can tell."""
    stem, suffix = os.path.splitext(file)
    for one in (f"{file}.json", os.path.join(stem, _USUAL) if suffix == ".json" else ""):
        if one and os.path.isfile(one):
            return one
    import difflib  # only a wrong path pays for it

    folder, name = os.path.split(file)
    with suppress(OSError), os.scandir(folder or os.curdir) as rows:
        there = [row.name for row in islice(rows, _MOST) if row.name.endswith(".json") and row.is_file()]
        near = difflib.get_close_matches(name.removesuffix(".json"), [one.removesuffix(".json") for one in there], n=1)
        return os.path.join(folder, f"{near[0]}.json") if near else ""
    return ""


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is none of this name"
    return (error.strerror or "unknown reason").lower()


def _too_large(file: str, size: int) -> Source:
    most = MAX_BYTES // 2**20
    message = f"the file has {size / 2**20:,.1f} MiB, more than {most}"
    if size - MAX_BYTES < 2**17:
        message = f"the file has {size:,} bytes, more than {MAX_BYTES:,}"
    help_ = "a pipeline document names files and data, it does not hold them: use `source` for files"
    return _unread(file, "K008", message, help_)


def _unread(file: str, code: str, message: str, help_: str) -> Source:
    """A source without a text: the whole file is what is wrong."""
    return Source(file, "", MISSING, (Diagnostic(code, message, help=help_, file=file),))
