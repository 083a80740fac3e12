"""Texts in which a reference was meant and not written: a declared name in the syntax of another tool, or without braces."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass

from kade2kfp.document.base import Takes
from kade2kfp.document.foreign import Foreign, bare, foreign
from kade2kfp.document.read import Document
from kade2kfp.document.shared import Task
from kade2kfp.plan.targets import iteration
from kade2kfp.plan.walk import Place
from kade2kfp.tasks.condition import Test


@dataclass(frozen=True, slots=True)
class Lost:
    """A text, the id of the task that holds it (empty for the pipeline's own fields), and what was meant there."""

    place: Place
    holder: str
    found: Foreign


def lost(
    document: Document, holder: Task | None, place: Place, parameters: Container[str], tasks: Container[str]
) -> Iterator[Lost]:
    """What was meant in one text, among the declared parameters and tasks. A text that travels as it is is its own."""
    if place.takes is Takes.LITERAL:
        return
    without = _without_braces(document, holder, place, parameters, tasks)
    for one in (without,) if without else foreign(place.text, parameters, tasks):
        yield Lost(place, holder.id if holder else "", one)


def _without_braces(
    document: Document, holder: Task | None, place: Place, parameters: Container[str], tasks: Container[str]
) -> Foreign | None:
    """A whole text where no word like it is of use: a side of a condition, a list to repeat for, an image, a URL."""
    of_a_test = place.model is Test
    if not of_a_test and (place.field not in ("items", "image", "url") or place.pointer[-1] != place.field):
        return None
    text = place.text
    if of_a_test and (text == "item" or text.startswith("item.")) and iteration(document, holder):
        return Foreign(text, 0, len(text), text)
    return bare(text, parameters, tasks)
