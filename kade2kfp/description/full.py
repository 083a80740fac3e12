"""One task of a description as text, in full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kade2kfp.description import model as told
from kade2kfp.description.table import clipped, duration, paragraph, size
from kade2kfp.description.text import arrow, branches, gate, section, service, value

_LONG = 120
_WHY = {
    "sound": "",
    "said": ": the document says so",
    "unsound": ": the result depends on more than what comes in, or leaves more than what goes out",
    "joined": ": it is in a branch that is joined, or in a loop that collects",
    None: "",
}


def in_full(found: told.Description, task: told.Task, columns: int) -> str:
    """All about a task, in lines of at most `columns` columns."""
    lines = [*paragraph(f"Task {task.id} ({task.type})", columns)]
    lines += list(section("", _facts(found.file, task), columns))[2:]
    rows = [(one.name, *_step(one)) for one in task.steps]
    lines += section("Steps in KFP", rows, columns, "steps")
    settings = [(_field(one), clipped(_shown(one), _LONG), *_origin(one.origin)) for one in task.settings]
    head = [("setting", "value", "from", "line")] if settings else []
    lines += section("Settings, and where they come from", [*head, *settings], columns, "settings", len(head))
    quarrels = [(one.field, f"{' and '.join(one.tasks)} disagree: it is taken from neither") for one in task.disputed]
    lines += section("Disputed", quarrels, columns)
    ends = [arrow(one) for one in found.arrows if task.id in (one.from_task, one.to_task)]
    lines += section("Arrows", ends, columns, "arrows")
    lines += section("Gives", [(one.reference, one.type) for one in task.outputs], columns, "values")
    return "\n".join(lines) + "\n"


def _facts(file: str, task: told.Task) -> Iterator[Sequence[str]]:
    if task.name != task.id:
        yield "name", task.name
    if task.description:
        yield "about", task.description
    if task.does:
        yield "does", task.does
    yield "stands at", f"{file}:{task.place.line}" if task.place.line else file
    if task.iteration:
        yield "repeated", _repeated(task)
    if branch := branches(task):
        yield "branch", ", ".join(branch)
    if task.run_when != "success":
        yield (
            "runs",
            "at the end, whatever happened" if task.run_when == "exit" else "also when the task before has failed",
        )
    if task.cache.state != "none":
        yield "cache", task.cache.state + _WHY[task.cache.why]
    if task.gate:
        yield "waits", gate(task.gate)
        if task.gate.message:
            yield "asks", task.gate.message
    if task.service:
        yield "leaves", service(task.service)
    yield from _pods(task)
    yield "size", f"about {size(task.bytes)}"


def _repeated(task: told.Task) -> str:
    given = task.iteration
    if given is None:
        return ""
    what = f"{given.items} items" if given.items is not None else f"for each item of {given.reference}"
    lanes = f", {given.parallelism} at a time" if given.parallelism else ""
    return what + lanes + (f", with {given.task}" if given.task != task.id else "")


def _pods(task: told.Task) -> Iterator[Sequence[str]]:
    """What is the same for all items, of the first of the task's pods."""
    pod = next((one for one in task.steps if one.kind == "step"), None)
    if pod is None:
        return
    if pod.timeout_seconds and not task.gate:  # a gate has one of its own
        yield "timeout", duration(pod.timeout_seconds)
    if pod.retry:
        again = "in the same pod" if pod.retry.on == "exit" else "in a new pod when the pod is lost"
        wait = f", after {duration(pod.retry.backoff_seconds)} at first" if pod.retry.backoff_seconds else ""
        yield "retry", f"{pod.retry.limit} times {again}{wait}"
    if pod.resources:
        yield "resources", _resources(pod.resources)


def _resources(of: told.Resources) -> str:
    rows = (
        ("cpu", of.cpu_request, of.cpu_limit),
        ("memory", of.memory_request, of.memory_limit),
        (of.accelerator or "", None, of.accelerator_count or ("1" if of.accelerator else None)),
    )
    return ", ".join(
        f"{name} {request or ''}{f' (at most {limit})' if request and limit else (limit and f'at most {limit}') or ''}"
        for name, request, limit in rows
        if request or limit
    )


def _step(one: told.Step) -> Sequence[str]:
    images = [one.image, one.server_image if one.server_image != one.image else None]
    image = ", server ".join(image for image in images if image)
    return (f"{one.kind} {one.item or ''}".rstrip() if one.kfp_name else f"{one.kind}, no task of its own"), image


def _field(one: told.Setting) -> str:
    return f"{one.field} {one.key}" if one.key is not None else one.field


def _shown(one: told.Setting) -> str:
    text = _said(one.field, one.value)
    return text if one.resolved is None else f"{text} (now {_said(one.field, one.resolved)})"


def _said(field: str, given: Any) -> str:
    """A setting's value in few words; what has no words of its own stays JSON."""
    if field == "env" and isinstance(given, dict):
        return _variable(given)
    if field == "volumes" and isinstance(given, dict):
        return _mount(given)
    return given if isinstance(given, str) else value(given, _LONG)


def _variable(given: dict[str, Any]) -> str:
    source = given.get("valueFrom")
    if source is None:
        return str(given.get("value", ""))
    for word, kind in (("secretKeyRef", "secret"), ("configMapKeyRef", "config map")):
        if ref := source.get(word):
            may = ", may be missing" if ref.get("optional") else ""
            return f"{kind} {ref['name']}, key {ref['key']}{may}"
    return f"the pod's {source['fieldRef']['fieldPath']}"


def _mount(given: dict[str, Any]) -> str:
    may = ", may be missing" if given.get("optional") else ""
    if "id" in given:
        folder = f", folder {given['subPath']}" if given.get("subPath") else ""
        return f"volume {given['id']}{folder}, {given.get('acl', 'RW')}"
    if "secret" in given:
        return f"secret {given['secret']}{may}"
    if "configMap" in given:
        return f"config map {given['configMap']}{may}"
    return f"an empty folder {value(given['emptyDir'])}"


def _origin(one: told.Origin) -> Sequence[str]:
    words = {
        "task": "itself",
        "inherited": f"task {one.task}",
        "defaults": "defaults",
        "pipeline": "pipeline",
        "type": "its type",
    }
    return words[one.kind], str(one.place.line or "") if one.place else ""
