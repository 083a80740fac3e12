"""Durations, sizes and metrics as people read them: one form each, on a terminal and on a run's page."""

from __future__ import annotations

import math


def duration(seconds: float) -> str:
    """Seconds as `0.4s`, `12s`, `3m05s`, `2h07m`, `3d04h`; `?` where they are no number, `0.0s` where below zero."""
    if not math.isfinite(seconds):
        return "?"
    tenths = max(0, round(seconds * 10))
    if tenths < 100:
        return f"{tenths / 10:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"


def size(count: int) -> str:
    """Bytes as `0 B`, `74.7 KiB`, `1.2 GiB`."""
    if count < 1024:
        return f"{count} B"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if round(value, 1) < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} TiB"


def number(value: float) -> str:
    """A metric: whole numbers whole, others with four digits that count."""
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.4g}"
