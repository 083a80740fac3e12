"""The pass that turns arrows and mounts into a step's inputs, outputs, mounts and scratch folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from kade2kfp.document.shared import CommandTask, Task, TaskVolume
from kade2kfp.document.types import inside
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.expand import earlier_turn, indexes_of
from kade2kfp.plan.flows import Flow
from kade2kfp.plan.groups import ArtifactNames, Groups
from kade2kfp.plan.names import slug, unique
from kade2kfp.plan.targets import outputs_of
from kade2kfp.steps.parts import (
    ArtifactInput,
    ArtifactOutput,
    ArtifactType,
    ClaimMount,
    EmbeddedFile,
    EmptyDirMount,
    Mount,
    SecretMount,
    VolumeOutput,
)
from kade2kfp.tasks.notebook import EXECUTED

RESERVED_OUTPUTS = ("metrics", "executor-logs", "decision", "by", EXECUTED)


@dataclass(frozen=True, slots=True)
class Connections:
    """What a step has because of its arrows and mounts."""

    mounts: tuple[Mount, ...]
    scratch: tuple[str, ...]
    inputs: tuple[ArtifactInput, ...]
    outputs: tuple[ArtifactOutput | VolumeOutput, ...]
    after: tuple[str, ...]
    files: tuple[EmbeddedFile, ...] = ()


def connect(analysis: Analysis, task: Task, artifacts: ArtifactNames, groups: Groups) -> Connections:
    """The connections of a task whose arrows have no errors; `artifacts` is what `artifact_names` gives."""
    own = [mount_of(analysis, setting.value) for setting in analysis.settings[task.id].volumes]
    leaving = [flow for flow in analysis.from_task.get(task.id, ()) if not flow.order_only]
    coming = [flow for flow in analysis.to_task.get(task.id, ()) if not flow.order_only]
    if task.type == "select":  # its candidates lie at no path of the document (plan/candidates.py)
        coming = []
    mounts = list(dict.fromkeys([*own, *volume_mounts(analysis, leaving, coming, own)]))
    inputs = _inputs(analysis, coming, artifacts, groups)
    outputs = _outputs(analysis, leaving, own, artifacts.get(task.id, {}))
    indexes = tuple(indexes_of(analysis, coming))
    return Connections(
        tuple(mounts),
        _scratch(analysis, task, mounts, inputs, outputs, indexes),
        inputs,
        outputs,
        tuple(dict.fromkeys(_waited_for(analysis, task, groups))),
        indexes,
    )


def _waited_for(analysis: Analysis, task: Task, groups: Groups) -> Iterator[str]:
    """The names of what must have ended before, besides those that bring artifacts."""
    for flow in analysis.to_task.get(task.id, ()):
        # A viewer shows what a task is still writing.
        if flow.order_only or (flow.volume and task.type != "viewer"):
            branch = flow.arrow.branch if flow.giver.type == "condition" else None
            choice = groups.waited_for(flow.giver.id, task.id, branch, flow.turn)
            if choice or not branch:
                yield choice or analysis.giver_of(flow)
    if earlier := earlier_turn(analysis, task):
        yield groups.before(task.id, earlier)


def mount_of(analysis: Analysis, volume: TaskVolume) -> Mount:
    """A mount as the document has it."""
    text = analysis.resolution.text
    if volume.secret is not None:
        return SecretMount(
            "secret", text(volume.place("secret"), volume.secret), volume.mount_path, bool(volume.optional)
        )
    if volume.config_map is not None:
        return SecretMount(
            "configMap",
            text(volume.place("config_map"), volume.config_map),
            volume.mount_path,
            bool(volume.optional),
        )
    if volume.empty_dir is not None:
        limit = volume.empty_dir.size_limit
        size = analysis.resolution.compile_text(volume.empty_dir.place("size_limit"), limit) if limit else ""
        return EmptyDirMount(volume.mount_path, volume.empty_dir.medium or "", size)
    sub_path = volume.sub_path if volume.sub_path not in (None, ".") else ""
    return ClaimMount(volume.id or "", volume.mount_path, sub_path or "", read_only=volume.acl == "RO")


def _around(path: str, mounts: Iterable[Mount]) -> Mount | None:
    """The innermost mount that holds a path."""
    holding = [mount for mount in mounts if inside(path, mount.path)]
    return max(holding, key=lambda mount: len(mount.path), default=None)


def location(analysis: Analysis, flow: Flow) -> ClaimMount:
    """Where the data of a volume arrow lies on its volume: in the run's folder, or in the giver's own mount of it."""
    own = [mount_of(analysis, setting.value) for setting in analysis.settings[flow.giver.id].volumes]
    around = _around(flow.from_path, own)
    is_file = flow.kind == "file"
    item = flow.turn.name if flow.turn else "_"
    if isinstance(around, ClaimMount) and around.claim == flow.volume:
        rest = flow.from_path[len(around.path) :].strip("/")
        return ClaimMount(flow.volume, "", "/".join(part for part in (around.sub_path, rest) if part), is_file=is_file)
    return ClaimMount(flow.volume, "", f"{flow.giver.id}/{item}{flow.from_path}", in_run=True, is_file=is_file)


def volume_mounts(
    analysis: Analysis, leaving: Iterable[Flow], coming: Iterable[Flow], own: list[Mount]
) -> Iterable[ClaimMount]:
    """The mounts that a task has for its volume arrows, besides its own."""
    for flow in leaving:
        if flow.volume:
            place = location(analysis, flow)
            if place.in_run:
                path, sub_path = flow.from_path, place.sub_path
                if flow.kind == "file":  # a file that is not there yet cannot be mounted, only its folder
                    path, sub_path = path.rpartition("/")[0] or "/", sub_path.rpartition("/")[0]
                yield ClaimMount(flow.volume, path, sub_path, in_run=True)
    for flow in coming:
        if flow.volume:
            place = location(analysis, flow)
            if _seen_through(place, flow.to_path, own) is None:
                yield ClaimMount(flow.volume, flow.to_path, place.sub_path, in_run=place.in_run, is_file=place.is_file)


def _seen_through(place: ClaimMount, path: str, own: list[Mount]) -> ClaimMount | None:
    """The mount of the task's own through which the data is at `path` already."""
    around = _around(path, own)
    if not isinstance(around, ClaimMount) or around.claim != place.claim or place.in_run:
        return None
    rest = path[len(around.path) :].strip("/")
    there = "/".join(part for part in (around.sub_path, rest) if part)
    return around if there == place.sub_path else None


