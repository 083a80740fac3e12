"""What a step prints on its way to the log of its attempt: without secrets, of limited size, as it comes."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kade2kfp.local.logs.masking import masked, masks_of

LIMIT = 64 * 1024 * 1024
END = 1024 * 1024
"""Bytes of a log's end that are kept where it is longer than its limit."""
TAIL = 15
"""Lines of a log that a failure shows."""
MAX_LINE = 500
_READ = 256 * 1024
_BLOCK = 64 * 1024
# Bytes of a line that are looked at: with control sequences it may have more of them than characters to show.
_MAX_ROW = 16 * 1024
# Erasing the line and going to its first column, as progress bars do beside a carriage return.
_TO_START = re.compile(rb"\x1b\[(?:2K|[01]?G)")
# Control sequences (ECMA-48, 5.4), control strings up to their end (5.6), other escapes, then single characters.
_CONTROL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\x9c|$)|\x1b[ -/]*[0-~]|[\x00-\x1f\x7f-\x9f]"
)


@dataclass(frozen=True, slots=True)
class LogEnd:
    """How a log ended. `bytes` were printed, secrets already replaced, and `left_out` of them are not in the file.

    `tail` are its last lines as `last_lines` gives them, also where the file could not be written; `problem` says why
    it could not, and is empty else.
    """

    bytes: int
    left_out: int
    tail: tuple[str, ...]
    problem: str = ""


def pump(source_fd: int, target: Path, masks: Sequence[bytes], *, limit: int = LIMIT) -> LogEnd:
    """Read a blocking file descriptor to its end and write what comes to the new file `target` at once.

    Each of `masks` becomes `***`; what may be the beginning of one waits for what follows. Of more than `limit` bytes
    the first half of `limit` and the last END bytes stay, with a line between that counts the others; while more comes,
    the file also has newer ones, is cut back each time it has `limit` bytes, and so becomes shorter then.

    Never raises for the file: what cannot be written is read nevertheless, so that the step does not wait for ever.
    The descriptor stays open.
    """
    ready = masks_of(masks)
    log = _Log(limit)
    log.open(target)
    waiting = b""
    while chunk := _read(source_fd):
        text, waiting = masked(ready, waiting + chunk if waiting else chunk, last=False)
        if text:
            log.add(text)
    text, _ = masked(ready, waiting, last=True)
    if text:
        log.add(text)
    log.close()
    return LogEnd(log.total, log.total - log.kept, last_lines(bytes(log.recent[-END:]), TAIL), log.problem)


def _read(source: int) -> bytes:
    try:
        return os.read(source, _READ)
    except OSError:  # EIO is how a terminal ends
        return b""


@dataclass(slots=True)
class _Log:
    """The file while it is written: `kept` of the `total` bytes are in it; `recent` has at least the last END."""

    limit: int
    total: int = 0
    kept: int = 0
    recent: bytearray = field(default_factory=bytearray)
    problem: str = ""
    file: int = -1
    cut: bool = False

    @property
    def head(self) -> int:
        return self.limit // 2

    @property
    def end(self) -> int:
        return min(END, self.limit - self.head)

    def open(self, target: Path) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self.file = os.open(target, flags, 0o600)
        except OSError as error:
            self._fail(error)

    def add(self, text: bytes) -> None:
        self.total += len(text)
        self.recent += text
        if len(self.recent) > 2 * END:
            del self.recent[:-END]
        if self.file < 0:
            return
        try:
            if self.kept + len(text) <= self.limit:
                self._put(text)
            else:
                if self.kept < self.head:
                    self._put(text[: self.head - self.kept])
                self._cut()
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        if self.file < 0:
            return
        try:
            if self.cut and self.kept > self.head + self.end:
                self._cut()
        except OSError as error:
            self._fail(error)
        else:
            os.close(self.file)
            self.file = -1

    def _cut(self) -> None:
        """Leave the first half, the line that counts, and the last bytes."""
        self.cut = True
        os.ftruncate(self.file, self.head)
        self.kept = self.head
        new_line = self.head and os.pread(self.file, 1, self.head - 1) != b"\n"
        left_out = f"kade2kfp: {self.total - self.head - self.end:,} bytes left out\n"
        self._put(("\n" if new_line else "").encode() + left_out.encode(), counts=False)
        self._put(bytes(self.recent[-self.end :]) if self.end else b"")

    def _put(self, text: bytes, *, counts: bool = True) -> None:
        rest = memoryview(text)
        while rest:
            written = os.write(self.file, rest)
            self.kept += written if counts else 0
            rest = rest[written:]

    def _fail(self, error: OSError) -> None:
        self.problem = f"the log cannot be written: {(error.strerror or str(error)).lower()}"
        if self.file >= 0:
            os.close(self.file)
            self.file = -1


def tail(path: Path, lines: int) -> tuple[str, ...]:
    """The last lines of a log, as `last_lines` gives them; read from its end. None where it cannot be read."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ()
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            return ()
        found: tuple[str, ...] = ()
        for size in (_BLOCK, END):
            start = max(0, status.st_size - size)
            data = os.pread(file, status.st_size - start, start)
            # A block begins in the middle of a line, which the larger one may have whole.
            whole = data if start == 0 or size == END else data.partition(b"\n")[2]
            found = last_lines(whole, lines)
            if start == 0 or len(found) == lines:
                break
    except OSError:
        return ()
    finally:
        os.close(file)
    return found


def last_lines(data: bytes, lines: int) -> tuple[str, ...]:
    """The last lines that are not blank, as a terminal leaves them: of a progress bar its last state, no colours.

    Each has at most MAX_LINE characters, none of them a control character; what is not UTF-8 is U+FFFD.
    """
    found: list[str] = []
    end = len(data)
    while end >= 0 and len(found) < lines:
        start = data.rfind(b"\n", 0, end)
        if line := _shown(data[start + 1 : end]):
            found.append(line)
        end = start
    return tuple(reversed(found))


def _shown(line: bytes) -> str:
    """A line as it stands after the last carriage return that something follows."""
    line = _TO_START.sub(b"\r", line)
    end = len(line)
    while end >= 0:
        start = line.rfind(b"\r", 0, end)
        row = line[start + 1 : min(end, start + 1 + _MAX_ROW)].decode(errors="replace")
        if text := _CONTROL.sub("", row.replace("\t", " ")).rstrip():
            return text if len(text) <= MAX_LINE else text[: MAX_LINE - 3] + "..."
        end = start
    return ""
