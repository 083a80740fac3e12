"""The last pass: an analysed document without errors becomes a Plan."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace

from kade2kfp.document.base import Model
from kade2kfp.document.pipeline import Parameter, Volume
from kade2kfp.document.shared import EnvVar, PullSecretRef, Resources, Retry, Task
from kade2kfp.document.types import duration_seconds, number_text
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.candidates import candidates, compared_metrics
from kade2kfp.plan.collect import with_collects
from kade2kfp.plan.connect import Connections, artifact_names, connect
from kade2kfp.plan.expand import expand
from kade2kfp.plan.groups import Groups, groups_of
from kade2kfp.plan.inherit import Setting, Settings
from kade2kfp.plan.loops import with_loops
from kade2kfp.plan.regions import regions
from kade2kfp.plan.run_time import loop_of
from kade2kfp.plan.servings import volume_of_serving
from kade2kfp.plan.targets import iteration
from kade2kfp.steps import model as steps
from kade2kfp.steps import parts
from kade2kfp.steps.frame import Candidate, Frame
from kade2kfp.steps.sources import Json, Output, RunInfo, Text, sources
from kade2kfp.tasks.gates import SHARED
from kade2kfp.tasks.serving import KEPT, Serving

# A multi-arch image with python3 and sh; `defaults.toolboxImage` can pin a digest of it.
TOOLBOX_IMAGE = "python:3.11-slim"


def build(analysis: Analysis) -> steps.Plan:
    """The plan of a document that has no errors."""
    document, pipeline = analysis.document, analysis.document.pipeline
    nodes = _all_nodes(analysis)
    return steps.Plan(
        name=analysis.slug,
        display_name=pipeline.name,
        description=pipeline.description or "",
        parameters=tuple(_parameter(analysis, one) for one in document.parameters),
        claims=tuple(_claim(analysis, volume, nodes) for volume in document.volumes),
        nodes=nodes,
        toolbox_image=toolbox_image(analysis),
        scheduling=_toolbox_scheduling(analysis),
        pull_secrets=_pull_secrets(analysis, document.defaults.image_pull_secrets or ()),
        timeout=_seconds(analysis, pipeline.timeout, pipeline.place("timeout")) if pipeline.timeout else 0,
        time_to_live=_seconds(analysis, pipeline.time_to_live, pipeline.place("time_to_live"))
        if pipeline.time_to_live
        else 0,
        labels=tuple((pipeline.labels or {}).items()),
        on_exit=analysis.names[pipeline.on_exit] if pipeline.on_exit else "",
    )


def _all_nodes(analysis: Analysis) -> tuple[steps.Node, ...]:
    artifacts, metric_keys, found = artifact_names(analysis), _metric_keys(analysis), regions(analysis)
    groups: dict[int, Groups] = {}
    nodes: list[steps.Node] = []
    all_views = expand(analysis)
    for id_, views in all_views.items():
        task = analysis.document.task(id_)
        if task is None:
            continue
        if iteration(analysis.document, task) and not views[0].turn and not loop_of(analysis.document, task):
            continue
        for view in views:
            if id(view) not in groups:
                groups[id(view)] = groups_of(view, artifacts, found)
            connections = connect(view, task, artifacts, groups[id(view)])
            chosen_from = candidates(view, task, artifacts)
            made = _nodes(view, task, connections, metric_keys.get(id_, ()), chosen_from, analysis.names[id_])
            nodes += (_grouped(node, groups[id(view)]) for node in made)
    image, scheduling = toolbox_image(analysis), _toolbox_scheduling(analysis)
    secrets = _pull_secrets(analysis, analysis.document.defaults.image_pull_secrets or ())
    collecting = with_collects(analysis, nodes, (image,), scheduling, secrets)
    return with_loops({id_: views[0] for id_, views in all_views.items()}, collecting)


def _grouped(node: steps.Node, groups: Groups) -> steps.Node:
    within = groups.within(node.task)
    if isinstance(node, steps.Choice):
        return replace(node, within=within, joins=groups.made.get(node.task, ()))
    return replace(node, within=within)


def toolbox_image(analysis: Analysis) -> str:
    """The image of the steps that are ours."""
    return analysis.document.defaults.toolbox_image or TOOLBOX_IMAGE


def _toolbox_scheduling(analysis: Analysis) -> parts.Scheduling:
    defaults = analysis.document.defaults
    selector = defaults.node_selector
    return parts.Scheduling(
        node_selector=_selector(analysis, Setting(selector, defaults.place("node_selector"), "") if selector else None),
        tolerations=tuple(_plain(one) for one in defaults.tolerations or ()),
    )


def _pull_secrets(analysis: Analysis, secrets: Iterable[PullSecretRef]) -> tuple[Text, ...]:
    return tuple(analysis.resolution.text(one.place("name"), one.name) for one in secrets)


def _seconds(analysis: Analysis, text: str, at: tuple[str | int, ...]) -> int:
    return duration_seconds(analysis.resolution.compile_text(at, text)) or 0


def _parameter(analysis: Analysis, parameter: Parameter) -> steps.PlanParameter:
    limits = [
        f"{word} {_limit(value)}"
        for word, value in (
            ("one of", parameter.enum),
            ("at least", parameter.minimum),
            ("at most", parameter.maximum),
            ("matches", parameter.pattern),
        )
        if value is not None
    ]
    described = " ".join(part for part in (parameter.description, f"({', '.join(limits)})" if limits else "") if part)
    known = parameter.name in analysis.known
    return steps.PlanParameter(parameter.name, parameter.type, not known, analysis.known.get(parameter.name), described)


def _limit(value: Json) -> str:
    return number_text(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _claim(analysis: Analysis, volume: Volume, nodes: Iterable[steps.Node]) -> steps.Claim:
    found = [node for node in nodes if isinstance(node, steps.Step)]
    found += [node.service.server for node in found if node.service]
    mounts = [mount for step in found for mount in step.mounts]
    # Who decides makes a gate's folder.
    used = [
        mount
        for mount in mounts
        if isinstance(mount, parts.ClaimMount) and mount.claim == volume.id and mount.in_run and mount.path != SHARED
    ]
    folders = {mount.sub_path.rpartition("/")[0] if mount.is_file else mount.sub_path for mount in used}
    name = analysis.resolution.text(volume.place("claim_name"), volume.claim_name)
    create = volume.create
    created = None
    if create:
        size = analysis.resolution.compile_text(create.place("size"), create.size)
        created = steps.CreatedClaim(size, tuple(create.access_modes or ()), create.storage_class_name or "")
    kept = {
        mount.sub_path
        for step in found
        for mount in step.mounts
        if isinstance(mount, parts.ClaimMount) and mount.claim == volume.id and mount.path == KEPT and step.service
        # What the image runs as is known of the toolbox alone.
        if step.image != (toolbox_image(analysis),) or step.security.run_as_user or step.security.run_as_non_root
    }
    return steps.Claim(volume.id, name, created, volume.prepare, tuple(sorted(folders)), tuple(sorted(kept)))


def _nodes(
    analysis: Analysis,
    task: Task,
    connections: Connections,
    metric_keys: tuple[str, ...],
    chosen_from: tuple[Candidate, ...],
    name: str,
) -> tuple[steps.Node, ...]:
    frame = Frame(
        step=_step(analysis, task, analysis.settings[task.id], connections),
        text=analysis.resolution.text,
        compile_text=analysis.resolution.compile_text,
        contents=analysis.contents,
        toolbox_image=toolbox_image(analysis),
        metric_keys=metric_keys,
        candidates=chosen_from,
        items=analysis.resolution.items,
        name=name,
        pipeline=analysis.slug,
        arriving=tuple(
            dict.fromkeys(flow.to_path for flow in analysis.to_task.get(task.id, ()) if not flow.order_only)
        ),
        own_image=task.image is not None,
        kept_on=volume_of_serving(analysis, task) if isinstance(task, Serving) else "",
    )
    nodes = task.nodes(frame)
    return tuple(
        replace(node, cache_key=_cache_key(analysis, task, node)) if isinstance(node, steps.Step) else node
        for node in nodes
    )


def _metric_keys(analysis: Analysis) -> dict[str, tuple[str, ...]]:
    """The metrics that are referred to or compared, by the id of the task that has them."""
    keys: dict[str, set[str]] = {}
    for reference in analysis.resolution.references:
        source = reference.target.source
        if isinstance(source, Output) and source.name.startswith("metric-"):
            keys.setdefault(reference.target.task, set()).add(source.name.removeprefix("metric-"))
    for id_, key in compared_metrics(analysis):
        keys.setdefault(id_, set()).add(key)
    return {task: tuple(sorted(found)) for task, found in keys.items()}


def _step(analysis: Analysis, task: Task, settings: Settings, connections: Connections) -> steps.Step:
    resolution, fields = analysis.resolution, settings.fields
    image = fields.get("image")
    security = settings.get("security_context")
    timeout = fields.get("timeout")
    secrets = fields.get("image_pull_secrets")
    working_dir = getattr(task, "working_dir", None) or settings.get("working_dir") or ""
    return steps.Step(
        task=task.id,
        name=analysis.names[task.id],
        display_name=f"{task.name or task.id} ({analysis.turn.label})" if analysis.turn else task.name or task.id,
        image=resolution.text(image.at, image.value) if image else (),
        command=(),
        description=task.description or "",
        type=task.type,
        env=tuple(_env(analysis, setting) for setting in settings.env),
        mounts=connections.mounts,
        scratch=connections.scratch,
        inputs=connections.inputs,
        outputs=connections.outputs,
        working_dir=working_dir,
        resources=_resources(analysis, fields.get("resources")),
        scheduling=parts.Scheduling(
            node_selector=_selector(analysis, fields.get("node_selector")),
            node_affinity=_plain(settings.get("node_affinity")),
            tolerations=tuple(_plain(one) for one in settings.get("tolerations") or ()),
        ),
        security=parts.Security(security.run_as_user, security.run_as_group, security.run_as_non_root)
        if security
        else parts.Security(),
        pull_policy=settings.get("image_pull_policy") or "",
        pull_secrets=_pull_secrets(analysis, secrets.value if secrets else ()),
        labels=tuple(setting.value for setting in settings.labels),
        annotations=tuple(setting.value for setting in settings.annotations),
        retry=_retry(analysis, fields.get("retry")),
        timeout=_seconds(analysis, timeout.value, timeout.at) if timeout else 0,
        files=connections.files,
        after=connections.after,
        always=task.run_when == "always",
    )


def _plain(model: object) -> Json:
    found: Json = model.model_dump(by_alias=True, exclude_none=True) if isinstance(model, Model) else None
    return found


def _env(analysis: Analysis, setting: Setting[EnvVar]) -> parts.EnvValue | parts.EnvFrom:
    variable, text = setting.value, analysis.resolution.text
    source = variable.value_from
    if source is None:
        return parts.EnvValue(variable.name, text(variable.place("value"), variable.value))
    if source.secret_key_ref:
        ref = source.secret_key_ref
        return parts.EnvFrom(variable.name, "secret", text(ref.place("name"), ref.name), ref.key, ref.optional)
    if source.config_map_key_ref:
        ref = source.config_map_key_ref
        return parts.EnvFrom(variable.name, "configMap", text(ref.place("name"), ref.name), ref.key, ref.optional)
    return parts.EnvFrom(variable.name, "field", (), source.field_ref.field_path if source.field_ref else "")


def _resources(analysis: Analysis, setting: Setting[Resources] | None) -> parts.Resources:
    if setting is None:
        return parts.Resources()
    resources, text = setting.value, analysis.resolution.text

    def of(field: str, key: str) -> Text:
        value = (getattr(resources, field) or {}).get(key)
        return text(resources.place(field, key), value) if value is not None else ()

    extended = [key for key in resources.limits or {} if key not in ("cpu", "memory")]
    accelerator = extended[0] if extended else ""
    return parts.Resources(
        of("requests", "cpu"),
        of("limits", "cpu"),
        of("requests", "memory"),
        of("limits", "memory"),
        accelerator,
        of("limits", accelerator) if accelerator else (),
    )


def _selector(analysis: Analysis, setting: Setting[dict[str, str]] | None) -> tuple[tuple[str, str], ...]:
    if setting is None:
        return ()
    return tuple(
        (key, analysis.resolution.compile_text((*setting.at, key), value)) for key, value in setting.value.items()
    )


def _retry(analysis: Analysis, setting: Setting[Retry] | None) -> parts.Retry | None:
    if setting is None or setting.value.limit == 0:
        return None
    retry = setting.value
    return parts.Retry(
        retry.limit,
        _seconds(analysis, retry.backoff, retry.place("backoff")) if retry.backoff else 0,
        retry.factor or 2,
        _seconds(analysis, retry.max_backoff, retry.place("max_backoff")) if retry.max_backoff else 3600,
        retry.on or "exit",
    )


def cacheable(analysis: Analysis, task: Task, step: steps.Step) -> bool:
    """Whether taking a step's result from an earlier run is sound (document.md, cache)."""
    mounts = [mount for mount in step.mounts if isinstance(mount, parts.ClaimMount)]
    # The data of a volume arrow may be seen through a mount that is read-only here: it is new in each run all the same.
    on_volume = any(
        flow.volume for arrows in (analysis.from_task, analysis.to_task) for flow in arrows.get(task.id, ())
    )
    of_run = any(isinstance(source, RunInfo) for source in sources(_texts(step)))
    # Which secret or config map it is goes into no input of the task, so KFP's fingerprint would not see a change.
    of_run = of_run or any(True for _ in sources(_object_names(step)))
    downloads_unverified = task.type == "loadData" and getattr(task, "sha256", None) is None
    # A task that runs whatever happened is there for what it does, not for what it leaves.
    always = task.run_when == "always" or task.id == analysis.document.pipeline.on_exit
    return (
        all(one.read_only for one in mounts)
        and not on_volume
        and not of_run
        and not downloads_unverified
        and not always
        and step.gate is None
        and step.service is None
    )


def _texts(step: steps.Step) -> list[Text]:
    # A gate is never cached, so its message does not matter; nor is what leaves a service running.
    return [*step.command, step.image, *(one.value for one in step.env if isinstance(one, parts.EnvValue))]


def _object_names(step: steps.Step) -> list[Text]:
    names = [one.name for one in step.mounts if isinstance(one, parts.SecretMount)]
    return names + [one.object for one in step.env if isinstance(one, parts.EnvFrom)]


def _cache_key(analysis: Analysis, task: Task, step: steps.Step) -> str | None:
    """A digest of what KFP's fingerprint leaves out (KFP: backend/src/v2/cacheutils/cache.go); None: not cached."""
    if analysis.settings[task.id].get("cache") is False or not cacheable(analysis, task, step):
        return None
    left_out = (step.env, step.mounts, step.security)
    if not step.env and not step.mounts and step.security == parts.Security():
        return ""
    return hashlib.sha256(repr(left_out).encode("utf-8", "surrogatepass")).hexdigest()
