"""A task's part of a description: the steps that it becomes, how it waits, what it leaves running."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from kade2kfp.description import model as told
from kade2kfp.description.settings import disputed, settings
from kade2kfp.description.texts import Speller, place
from kade2kfp.document.shared import Task
from kade2kfp.plan.added import Added, added, has_task, joined_again
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.expand import parallelism
from kade2kfp.plan.size import Estimate
from kade2kfp.plan.targets import iteration, outputs_of
from kade2kfp.source import Source
from kade2kfp.steps import parts
from kade2kfp.steps.model import Choice, Loop, Node, Plan, Service, Step
from kade2kfp.tasks.condition import Condition, Test
from kade2kfp.tasks.load_data import LoadData
from kade2kfp.tasks.notebook import Notebook
from kade2kfp.tasks.select import Select
from kade2kfp.tasks.serving import Serving
from kade2kfp.tasks.viewer import Viewer


@dataclass(frozen=True)
class Known:
    """All that a description is made from. `originals` holds the document's names of images that come from a mirror."""

    source: Source
    analysis: Analysis
    plan: Plan
    speller: Speller
    estimate: Estimate
    originals: Mapping[str, Sequence[str]]

    @cached_property
    def bytes_of(self) -> Mapping[str, int]:
        """How large each step is, by its name."""
        return {one.step.name: one.component for one in self.estimate.steps}

    @cached_property
    def added(self) -> tuple[Added, ...]:
        """The steps that a cluster runs besides."""
        return added(self.plan)

    @cached_property
    def nodes_of(self) -> Mapping[str, list[Node]]:
        """The plan's nodes by the task's id."""
        found: dict[str, list[Node]] = {}
        for node in self.plan.nodes:
            found.setdefault(node.task, []).append(node)
        return found

    @cached_property
    def items(self) -> Mapping[str, str]:
        """The item that a node is for, as people see it, by the node's name."""
        found = {}
        for turns in self.analysis.sweeps.turns.values():
            for turn in turns:
                found.update(dict.fromkeys((*turn.steps.values(), *turn.choices.values()), turn.label))
        return found


def task(known: Known, one: Task) -> told.Task:
    """All about a task."""
    analysis = known.analysis
    nodes = known.nodes_of.get(one.id, [])
    work = [node for node in nodes if isinstance(node, Step) and node.type != "collect"]
    servers = [step.service.server for step in work if step.service]
    return told.Task(
        id=one.id,
        type=one.type,
        name=one.name or one.id,
        description=one.description or "",
        does=does(one),
        place=place(known.source, one.at),
        steps=[*(_step(known, node) for node in nodes), *_added(known, one)],
        iteration=_iteration(analysis, one),
        run_when="exit" if one.id == analysis.document.pipeline.on_exit else one.run_when or "success",
        cache=_cache(known, one, work),
        gate=next((_gate(known, one, step, step.gate) for step in work if step.gate), None),
        service=next((_service(known, step.service) for step in work if step.service), None),
        outputs=[
            told.Output(name=name, type=type_, reference=f"{{{{tasks.{one.id}.outputs.{name}}}}}")
            for name, type_ in outputs_of(one).items()
        ],
        settings=settings(known.source, analysis, known.plan, one, [*work, *servers]),
        disputed=disputed(analysis, one),
        bytes=known.estimate.tasks.get(one.id, 0),
    )


def does(one: Task) -> str:
    """What a task does, in a few words of its own type; empty where its name has to do."""
    match one:
        case LoadData():
            return one.url
        case Condition():
            return tested(one.test) or "asks a person"
        case Select():
            return f"{one.mode or 'max'} of {one.metric}"
        case Viewer():
            return f"shows {one.log_path}"
        case Serving():
            return f"serves {one.framework}"
        case Notebook() if one.notebook:
            return f"executes {one.notebook}"
    return ""


def tested(test: Test | None) -> str:
    """A comparison, as the document has it."""
    if test is None:
        return ""
    sides = [one if isinstance(one, str) else json.dumps(one) for one in (test.left, test.right)]
    return f"{sides[0]} {test.operator} {sides[1]}"


