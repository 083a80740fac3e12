"""upgrade: a document of an older version of the format as one of the present version.

To add a version: name it in document/versions.py, write what makes it the next one (as v1beta1.py does), and put that
into UPGRADES.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.diagnostics.model import Diagnostic, Span
from kade2kfp.document.pipeline import API_VERSION
from kade2kfp.rewrite import v1beta1
from kade2kfp.rewrite.changes import Changes
from kade2kfp.rewrite.layout import laid_out
from kade2kfp.rewrite.order import ordered
from kade2kfp.rewrite.tree import Node, tree
from kade2kfp.source import Object, Source, read_source


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A step from one version to the next. `change` gives the document in the next one's words, but for `apiVersion`."""

    old: str
    new: str
    change: Callable[[Node, Changes], Node]


UPGRADES = (Upgrade("kade2kfp/v1beta1", API_VERSION, v1beta1.upgrade),)
"""All steps, the oldest version first; each leads to a version that is further on."""


@dataclass(frozen=True, slots=True)
class Upgraded:
    """A document that was upgraded, or why it cannot be."""

    text: str | None
    """As `fmt` writes it; None where there are conflicts."""
    changes: tuple[str, ...] = ()
    looks: tuple[tuple[str, Span | None], ...] = ()
    """What a person must look at, with its place in `text`."""
    conflicts: tuple[Diagnostic, ...] = ()


def version(source: Source) -> str:
    """The version that a document says it has; empty where it says none."""
    found = source.root.get("apiVersion") if isinstance(source.root, Object) else None
    return found if isinstance(found, str) else ""


def upgraded(source: Source, steps: tuple[Upgrade, ...] = UPGRADES) -> Upgraded:
    """Take a document of an older version (one of `steps` begins with it) to the present one, step by step.

    Raises CannotDoError as `fmt.formatted` does, and where the new text would be none that can be read.
    """
    old = now = version(source)
    document, changes = tree(source), Changes()
    while step := next((one for one in steps if one.old == now), None):
        found = Changes()
        document = step.change(document, found) | {"apiVersion": step.new}
        _add(changes, found, is_first=now == old)
        now = step.new
        if changes.conflicts:
            return Upgraded(None, conflicts=tuple(_located(source, one) for one in changes.conflicts))
    told = tuple(f"{text}, {count} times" if count > 1 else text for text, count in changes.made.items())
    text = laid_out(ordered(document))
    made = read_source(text.encode(), source.file)
    if made.diagnostics:  # a level more than before is one too many
        raise CannotDoError(f"it would have {made.diagnostics[0].message}")
    looks = tuple((one.text, made.span(one.at) if one.at else None) for one in changes.looks)
    return Upgraded(text, told, looks)


def _add(changes: Changes, found: Changes, *, is_first: bool) -> None:
    """Gather what a step says.

    Conflicts have places in what the step was given, which the user has only if it is the first; looks in what it made,
    which the user gets only if it is the last.
    """
    for text, count in found.made.items():
        changes.made[text] = changes.made.get(text, 0) + count
    changes.looks = [*(replace(one, at=()) for one in changes.looks), *found.looks]
    changes.conflicts += (
        found.conflicts if is_first else [replace(one, pointer=(), related=()) for one in found.conflicts]
    )


def _located(source: Source, one: Diagnostic) -> Diagnostic:
    related = tuple(replace(other, span=source.span(other.pointer, on_key=other.on_key)) for other in one.related)
    return replace(
        one,
        file=source.file,
        span=source.span(one.pointer, on_key=one.on_key) if one.pointer else None,
        related=related,
    )
