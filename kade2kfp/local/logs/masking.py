"""Replaces secrets in a stream of bytes, whatever pieces it comes in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

SHOWN = b"***"
_HEAD = 8
# With fewer secrets than one in so many bytes, looking for one after the other (bytes.find) is several times faster
# than one expression of all.
_SPARSE = 64


@dataclass(frozen=True, slots=True, repr=False)
class Masks:
    """What is replaced, longest first; how the shorter ends of a piece that must wait may look; the longer masks."""

    all: tuple[bytes, ...]
    beginnings: frozenset[bytes]
    long: tuple[bytes, ...]


def masks_of(texts: Iterable[bytes]) -> Masks:
    """The masks made ready; empty ones are left out."""
    every = tuple(sorted({bytes(text) for text in texts if text}, key=lambda text: (-len(text), text)))
    beginnings = frozenset(text[:size] for text in every for size in range(1, min(_HEAD, len(text))))
    return Masks(every, beginnings, tuple(text for text in every if len(text) > _HEAD))


def masked(masks: Masks, data: bytes, *, last: bool) -> tuple[bytes, bytes]:
    """What of `data` can be written, secrets replaced; and its end, which waits for more as it may begin a secret.

    `data` begins with what waited before. At one place the longest secret counts, and what was replaced is not looked
    at again, so the result is that of replacing in the whole. `last` says that no more comes: nothing waits.
    """
    if not masks.all:
        return data, b""
    spans = _sparse(masks, data)
    if spans is None:
        expression = _expression(masks.all)
        end = len(data) if last else _end(masks, (match.span() for match in expression.finditer(data)), data)
        return expression.sub(SHOWN, data[:end]), data[end:]
    end = len(data) if last else _end(masks, spans, data)
    pieces: list[bytes] = []
    at = 0
    for start, stop in spans:
        if start >= end:
            break
        pieces += (data[at:start], SHOWN)
        at = stop
    return b"".join((*pieces, data[at:end])), data[end:]


def _sparse(masks: Masks, data: bytes) -> list[tuple[int, int]] | None:
    """Where secrets stand, from left to right, none over another; of those that begin at one place the longest.

    None where there are so many that this is not the way to find them.
    """
    found: list[tuple[int, int]] = []
    most = len(data) // _SPARSE + 1
    for mask in masks.all:
        at = data.find(mask)
        while at >= 0:
            if len(found) > most:
                return None
            found.append((at, -len(mask)))
            at = data.find(mask, at + 1)
    spans: list[tuple[int, int]] = []
    for start, minus_size in sorted(found):
        if not spans or start >= spans[-1][1]:
            spans.append((start, start - minus_size))
    return spans


def _end(masks: Masks, spans: Iterable[tuple[int, int]], data: bytes) -> int:
    """Where the first beginning of a secret stands that the data's end cuts off, if no secret before covers it."""
    start = _cut_off(masks, data, 0)
    for begin, end in spans if start < len(data) else ():
        if begin >= start:
            break
        if end > start:
            start = _cut_off(masks, data, end)
    return start


def _cut_off(masks: Masks, data: bytes, start: int) -> int:
    """The first place from `start` on from where all that follows is the beginning of a longer secret; else the end."""
    size = len(data)
    first = size
    for mask in masks.long:
        at = data.find(mask[:_HEAD], max(start, size - len(mask) + 1))
        while 0 <= at < first:
            length = size - at
            # The one byte first: it spares most copies of a long secret.
            if mask[length - 1] == data[-1] and data.endswith(mask[:length]):
                first = at
            at = data.find(mask[:_HEAD], at + 1)
    for at in range(max(start, size - _HEAD + 1), first):
        if data[at:] in masks.beginnings:
            return at
    return first


@lru_cache(maxsize=8)
def _expression(masks: tuple[bytes, ...]) -> re.Pattern[bytes]:
    return re.compile(_alternatives(masks, 0, 3))


def _alternatives(masks: Sequence[bytes], skip: int, levels: int) -> bytes:
    """An expression for the masks without their first `skip` bytes; by first bytes, so that few are tried at a place."""
    if levels == 0 or len(masks) == 1:
        return b"|".join(re.escape(mask[skip:]) for mask in masks)
    groups: dict[bytes, list[bytes]] = {}
    for mask in masks:
        groups.setdefault(mask[skip : skip + 1], []).append(mask)
    # The one that ends here comes last, as it is the shortest.
    rows = [
        re.escape(first) + b"(?:" + _alternatives(of, skip + 1, levels - 1) + b")" if first else b""
        for first, of in sorted(groups.items(), key=lambda row: not row[0])
    ]
    return b"|".join(rows)
