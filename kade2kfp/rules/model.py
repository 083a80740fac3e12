"""A team's rules, as data: which diagnostics are shown, what pipelines may hold, where images come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Pinned = Literal["", "tag", "digest"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What pipelines must keep to; an empty field asks for nothing.

    `registries` are hosts, or hosts with the beginning of a path, that images may come from. `pinned` is what the name of
    each image must have. `labels` are keys that each task must have, `label_values` regular expressions for the whole
    value of a key. `forbidden_types` are types of tasks, `required_limits` the limits that each task with a container
    says. `most` are the ceilings of a pod's requests and limits, as Kubernetes' quantities. `mirror` says what takes the
    place of the beginning of an image's name, all in the normal form (rules/names.py).
    """

    registries: tuple[str, ...] = ()
    pinned: Pinned = ""
    labels: tuple[str, ...] = ()
    label_values: tuple[tuple[str, str], ...] = ()
    forbidden_types: tuple[str, ...] = ()
    required_limits: tuple[str, ...] = ()
    most: tuple[tuple[str, str], ...] = ()
    mirror: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """A file of settings that was read; all empty where there is none.

    `file` is what messages call it. `select` and `ignore` are codes or their beginnings; an empty `select` is all codes.
    `max_diagnostics` 0 is no limit.
    """

    file: str = ""
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    werror: bool = False
    max_diagnostics: int = 0
    policy: Policy = field(default_factory=Policy)

    @property
    def who(self) -> str:
        """Whose rules they are, for messages: the file's, or of rules that a program made, the team's."""
        return self.file or "the team"
