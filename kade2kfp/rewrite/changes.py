"""What an upgrade of a document says: what it has changed, what a person must look at, and why it cannot be done."""

from __future__ import annotations

from dataclasses import dataclass, field

from kade2kfp.diagnostics.model import Diagnostic, Pointer, Related
from kade2kfp.rewrite.tree import Node


@dataclass(frozen=True, slots=True)
class Look:
    """A place of the new document that says something else than before; whether that is meant, only a person can tell."""

    text: str
    at: Pointer


@dataclass(slots=True)
class Changes:
    """What one upgrade gathers. Looks have places in the document that it makes, conflicts in the one that it was given."""

    made: dict[str, int] = field(default_factory=dict)
    """Each kind of change with how many of it there are: "`edges` is now `arrows`"."""
    looks: list[Look] = field(default_factory=list)
    conflicts: list[Diagnostic] = field(default_factory=list)
    """K111: nothing is written where there is one."""

    def note(self, text: str) -> None:
        """Count a change."""
        self.made[text] = self.made.get(text, 0) + 1

    def conflict(self, message: str, at: Pointer, help: str, other: Pointer | None = None) -> None:
        """Note why the document cannot be upgraded, and the other place that belongs to it."""
        related = (Related("the other one", other, on_key=True),) if other is not None else ()
        self.conflicts.append(Diagnostic("K111", message, at, help, related, on_key=True))


def renamed(value: Node, old: str, new: str, at: Pointer, changes: Changes) -> Node:
    """The object with a field under its new name, in the place of the old one. Both together are a conflict."""
    if old not in value:
        return value
    if new in value:
        message = f"both `{old}` and `{new}` are there"
        changes.conflict(message, (*at, old), f"`{old}` becomes `{new}`: leave one of them out", (*at, new))
        return value
    changes.note(f"`{old}` is now `{new}`")
    return {new if name == old else name: one for name, one in value.items()}
