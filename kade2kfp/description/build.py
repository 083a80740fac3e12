"""A document that was checked becomes a description: what its plan is, and what of it the document says where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from kade2kfp.description import model as told
from kade2kfp.description.tasks import Known, task
from kade2kfp.description.texts import Speller, place
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.build import build
from kade2kfp.plan.flows import Flow
from kade2kfp.plan.needs import named, resolved, values_of
from kade2kfp.plan.size import MAX_COMPONENT, MAX_WORKFLOW, estimate
from kade2kfp.source import Source
from kade2kfp.steps.model import Choice, Claim, Plan, Step
from kade2kfp.steps.parts import ClaimMount
from kade2kfp.steps.sources import Param, Text, literal
from kade2kfp.tasks.gates import GATE

_KINDS: dict[str, Literal["secret", "configMap", "claim", "storageClass"]] = {
    "secrets": "secret",
    "configmaps": "configMap",
    "persistentvolumeclaims": "claim",
    "storageclasses": "storageClass",
}
_LARGEST = 5


def description(source: Source, analysis: Analysis, plan: Plan, *, mirrored: bool = False) -> told.Description:
    """What a pipeline is and needs.

    Args:
        source: the document's text.
        analysis: what the passes have found out about it.
        plan: its plan; there is one only where the document has no error.
        mirrored: whether images of the plan come from mirrors, so that the document's names of them are told as well.
    """
    originals = _originals(plan, build(analysis)) if mirrored else {}
    known = Known(source, analysis, plan, Speller.of(plan), estimate(plan), originals)
    document = analysis.document
    return told.Description(
        api_version=told.API_VERSION,
        file=source.file,
        pipeline=_pipeline(known),
        parameters=list(_parameters(known)),
        tasks=[task(known, one) for one in document.tasks],
        arrows=list(_arrows(known)),
        images=list(_pulled(known)),
        volumes=[_volume(known, claim) for claim in plan.claims],
        needs=list(_needs(known)),
        added=[
            told.Added(kfp_name=one.name, why="prepare", image=plan.toolbox_image)
            for one in known.added
            if one.kind == "prepare"
        ],
        size=_size(known),
    )


def _pipeline(known: Known) -> told.Pipeline:
    pipeline, plan = known.analysis.document.pipeline, known.plan
    schedule = pipeline.schedule
    return told.Pipeline(
        name=pipeline.name,
        slug=plan.name,
        description=pipeline.description or "",
        toolbox_image=plan.toolbox_image,
        timeout_seconds=plan.timeout,
        time_to_live_seconds=plan.time_to_live,
        on_exit=pipeline.on_exit,
        schedule=told.Schedule(
            cron=schedule.cron,
            every=schedule.every,
            timezone=schedule.timezone,
            catchup=schedule.catchup,
            max_concurrency=schedule.max_concurrency,
            parameters=schedule.parameters or {},
        )
        if schedule
        else None,
    )


def _parameters(known: Known) -> Iterator[told.Parameter]:
    uses: dict[str, dict[told.Use, None]] = {}
    for reference in known.analysis.resolution.references:
        if isinstance(reference.target.source, Param):
            use = told.Use(task=reference.holder or None, place=place(known.source, reference.place.pointer))
            uses.setdefault(reference.target.source.name, {})[use] = None
    for one in known.analysis.document.parameters:
        yield told.Parameter(
            name=one.name,
            type=one.type,
            required=one.name not in known.analysis.known,
            default=known.analysis.known.get(one.name),
            description=one.description or "",
            enum=one.enum,
            minimum=one.minimum,
            maximum=one.maximum,
            pattern=one.pattern,
            used=list(uses.get(one.name, ())),
            place=place(known.source, one.at),
        )


def _arrows(known: Known) -> Iterator[told.Arrow]:
    # As the taker sees them: what comes from all items of a loop is a folder.
    seen = {flow.arrow.at: flow for flows in known.analysis.to_task.values() for flow in flows}
    joins = _joins(known.plan)
    for given in known.analysis.flows:
        arrow, flow = given.arrow, seen.get(given.arrow.at, given)
        carried = not flow.order_only
        yield told.Arrow(
            id=arrow.id,
            from_task=arrow.from_task,
            from_path=arrow.from_path if carried else None,
            to_task=arrow.to_task,
            to_path=arrow.to_path if carried else None,
            arrives_at=flow.to_path if carried else None,
            kind=flow.kind if carried else None,
            transport="order" if not carried else "volume" if flow.volume else "artifact",
            artifact_type=flow.type if carried and not flow.volume else None,
            volume=flow.volume or None,
            branch=arrow.branch,
            joined_by=joins.get((flow.taker.id, flow.to_path)) if _is_artifact(flow) else None,
            inherits=carried and arrow.inherit,
            place=place(known.source, arrow.at),
        )


def _is_artifact(flow: Flow) -> bool:
    return not flow.order_only and not flow.volume


def _joins(plan: Plan) -> dict[tuple[str, str], str]:
    """For each task and path at which one of two branches brings something, the id of their condition."""
    choices = {node.name: node.task for node in plan.nodes if isinstance(node, Choice)}
    return {
        (node.task, one.path): choices[one.step]
        for node in plan.nodes
        if isinstance(node, Step)
        for one in node.inputs
        if one.step in choices
    }


def _images(plan: Plan) -> Iterator[tuple[str, Text]]:
    """The id of the task and the image of each pod of the plan, the servers' too."""
    for node in plan.nodes:
        if isinstance(node, Step):
            yield node.task, node.image
            if node.service:
                yield node.task, node.service.server.image


