"""How often a KFP is asked while somebody watches: seldom enough that nobody else notices."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

LEAST, MOST = 1.0, 10.0
"""Seconds between two looks at a run: while something changes, and once nothing has for a while."""
_LONGEST = 30.0
_SHARE = 3.0
_BYTES = 1024 * 1024
APART = 0.35


@dataclass(slots=True)
class Pace:
    """The pause before the next look at a run.

    It begins at LEAST, grows to MOST while nothing changes, and is never so short that asking takes more than a quarter
    of the time, or more than a MiB comes in a second: a run of 300 steps is some MiB for each look.
    """

    pause: float = LEAST

    def after(self, *, changed: bool, took: float, size: int) -> float:
        """Seconds to wait after a look that took so long and brought so many bytes."""
        self.pause = LEAST if changed else min(MOST, self.pause * 1.5)
        return min(_LONGEST, max(self.pause, took * _SHARE, size / _BYTES))


@dataclass(slots=True)
class Turns:
    """Keeps requests apart that follow each other, such as those for many logs, by so many seconds at least."""

    apart: float = APART
    last: float = field(default=0.0)

    def wait(self, size: int = 0) -> None:
        """Wait until the next request may be made; `size` is how many bytes the one before has brought."""
        now = time.monotonic()
        time.sleep(max(0.0, self.last + max(self.apart, min(size / _BYTES, MOST)) - now))
        self.last = time.monotonic()
