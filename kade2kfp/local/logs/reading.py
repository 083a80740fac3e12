"""Reading logs of any size, also while they grow, in constant memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from kade2kfp.diagnostics.escape import terminal

PIECE = 64 * 1024
LONGEST = 64 * 1024
"""Bytes of a line that are held back until its end is there."""


def pieces(path: Path, start: int, most: int | None = None) -> Iterator[bytes]:
    """What stands in a log from a byte on, up to its present end or `most` bytes. Raises OSError."""
    with open(path, "rb") as file:
        file.seek(start)
        left = max(0, os.fstat(file.fileno()).st_size - start)  # a log that grows as fast as it is read has an end, too
        left = left if most is None else min(left, most)
        while left > 0 and (data := file.read(min(PIECE, left))):
            left -= len(data)
            yield data


def start_of_tail(path: Path, lines: int | None) -> int:
    """The byte where the last lines of a log begin, read from its end; None stands for all. Raises OSError."""
    with open(path, "rb") as file:
        if lines is None:
            return 0
        end = file.seek(0, os.SEEK_END)
        if lines == 0:
            return end
        # The newline that ends the last line separates nothing.
        at = end - 1 if end and _read(file, end - 1, end) == b"\n" else end
        while at > 0:
            begin = max(0, at - PIECE)
            block = _read(file, begin, at)
            while (newline := block.rfind(b"\n")) >= 0:
                lines -= 1
                if lines == 0:
                    return begin + newline + 1
                block = block[:newline]
            at = begin
        return 0


def _read(file: BinaryIO, begin: int, end: int) -> bytes:
    file.seek(begin)
    return file.read(end - begin)


class Lines:
    """A log that arrives in pieces, as lines with a prefix each.

    `escaped` is for a terminal, which is to act on nothing but tabs: of a line that was written over and over, as
    progress bars are, what stood there last. A line longer than LONGEST goes out in parts, so that none is held in
    memory as a whole.
    """

    def __init__(self, prefix: bytes, *, escaped: bool) -> None:
        self._prefix = prefix
        self._escaped = escaped
        self._pending = b""
        self._within = False

    def feed(self, data: bytes) -> bytes:
        """What is to be written once `data` has arrived too."""
        *lines, self._pending = (self._pending + data).split(b"\n")
        ready = []
        for line in lines:
            ready += [self._shown(line), b"\n"]
            self._within = False
        if len(self._pending) > LONGEST and self._escaped and b"\r" in self._pending:
            self._pending = self._pending[self._pending.rindex(b"\r") :]
        if len(self._pending) > LONGEST:
            ready.append(self._shown(self._pending))
            self._pending, self._within = b"", True
        return b"".join(ready)

    def end(self) -> bytes:
        """What is to be written once no more arrives: the last line may have no end of its own."""
        last = self.feed(b"\n") if self._pending or self._within else b""
        self._pending, self._within = b"", False
        return last

    def _shown(self, line: bytes) -> bytes:
        begin = b"" if self._within else self._prefix
        return begin + (escaped(line) if self._escaped else line)


def escaped(line: bytes) -> bytes:
    """A line for a terminal."""
    last = next((part for part in reversed(line.split(b"\r")) if part), b"")
    return "\t".join(map(terminal, last.decode("utf-8", "backslashreplace").split("\t"))).encode()
