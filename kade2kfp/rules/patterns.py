"""Regular expressions for whole values, in the engine of parameters' patterns, which takes linear time."""

from __future__ import annotations

from kade2kfp.document import values


def problem(pattern: str) -> str:
    """Why a text is no regular expression for a whole value; empty if it is one."""
    return values.pattern_problem(pattern) or values.pattern_problem(_whole(pattern))


def fits(pattern: str, value: str) -> bool:
    """Whether the whole value is what the pattern describes."""
    return values.matches(_whole(pattern), value) is True


def _whole(pattern: str) -> str:
    return rf"\A(?:{pattern})\z"
