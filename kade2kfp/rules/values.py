"""Values of settings: each function takes what TOML has at a place, says what is wrong with it, and gives what is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kade2kfp.diagnostics.model import Diagnostic, Pointer
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.rules.places import places, span_of
from kade2kfp.source import Source

MOST = 1000
"""So many entries has a list or table at most."""
_KINDS = ((bool, "true or false"), (str, "a text"), (int, "a whole number"), (float, "a number"), (list, "a list"))


@dataclass(slots=True)
class Reader:
    """A text of settings, and what is found wrong with it."""

    source: Source
    found: list[Diagnostic] = field(default_factory=list)

    def wrong(self, at: Pointer, message: str, help_: str, *, code: str = "K013", on_key: bool = False) -> None:
        """Note a mistake; without `code` it is that a value does not fit."""
        self.found.append(Diagnostic(code, message, at, help_, on_key=on_key))

    def expected(self, at: Pointer, what: str, value: object, help_: str) -> None:
        """Note that something else was expected."""
        self.wrong(at, f"expected {what}, found {kind_of(value)}", help_)

    def located(self) -> list[Diagnostic]:
        """What is wrong, each with its place in the text, in the order of the text."""
        if not self.found:
            return []
        from dataclasses import replace

        known = places(self.source.text)
        rows = [
            replace(one, span=span_of(self.source, known, one.pointer, on_key=one.on_key), file=self.source.file)
            for one in self.found
        ]
        return sorted(rows, key=lambda one: ((one.span.line, one.span.column) if one.span else (0, 0), one.message))


def kind_of(value: object) -> str:
    """What a value is, in words."""
    if isinstance(value, dict):
        return "a table"
    return next((words for kind, words in _KINDS if isinstance(value, kind)), "a date or time")


def shown(text: str) -> str:
    """A text for a message, not too long."""
    return text if len(text) <= 60 else text[:57] + "..."


def table(reader: Reader, value: object, at: Pointer, known: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The entries of a table that are known; `name` is what messages call the table."""
    if not isinstance(value, dict):
        reader.expected(at, "a table", value, f"write `[{name}]`, and the settings below it")
        return {}
    for key in [key for key in value if key not in known]:
        help_ = did_you_mean(key, known, noun="settings")
        where = f" in [{name}]" if name else ""
        reader.wrong((*at, key), f"there is no setting `{shown(key)}`{where}", help_, code="K012", on_key=True)
    return {key: one for key, one in value.items() if key in known}


def flag(reader: Reader, value: object, at: Pointer) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        reader.expected(at, "true or false", value, "write it without quotes")
    return value is True


def count(reader: Reader, value: object, at: Pointer) -> int:
    """A whole number from 0 on."""
    if isinstance(value, bool) or not isinstance(value, int):
        reader.expected(at, "a whole number", value, "0 is no limit")
        return 0
    if not 0 <= value < 2**31:
        reader.wrong(at, "expected a number from 0 to 2147483647", "0 is no limit")
        return 0
    return value


def texts(
    reader: Reader,
    value: object,
    at: Pointer,
    fit: Callable[[str], tuple[str, str]],
    example: str,
    *,
    none: bool = False,
) -> tuple[str, ...]:
    """A list of texts that fit, none twice; `fit` says why one does not and what to write, both empty where it does.

    A list without any is refused but for `none`: its writer may have meant that all is allowed, or that nothing is.
    """
    if not isinstance(value, list):
        reader.expected(at, "a list of texts", value, f"write it as {example}")
        return ()
    if not value and not none:
        reader.wrong(
            at, f"`{at[-1]}` is an empty list, which asks for nothing", "name at least one, or leave the setting out"
        )
        return ()
    if len(value) > MOST:
        reader.wrong(at, f"the list has {len(value):,} entries, more than {MOST:,}", "write beginnings, or fewer")
        return ()
    good = []
    for i, one in enumerate(value):
        if not isinstance(one, str):
            reader.expected((*at, i), "a text", one, f"write it as {example}")
            continue
        problem, help_ = fit(one)
        if problem:
            reader.wrong((*at, i), problem, help_)
        else:
            good.append(one)
    return tuple(dict.fromkeys(good))


def entries(reader: Reader, value: object, at: Pointer, example: str) -> Iterator[tuple[str, Any, Pointer]]:
    """The entries of a table whose keys are free: key, value, and place.

    One without any asks for nothing: a heading whose entries are comments, or are yet to come.
    """
    if not isinstance(value, dict):
        reader.expected(at, "a table", value, f"write entries such as {example}")
    elif len(value) > MOST:
        reader.wrong(at, f"the table has {len(value):,} entries, more than {MOST:,}", "write fewer")
    else:
        for key, one in value.items():
            yield key, one, (*at, key)
