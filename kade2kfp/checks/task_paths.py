"""Paths of one task: what arrows bring and take, mounts, and the files of outputs do not get into each other's way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from kade2kfp.checks.mounts import path_problems
from kade2kfp.diagnostics.model import Diagnostic, Pointer, Related
from kade2kfp.document.shared import CommandTask, Task
from kade2kfp.document.types import inside
from kade2kfp.plan.analysis import Analysis


@dataclass(frozen=True, slots=True)
class _Use:
    """A path, where it is said, and what for. `key` tells apart what may be said twice."""

    path: str
    at: Pointer
    what: str
    role: Literal["in", "out"]
    key: str
    kind: str


def task_paths(analysis: Analysis) -> Iterator[Diagnostic]:
    """K324: paths equal or nested. K325: a directory where a file is asked. K407, K408: an arrow's path that cannot be a mount.

    K415: a mount in an arrow's folder.
    """
    for task in analysis.document.tasks:
        uses = list(_uses(analysis, task))
        for use in uses:
            yield from _place(use)
        yield from _nested(uses)
        yield from _hidden(analysis, task, uses)
        yield from _outputs(task, uses)


def _uses(analysis: Analysis, task: Task) -> Iterator[_Use]:
    for flow in analysis.to_task.get(task.id, ()):
        if not flow.order_only and task.type not in ("select", "condition", "loadData"):
            yield _Use(
                flow.to_path,
                flow.arrow.place("to_path"),
                "an arrow brings data",
                "in",
                flow.to_path,
                flow.kind,
            )
    for flow in analysis.from_task.get(task.id, ()):
        if not flow.order_only and isinstance(task, CommandTask):
            yield _Use(
                flow.from_path,
                flow.arrow.place("from_path"),
                "an arrow takes data",
                "out",
                flow.from_path,
                flow.kind,
            )


def _place(use: _Use) -> Iterator[Diagnostic]:
    # A single file is a link, not a mount: it only must not be KFP's own.
    for problem in path_problems(use.path, use.at):
        if use.kind == "directory" or problem.code == "K407":
            yield problem


def _nested(uses: list[_Use]) -> Iterator[Diagnostic]:
    seen: list[_Use] = []
    # A path that holds several others is one mistake; one that holds another alone is told at the later of the two.
    paths = {use.path for use in uses}
    held = {outer: sum(inside(path, outer) and path != outer for path in paths) for outer in paths}
    told: set[tuple[str, str]] = set()
    for use in uses:
        if use.path == "/":  # K407 says that already
            continue
        # The same path first: that one lies in the other goes away with the other, that there are two does not.
        for other in sorted(seen, key=lambda one: one.path != use.path):
            if use.role == other.role and use.path == other.path:
                continue  # one output for several arrows; two inputs are K323
            if inside(use.path, other.path) or inside(other.path, use.path):
                how = "lies in" if inside(use.path, other.path) else "holds"
                message = f"{use.path} {how} {other.path}, where {other.what}"
                outer = other if inside(use.path, other.path) else use
                if use.path == other.path:
                    message = f"at {use.path} {other.what} already"
                elif held[outer.path] > 1:
                    if (outer.path, outer.role) in told:
                        continue
                    told.add((outer.path, outer.role))
                    inner = use if outer is other else other
                    more = held[outer.path] - 1
                    message = f"{outer.path} holds {inner.path}, where {inner.what}, and {more} more such path{'s' * (more > 1)}"
                    help_, related = "give it a folder of its own, beside the others", (Related(inner.what, inner.at),)
                    yield Diagnostic("K324", message, outer.at, help_, related)
                    break
                yield Diagnostic(
                    "K324",
                    message,
                    use.at,
                    "give each its own folder, beside the other",
                    (Related(other.what, other.at),),
                )
                break
        seen.append(use)


def _hidden(analysis: Analysis, task: Task, uses: list[_Use]) -> Iterator[Diagnostic]:
    for setting in analysis.settings[task.id].volumes:
        path = setting.value.mount_path
        for use in uses:
            own_mount = path == use.path and setting.value.id is not None
            if inside(path, use.path) and not own_mount and use.path != "/":
                message = (
                    f"{use.path}, where {use.what}, holds the mount at {path}"
                    if path != use.path
                    else f"{path} is a mount, and {use.what} there"
                )
                yield Diagnostic(
                    "K415",
                    message,
                    use.at,
                    "choose a path outside of it",
                    (Related("the mount", setting.value.place("mount_path")),),
                )
                break


def _outputs(task: Task, uses: list[_Use]) -> Iterator[Diagnostic]:
    files = [(one.path, one.place("path"), f"the output `{one.name}`") for one in getattr(task, "outputs", None) or ()]
    if isinstance(task, CommandTask) and task.metrics:
        files.append((task.metrics, task.place("metrics"), "the metrics"))
    seen: dict[str, tuple[Pointer, str]] = {}
    for path, at, what in files:
        if path in seen:
            yield Diagnostic(
                "K324",
                f"{what} and {seen[path][1]} have one file, {path}",
                at,
                "give each its own",
                (Related(seen[path][1], seen[path][0]),),
            )
        seen.setdefault(path, (at, what))
        for use in uses:
            if use.role == "in" and use.kind == "directory" and inside(path, use.path):
                message = f"{what} would lie in {use.path}, where an arrow brings data"
                yield Diagnostic(
                    "K324",
                    message,
                    at,
                    "write it elsewhere: what arrives is not written to",
                    (Related(use.what, use.at),),
                )
            elif path == use.path and use.kind == "directory":
                yield Diagnostic(
                    "K325",
                    f"{path} holds {what}, a file, and an arrow takes it as a directory",
                    use.at,
                    'say "kind": "file" on the arrow',
                    (Related(what, at),),
                )
    for file in getattr(task, "files", None) or ():
        for use in uses:
            if inside(file.path, use.path) and use.kind == "directory":
                message = f"the file {file.path} would lie in {use.path}, where {use.what}"
                yield Diagnostic(
                    "K324",
                    message,
                    file.place("path"),
                    "put the file elsewhere",
                    (Related(use.what, use.at),),
                )