def _step(known: Known, node: Node) -> told.Step:
    common = {
        "name": node.name,
        "kfp_name": node.name if has_task(node, known.plan) else None,
        "display_name": node.display_name,
        "item": known.items.get(node.name),
        "within": [_within(known, one) for one in node.within],
    }
    if not isinstance(node, Step):
        kind = "choice" if isinstance(node, Choice) else "loop" if isinstance(node, Loop) else "import"
        return _plain_step(kind=kind, **common)
    server = node.service.server if node.service else None
    retry = node.retry
    return told.Step.model_validate(
        common
        | {
            "kind": "collect" if node.type == "collect" else "step",
            "image": known.speller.text(node.image),
            "server_image": known.speller.text(server.image) if server else None,
            "cached": node.cache_key is not None and not joined_again(node.within, known.plan),
            "timeout_seconds": node.timeout,
            "retry": told.Retry(
                limit=retry.limit,
                backoff_seconds=retry.backoff,
                factor=retry.factor,
                max_backoff_seconds=retry.max_backoff,
                on=retry.on,
            )
            if retry
            else None,
            "resources": _resources(known.speller, (server or node).resources),
            "bytes": known.bytes_of.get(node.name, 0),
        }
    )


def _plain_step(**fields: object) -> told.Step:
    """A node with no pod of the document's: what is not given is nothing."""
    nothing = {"image": None, "server_image": None, "cached": False, "timeout_seconds": 0}
    return told.Step.model_validate(nothing | {"retry": None, "resources": None, "bytes": 0} | fields)


def _added(known: Known, one: Task) -> Iterator[told.Step]:
    for extra in known.added:
        if extra.task == one.id:
            yield _plain_step(
                name=extra.name,
                kfp_name=extra.name,
                kind=extra.kind,
                display_name=extra.display_name,
                item=None,
                image=known.plan.toolbox_image,
                within=[_within(known, outer) for outer in extra.within],
            )


def _within(known: Known, one: parts.Branch | parts.Iteration) -> told.Within:
    if isinstance(one, parts.Branch):
        return told.Within(kind="branch", task=known.speller.nodes[one.choice].task, side=one.side)
    return told.Within(kind="iteration", task=known.speller.nodes[one.loop].task, side=None)


def _resources(speller: Speller, of: parts.Resources) -> told.Resources | None:
    if of == parts.Resources():
        return None
    return told.Resources(
        cpu_request=speller.text(of.cpu_request) or None,
        cpu_limit=speller.text(of.cpu_limit) or None,
        memory_request=speller.text(of.memory_request) or None,
        memory_limit=speller.text(of.memory_limit) or None,
        accelerator=of.accelerator or None,
        accelerator_count=speller.text(of.accelerator_count) or None,
    )


def _iteration(analysis: Analysis, one: Task) -> told.Iteration | None:
    found = iteration(analysis.document, one)
    if found is None:
        return None
    root_id, each = found
    turns = analysis.sweeps.turns.get(one.id)
    # A lane for each task of known items; a loop of KFP's has one limit.
    limited = one if turns is not None else analysis.document.task(root_id) or one
    return told.Iteration(
        task=root_id,
        items=len(turns) if turns is not None else None,
        reference=each.items if isinstance(each.items, str) else None,
        parallelism=parallelism(analysis, limited),
    )


def _cache(known: Known, one: Task, work: list[Step]) -> told.Cache:
    if not work:
        return told.Cache(state="none", why=None)
    if all(step.cache_key is not None for step in work):
        joined = any(joined_again(step.within, known.plan) for step in work)
        return told.Cache(state="off" if joined else "on", why="joined" if joined else "sound")
    said = known.analysis.settings[one.id].get("cache") is False
    return told.Cache(state="off", why="said" if said else "unsound")


def _gate(known: Known, one: Task, step: Step, gate: parts.Gate) -> told.Gate:
    jupyter = [step.jupyter.port] if step.jupyter else []
    return told.Gate(
        kind="notebook" if step.jupyter else "approval" if isinstance(one, Condition) else "container",
        timeout_seconds=gate.timeout,
        on_timeout=gate.on_timeout,
        on_exit=gate.on_exit,
        on_reject=gate.on_reject,
        message=known.speller.text(gate.message),
        values=[
            told.GateValue(
                name=value.name,
                type=value.type,
                required=value.required,
                default=value.default,
                description=value.description,
            )
            for value in gate.values
        ],
        ports=[*jupyter, *(port.number for port in step.ports)],
        ssh_port=step.ssh.port if step.ssh else None,
    )


def _service(known: Known, service: Service) -> told.Service:
    scale = service.autoscale
    return told.Service(
        kind=service.kind,
        name=service.name,
        flavor=service.flavor,
        port=service.port,
        image=known.speller.text(service.server.image),
        paused=service.paused,
        time_to_live_seconds=service.time_to_live,
        ready_timeout_seconds=service.ready_timeout if service.kind == "serving" else 0,
        replicas=service.replicas,
        autoscale=told.Autoscale(fewest=scale.fewest, most=scale.most, cpu_percent=scale.cpu_percent)
        if scale
        else None,
    )
