"""Valid pipeline documents, made at random within what compiles today."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from . import values as v
from .pool import Pool
from .tasks import task_of
from .texts import SHOWN

Json = dict[str, Any]


@dataclass
class _Out:
    """What may leave a task by arrows: its path, kind and volume are the same for all of them."""

    task: str
    path: str
    kind: str
    carrier: Json
    types: list[str] = field(default_factory=list)


@st.composite
def documents(draw: st.DrawFn, most: int = 5) -> Json:
    """A document without errors: warnings it may have."""
    pool = Pool(draw)
    ids = draw(st.lists(v.IDS, min_size=1, max_size=most, unique=True))
    pool.parameters = draw(_parameters())
    pool.volumes = draw(_volumes(pool))
    document: Json = {"apiVersion": "kade2kfp/v1", "name": draw(SHOWN)}
    defaults = _defaults(pool)
    tasks, arrows, outs = [], [], []
    for id_ in ids:
        task = task_of(pool, id_, has_image="image" in defaults)
        arrows += _arrows(pool, task, tasks, outs, defaults)
        outs += _outs(pool, task, defaults)
        tasks.append(task)
    for number, arrow in enumerate(arrows):
        if draw(st.booleans()):
            arrow["id"] = f"{number}-Arrow_"
    _fill(draw, document, {
        "$schema": st.just("../schema.json"),
        "slug": st.from_regex(r"[a-z][a-z0-9]{0,9}(-[a-z0-9]{1,9}){0,3}", fullmatch=True),
        "description": SHOWN,
        "labels": st.dictionaries(v.LABEL_KEYS, v.LABEL_VALUES, max_size=2),
        "timeout": v.DURATIONS,
        "timeToLive": v.DURATIONS,
        "position": v.EDITOR,
        "ui": v.EDITOR,
        "x-own": v.EDITOR,
        "schedule": st.none(),
    })  # fmt: skip
    if any("gate" in one for one in tasks):
        document.pop("timeout", None)  # the run would end before a gate does
    if any(one.get("create") for one in pool.volumes):
        document["slug"] = "short"  # KFP's name of the run's claim has little room
    for key, value in (("defaults", defaults), ("volumes", pool.volumes), ("arrows", arrows)):
        if value or draw(st.booleans()):
            document[key] = draw(st.permutations(value)) if isinstance(value, list) else value
    if parameters := pool.all_parameters():
        document["parameters"] = draw(st.permutations(parameters))
    document["tasks"] = draw(st.permutations(tasks))
    return document


def _fill(draw: st.DrawFn, into: Json, known: dict[str, st.SearchStrategy[Any]]) -> Json:
    """Puts some of the fields into an object, in any order."""
    for name in draw(st.lists(st.sampled_from(sorted(known)), unique=True, max_size=5)):
        into[name] = draw(known[name])
    return into


@st.composite
def _parameters(draw: st.DrawFn) -> list[Json]:
    found = []
    for name in draw(st.lists(v.NAMES, max_size=3, unique=True)):
        kind = draw(st.sampled_from(v.TYPES))
        parameter: Json = {"name": name, "type": kind}
        if draw(st.booleans()):
            parameter["default"] = draw(v.of_type(kind))
            if draw(st.booleans()):
                parameter["enum"] = [parameter["default"], *draw(st.lists(v.of_type(kind), max_size=2))]
            if kind in ("integer", "number") and draw(st.booleans()):
                parameter |= {"minimum": -(2**54), "maximum": 1.7976931348623157e308}
                parameter["default"] = draw(v.of_type("integer"))
                parameter.pop("enum", None)
        if draw(st.booleans()):
            parameter["description"] = draw(SHOWN)
        found.append(parameter)
    return found


@st.composite
def _volumes(draw: st.DrawFn, pool: Pool) -> list[Json]:
    found: list[Json] = []
    for number, id_ in enumerate(draw(st.lists(v.NAMES, max_size=3, unique=True))):
        volume: Json = {"id": id_}
        if draw(st.booleans()) and not any(one.get("create") for one in found):
            volume["create"] = {"size": draw(v.SIZES | st.just(pool.known("size", "10Gi")))}
            _fill(draw, volume["create"], {
                "accessModes": st.sampled_from([["ReadWriteMany"], ["ReadWriteOnce"], ["ReadOnlyMany", "ReadWriteMany"]]),
                "storageClassName": st.just("nfs.csi"),
            })  # fmt: skip
        else:
            volume["claimName"] = draw(
                st.sampled_from([f"claim-{number}", pool.known("claim_known", "claim-9"), pool.claim()])
            )
        _fill(draw, volume, {"prepare": st.booleans()})
        found.append(volume)
    return found


def _defaults(pool: Pool) -> Json:
    return _fill(pool.draw, {}, pool.shared() | {
        "image": v.IMAGES | st.just(pool.string()),
        "toolboxImage": v.IMAGES,
        "volume": st.sampled_from([one["id"] for one in pool.volumes]) if pool.volumes else st.none(),
    })  # fmt: skip


def _outs(pool: Pool, task: Json, defaults: Json) -> list[_Out]:
    draw, found = pool.draw, []
    if task["type"] == "loadData":
        path = task["path"]
        is_file = path.rsplit("/", 1)[-1] in pool.file_names
        return [_Out(task["id"], path, "file" if is_file else "directory", _carrier(pool, defaults))]
    for _ in range(draw(st.integers(0, 2))):
        carrier = _carrier(pool, defaults)
        mounts = [one["mountPath"] for one in task.get("volumes") or () if one.get("id")]
        inside = draw(st.sampled_from(mounts)) if mounts and draw(st.integers(0, 3)) == 0 else ""
        path, kind = pool.path(inside)
        found.append(_Out(task["id"], path, kind, carrier))
    return found


def _carrier(pool: Pool, defaults: Json) -> Json:
    choices: list[Json] = [{}, {"volume": None}] if "volume" in defaults else [{}]
    choices += [{"volume": one["id"]} for one in pool.volumes]
    return pool.draw(st.sampled_from(choices))


def _arrows(pool: Pool, task: Json, before: list[Json], outs: list[_Out], defaults: Json) -> list[Json]:
    draw, found = pool.draw, []
    for out in draw(st.lists(st.sampled_from(outs), max_size=3)) if outs and task["type"] != "loadData" else ():
        to_path, to_kind = pool.path(kind=None if out.kind == "file" else "directory")
        arrow: Json = {
            "fromTask": out.task,
            "fromPath": out.path,
            "toTask": task["id"],
            "toPath": to_path,
        } | out.carrier
        if to_kind == "unclear":
            continue
        if out.kind == to_kind and draw(st.booleans()):
            arrow["kind"] = out.kind
        on_volume = arrow.get("volume") or ("volume" not in arrow and defaults.get("volume"))
        if not on_volume:
            _fill(
                draw,
                arrow,
                {"artifactType": st.sampled_from(["Artifact", "Dataset", "Model", "Metrics", "HTML", "Markdown"])},
            )
        found.append(_fill(draw, arrow, {"inherit": st.booleans(), "position": v.EDITOR, "x-a": v.EDITOR}))
    for other in draw(st.lists(st.sampled_from(before), max_size=2)) if before else ():
        found.append({"fromTask": other["id"], "toTask": task["id"]})
    return found
