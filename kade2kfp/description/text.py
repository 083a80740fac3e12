"""A description as text: the whole pipeline at a glance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from kade2kfp.description import model as told
from kade2kfp.description.table import clipped, duration, paragraph, size, some, table

_MOST = 60
"""So many rows of a section are shown; the rest is counted."""
_LONG = 60
_TASKS = "Tasks"
_WORDS = {"secret": "secret", "configMap": "config map", "claim": "claim", "storageClass": "storage class"}


def overview(found: told.Description, columns: int) -> str:
    """All that matters of a pipeline, in lines of at most `columns` columns."""
    lines = [*paragraph(_title(found.pipeline), columns), *paragraph(found.pipeline.description, columns)]
    lines = [line for line in lines if line]
    for heading, rows, noun in _sections(found):
        lines += section(heading, rows, columns, noun, 1 if heading == _TASKS else 0)
    lines += ["", *_size(found.size, columns)]
    return "\n".join(lines) + "\n"


def section(
    heading: str, rows: Iterable[Sequence[str]], columns: int, noun: str = "rows", head: int = 0
) -> Iterator[str]:
    """A heading with a table below it, whose first `head` rows name its columns; nothing where there is no row."""
    every = list(rows)
    most = _MOST + head
    if every:
        yield ""
        yield heading
        yield from table(every[:most], columns)
        if len(every) > most:
            yield f"  and {len(every) - most:,} more {noun}: --json tells all"


def _title(pipeline: told.Pipeline) -> str:
    return pipeline.name if pipeline.slug == pipeline.name else f"{pipeline.name} (in KFP: {pipeline.slug})"


def _sections(found: told.Description) -> Iterator[tuple[str, Iterable[Sequence[str]], str]]:
    yield "Runs", _runs(found.pipeline), "rows"
    yield "Parameters", map(_parameter, found.parameters), "parameters"
    yield _TASKS, _tasks(found), "tasks"
    added = [(one.kfp_name, "prepares folders on volumes", one.image) for one in found.added]
    yield "Steps besides", added, "steps"
    yield "Arrows", map(arrow, found.arrows), "arrows"
    yield "People decide", ((one.id, gate(one.gate)) for one in found.tasks if one.gate), "tasks"
    yield "Left running", ((one.id, service(one.service)) for one in found.tasks if one.service), "tasks"
    yield "Images", map(_image, found.images), "images"
    yield "Volumes", (row for one in found.volumes for row in _volume(one)), "mounts"
    yield "The cluster must have", map(_need, found.needs), "objects"


def _runs(pipeline: told.Pipeline) -> Iterator[Sequence[str]]:
    when = pipeline.schedule
    if pipeline.timeout_seconds:
        yield "at most", duration(pipeline.timeout_seconds)
    if pipeline.time_to_live_seconds:
        yield "kept for", duration(pipeline.time_to_live_seconds)
    if pipeline.on_exit:
        yield "at the end", f"{pipeline.on_exit}, whatever happened"
    if when:
        at = f"at {when.cron}" if when.cron else f"every {when.every}"
        given = ", ".join(f"{name}={value(one)}" for name, one in when.parameters.items())
        yield "by itself", "; ".join(part for part in (at, when.timezone, given) if part)


def _parameter(one: told.Parameter) -> Sequence[str]:
    limits = [
        f"{word} {value(limit)}"
        for word, limit in (
            ("one of", one.enum),
            ("at least", one.minimum),
            ("at most", one.maximum),
            ("matches", one.pattern),
        )
        if limit is not None
    ]
    given = "required" if one.required else value(one.default)
    users = list(dict.fromkeys(use.task or "the pipeline" for use in one.used))
    return one.name, one.type, ", ".join([given, *limits]), some(users) if users else "not used"


def _tasks(found: told.Description) -> Iterator[Sequence[str]]:
    names = {one.id: [step.kfp_name for step in one.steps if step.kfp_name] for one in found.tasks}
    differ = any(kfp != [id_] for id_, kfp in names.items())
    if found.tasks:
        yield ("id", "type", "image or what it does", *(["in KFP"] if differ else []))
    for one in found.tasks:
        images = list(dict.fromkeys(step.image for step in one.steps if step.image and step.kind == "step"))
        what = [clipped(one.does, _LONG) if one.does else some(images, 1), *_notes(one)]
        kfp = names[one.id]
        called = some(kfp, 1) if kfp else "no task"
        row = (one.id, one.type, "; ".join(part for part in what if part))
        yield (*row, "" if kfp == [one.id] else called) if differ else row


def _notes(one: told.Task) -> Iterator[str]:
    """What is out of the ordinary."""
    if one.iteration:
        count = one.iteration.items
        yield f"{count} items" if count is not None else f"for each of {one.iteration.reference}"
    yield from branches(one)
    if one.gate and one.does != "asks a person":
        yield "waits for a person"
    if one.run_when != "success":
        yield "runs at the end" if one.run_when == "exit" else "runs always"
    if one.disputed:
        yield f"disputed: {', '.join(dispute.field for dispute in one.disputed)}"


def branches(one: told.Task) -> list[str]:
    """The branches that a task is in."""
    found = [
        f"in `{outer.side}` of {outer.task}"
        for step in one.steps
        if step.kind != "pass"
        for outer in step.within
        if outer.kind == "branch"
    ]
    return list(dict.fromkeys(found))


def arrow(one: told.Arrow) -> Sequence[str]:
    """A row for an arrow: from where, to where, how."""
    how = {"order": "order only", "volume": f"on volume {one.volume}", "artifact": one.artifact_type or ""}
    parts = [how[one.transport], "file" if one.kind == "file" else "", f"`{one.branch}`" if one.branch else ""]
    parts.append(f"joined by {one.joined_by}" if one.joined_by else "")
    ends = [f"{one.from_task} {one.from_path or ''}", f"{one.to_task} {one.arrives_at or ''}"]
    return ends[0].rstrip(), "->", ends[1].rstrip(), ", ".join(part for part in parts if part)


def gate(one: told.Gate) -> str:
    """How a task waits."""
    parts = [f"{one.kind}, waits {duration(one.timeout_seconds)}, then {one.on_timeout}"]
    parts += [f"a rejection {'is a decision' if one.on_reject == 'route' else 'fails the run'}"]
    parts += [f"values: {', '.join(value.name for value in one.values)}"] if one.values else []
    parts += [f"ports: {', '.join(map(str, one.ports))}"] if one.ports else []
    parts += [f"ssh: {one.ssh_port}"] if one.ssh_port else []
    return "; ".join(parts)


def service(one: told.Service) -> str:
    """What a task leaves running."""
    parts = [f"{one.kind} {one.name}, port {one.port}, {one.flavor}"]
    parts += ["paused"] if one.paused else []
    parts += [f"kept for {duration(one.time_to_live_seconds)}"] if one.time_to_live_seconds else []
    if one.autoscale:
        parts.append(f"{one.autoscale.fewest} to {one.autoscale.most} replicas")
    elif one.replicas != 1:
        parts.append(f"{one.replicas} replicas")
    return "; ".join(parts)


def _image(one: told.Image) -> Sequence[str]:
    notes = [f"now {one.resolved}"] if one.resolved else []
    notes += [f"in place of {', '.join(one.originals)}"] if one.originals else []
    users = [*one.tasks, *(["steps of kade2kfp"] if one.toolbox else [])]
    return one.image, "; ".join([some(users), *notes])


def _volume(one: told.Volume) -> Iterator[Sequence[str]]:
    if one.created:
        kind = f", class {one.created.storage_class}" if one.created.storage_class else ""
        what = f"made for each run, {one.created.size}{kind}"
    else:
        what = f"claim {one.claim}"
    if not one.mounts:
        yield one.id, what, "not mounted"
    # Steps for several items have a row each in the JSON.
    mounts = dict.fromkeys(
        (mount.task, mount.path, "RO" if mount.read_only else "RW", " (its server)" if mount.server else "")
        for mount in one.mounts
    )
    for number, (task, path, acl, server) in enumerate(mounts):
        yield one.id if not number else "", what if not number else "", f"{acl} {task}{server} {path}"


def _need(one: told.Need) -> Sequence[str]:
    name = one.name or "the default one"
    key = f", key {one.key}" if one.key else ""
    now = f" (now {one.resolved})" if one.resolved else ""
    users = some(one.tasks) if one.tasks else "steps of kade2kfp" if one.kind == "secret" else "the run's claim"
    return f"{_WORDS[one.kind]} {name}{now}{key}", ("may be missing; " if one.optional else "") + users


def _size(one: told.Size, columns: int) -> Iterator[str]:
    largest = ", ".join(f"{task.task} {size(task.bytes)}" for task in one.largest[:3] if task.bytes)
    text = f"Size: about {size(one.bytes)}, {one.share:.1%} of what Argo holds"
    yield from paragraph(text + (f"; largest: {largest}" if largest else ""), columns)


def value(given: Any, most: int = _LONG) -> str:
    """A value in one line, or its beginning."""
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    return clipped(json.dumps(given, ensure_ascii=False), most)