def artifact_names(analysis: Analysis) -> ArtifactNames:
    """The names of the artifacts that leave each task. Many may take one: they are named once."""
    return {id_: _names(row) for id_, row in analysis.from_task.items()}


def _names(arrows: Iterable[Flow]) -> dict[tuple[str, ArtifactType], str]:
    leaving = [flow for flow in arrows if not flow.order_only and not flow.volume]
    if not leaving:
        return {}
    keys = list(dict.fromkeys((flow.from_path, flow.type) for flow in leaving))
    taken = {*RESERVED_OUTPUTS, *(slug(name) for name in outputs_of(leaving[0].giver))}
    names = unique((slug(path) or "data" for path, _ in keys), taken)
    return dict(zip(keys, names, strict=True))


def _inputs(
    analysis: Analysis, coming: list[Flow], artifacts: ArtifactNames, groups: Groups
) -> tuple[ArtifactInput, ...]:
    # Of several that lead into one path, a choice hands on the one that exists.
    first = {flow.to_path: flow for flow in reversed(coming) if not flow.volume}
    arriving = [flow for flow in coming if first.get(flow.to_path) is flow]
    names = unique(slug(flow.to_path) or "data" for flow in arriving)
    return tuple(
        ArtifactInput(
            name,
            *groups.ends.get(
                (flow.taker.id, flow.to_path),
                (analysis.giver_of(flow), artifacts[flow.giver.id][flow.from_path, flow.type]),
            ),
            flow.to_path,
            flow.kind,
            flow.type,
        )
        for name, flow in zip(names, arriving, strict=True)
    )


def _outputs(
    analysis: Analysis, leaving: list[Flow], own: list[Mount], artifacts: Mapping[tuple[str, ArtifactType], str]
) -> tuple[ArtifactOutput | VolumeOutput, ...]:
    found: list[ArtifactOutput | VolumeOutput] = []
    on_volume = {flow.from_path: flow for flow in leaving if flow.volume}
    for path, flow in on_volume.items():
        if location(analysis, flow).in_run:
            found.append(VolumeOutput(path, flow.kind))
    kinds = {flow.from_path: flow.kind for flow in leaving}
    for (path, type_), name in artifacts.items():
        keep = path in on_volume or isinstance(_around(path, own), ClaimMount)
        found.append(ArtifactOutput(name, path, kinds[path], type_, keep))
    return tuple(found)


def _scratch(
    analysis: Analysis,
    task: Task,
    mounts: list[Mount],
    inputs: tuple[ArtifactInput, ...],
    outputs: tuple[ArtifactOutput | VolumeOutput, ...],
    indexes: tuple[EmbeddedFile, ...],
) -> tuple[str, ...]:
    """Folders that must be there, empty and writable, whoever the user is.

    Those are the arrows' directories. The folder of a single file is one only where it holds such a directory anyway, or
    where the task is known not to run as root and so could not make it; never where it would hide what the image
    has: at /, in a home, or at the working directory.
    """
    ends: list[tuple[str, str]] = [(one.path, one.kind) for one in inputs]
    ends += [(one.path, one.kind) for one in outputs if isinstance(one, ArtifactOutput)]
    if task.type == "loadData" or (task.type == "select" and outputs):
        path: str = getattr(task, "path", "/")
        ends.append((path, "directory" if not any(end == (path, "file") for end in ends) else "file"))
    wanted = {path for path, kind in ends if kind == "directory"}
    wanted |= {one.path.rpartition("/")[0] for one in indexes}
    parents = {path.rpartition("/")[0] for path, kind in ends if kind == "file"}
    if isinstance(task, CommandTask):
        written = [one.path for one in (*(task.outputs or ()), *(task.files or ()))] + (
            [task.metrics] if task.metrics else []
        )
        parents |= {path.rpartition("/")[0] for path in written}
    settings = analysis.settings[task.id]
    working_dir, unprivileged = settings.get("working_dir"), _not_root(settings.get("security_context"))
    for parent in parents:
        holds = any(inside(path, parent) and path != parent for path in wanted)
        if (
            parent
            and parent != working_dir
            and not any(inside(parent, folder) for folder in ("/home", "/root", "/tmp"))
            and (holds or unprivileged)
        ):
            wanted.add(parent)
    free = {path for path in wanted if path != "/" and _around(path, mounts) is None}
    return tuple(sorted(path for path in free if not any(path != other and inside(path, other) for other in free)))


def _not_root(security: object) -> bool:
    user = getattr(security, "run_as_user", None)
    return user != 0 and (user is not None or bool(getattr(security, "run_as_non_root", None)))