def _originals(plan: Plan, before: Plan) -> dict[str, list[str]]:
    """The names of images that mirrors have taken the place of, by those that are pulled: one image may be written in two ways."""
    pairs = [(plan.toolbox_image, before.toolbox_image)]
    for (_, now), (_, was) in zip(_images(plan), _images(before), strict=True):
        pairs.append((literal(now) or "", literal(was) or ""))
    found: dict[str, list[str]] = {}
    for pulled, said in dict.fromkeys(pairs):
        if pulled != said:
            found.setdefault(pulled, []).append(said)
    return found


@dataclass(slots=True)
class _Row:
    text: Text
    tasks: dict[str, None] = field(default_factory=dict)
    toolbox: bool = False


def _pulled(known: Known) -> Iterator[told.Image]:
    rows: dict[str, _Row] = {}
    for id_, text in _images(known.plan):
        rows.setdefault(known.speller.text(text), _Row(text)).tasks[id_] = None
    toolbox: Text = (known.plan.toolbox_image,)
    for one in known.added:
        row = rows.setdefault(known.speller.text(toolbox), _Row(toolbox))
        row.toolbox = True
        if one.task:
            row.tasks[one.task] = None
    collecting = {node.image for node in known.plan.nodes if isinstance(node, Step) and node.type == "collect"}
    values = values_of(known.plan)
    for name, row in rows.items():
        found = resolved(row.text, values)
        yield told.Image(
            image=name,
            originals=list(known.originals.get(name, ())),
            resolved=found if found is not None and literal(row.text) is None else None,
            toolbox=row.toolbox or row.text in collecting,
            tasks=list(row.tasks),
        )


def _volume(known: Known, claim: Claim) -> told.Volume:
    volume = next(one for one in known.analysis.document.volumes if one.id == claim.id)
    mounts: dict[told.Mount, None] = {}
    for node in known.plan.nodes:
        server = node.service.server if isinstance(node, Step) and node.service else None
        for pod in (node, server):
            for mount in pod.mounts if isinstance(pod, Step) else ():
                if isinstance(mount, ClaimMount) and mount.claim == claim.id:
                    row = told.Mount(
                        task=node.task,
                        path=mount.path,
                        sub_path=mount.sub_path,
                        in_run=mount.in_run,
                        read_only=mount.read_only,
                        server=pod is server,
                    )
                    mounts[row] = None
    create = claim.create
    return told.Volume(
        id=claim.id,
        claim=known.speller.text(claim.name) or None,
        created=told.Created(
            size=create.size, access_modes=list(create.access_modes), storage_class=create.storage_class or None
        )
        if create
        else None,
        prepare=claim.prepare,
        mounts=list(mounts),
        place=place(known.source, volume.at),
    )


@dataclass(slots=True)
class _Need:
    text: Text
    optional: bool = True
    tasks: dict[str, None] = field(default_factory=dict)


def _needs(known: Known) -> Iterator[told.Need]:
    values = values_of(known.plan)
    rows: dict[tuple[str, str, str], _Need] = {}
    for one in named(known.plan):
        if one.path == GATE:  # whoever decides makes it
            continue
        row = rows.setdefault((one.resource, known.speller.text(one.name), one.key), _Need(one.name))
        row.optional = row.optional and one.optional
        if one.task:
            row.tasks[one.task] = None
    order = list(_KINDS)
    for (resource, name, key), row in sorted(rows.items(), key=lambda one: (order.index(one[0][0]), *one[0][1:])):
        found = resolved(row.text, values)
        yield told.Need(
            kind=_KINDS[resource],
            name=name or None,
            resolved=found if found is not None and literal(row.text) is None else None,
            key=key or None,
            optional=row.optional,
            tasks=list(row.tasks),
        )


def _size(known: Known) -> told.Size:
    found = known.estimate
    return told.Size(
        bytes=found.total,
        limit=MAX_WORKFLOW,
        share=round(found.total / MAX_WORKFLOW, 4),
        largest_step=max((one.driver for one in found.steps), default=0),
        step_limit=MAX_COMPONENT,
        largest=[told.TaskSize(task=id_, bytes=size) for id_, size in found.largest[:_LARGEST]],
    )
