"""The pass that reads the files which travel with tasks. Nothing outside the document's folder is ever read."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kade2kfp.diagnostics.model import Diagnostic, Pointer
from kade2kfp.document.read import Document
from kade2kfp.document.shared import File, Task

MAX_TASK = 64 * 1024
MAX_PIPELINE = 512 * 1024
_INSTEAD = "put it into the image, onto a volume, or bring it by loadData and an arrow"


def read_files(document: Document, folder: Path | None) -> tuple[Mapping[Pointer, bytes], list[Diagnostic]]:
    """The content of each file by where it stands in the document; `folder` None leaves sources out."""
    contents: dict[Pointer, bytes] = {}
    found: list[Diagnostic] = []
    total = 0
    for task in document.tasks:
        size = 0
        for file in _files(task):
            if document.is_torn(file.place("source"), file.place("content"), file.place("encoding")):
                continue
            content, problem = _content(file, folder)
            if problem:
                found.append(problem)
            contents[file.at] = content
            size += len(content)
            if size > MAX_TASK >= size - len(content):
                message = f"the files of the task `{task.id}` have more than {MAX_TASK // 1024} KiB"
                found.append(Diagnostic("K601", message, file.at, _INSTEAD))
        if total <= MAX_PIPELINE < total + size:
            message = f"the files of the pipeline have more than {MAX_PIPELINE // 1024} KiB together"
            found.append(Diagnostic("K602", message, task.place("files"), _INSTEAD))
        total += size
    return contents, found


def _files(task: Task) -> Iterator[Any]:
    yield from getattr(task, "files", None) or ()


def _content(file: Any, folder: Path | None) -> tuple[bytes, Diagnostic | None]:
    if (file.source is None) == (file.content is None):
        message = "a file has either `source` or `content`" + ("" if file.source is None else ", not both")
        return b"", Diagnostic(
            "K210",
            message,
            file.at,
            "name a file in the document's folder as `source`, or write its text as `content`",
        )
    if file.content is not None:
        return _decoded(file)
    if folder is None or "{{" in file.source:
        return b"", None
    return _read(file, folder)


def _decoded(file: Any) -> tuple[bytes, Diagnostic | None]:
    encoding = file.encoding or ("utf-8" if isinstance(file, File) else "base64")
    if encoding == "utf-8":
        return file.content.encode("utf-8", "surrogatepass"), None
    try:
        return base64.b64decode("".join(file.content.split()), validate=True), None
    except (binascii.Error, ValueError):
        help_ = "the text must be base64 (RFC 4648)" + (
            "" if isinstance(file, File) else '; write "encoding": "utf-8" for plain text'
        )
        return b"", Diagnostic("K211", "the content is not base64", file.place("content"), help_)


def _read(file: Any, folder: Path) -> tuple[bytes, Diagnostic | None]:
    at: Pointer = file.place("source")
    shown = f"`{file.source}`"
    root = folder.resolve()
    try:
        path = (root / file.source).resolve()
        if not path.is_relative_to(root):
            return b"", Diagnostic(
                "K213",
                f"the file {shown} lies outside the document's folder",
                at,
                "only files below the folder of the document are read; copy it there",
            )
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return b"", Diagnostic(
                "K212",
                f"{shown} is not a regular file",
                at,
                "name one file; several files are several entries",
            )
        if status.st_size > MAX_TASK:
            message = f"the file {shown} has {status.st_size:,} bytes; a task's files may have {MAX_TASK // 1024} KiB"
            return b"", Diagnostic("K601", message, at, _INSTEAD)
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NOFOLLOW", 0))) as opened:
            return opened.read(MAX_TASK + 1), None
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "the name cannot be used"
        return b"", Diagnostic(
            "K212", f"the file {shown} cannot be read: {reason.lower()}", at, _near(root, file.source)
        )


def _near(root: Path, name: str) -> str:
    from kade2kfp.document.suggest import closest

    try:
        there = [str(path.relative_to(root)) for path in sorted((root / name).parent.iterdir())[:500] if path.is_file()]
    except (OSError, ValueError):
        there = []
    match = closest(name, there)
    return (
        f"did you mean `{match}`?"
        if match
        else "sources are looked for from the document's folder; `validate --no-sources` leaves them out"
    )
