"""Runs of a KFP: a list of them, the one that is meant, and all that is known of one, as of a run on this machine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml

from kade2kfp.cluster.errors import RefusedError
from kade2kfp.cluster.kfp.client import Kfp, ask, get, path
from kade2kfp.cluster.kfp.details import nodes_of_details
from kade2kfp.cluster.kfp.flow import with_values
from kade2kfp.cluster.kfp.nodes import Nodes, nodes_of, seconds
from kade2kfp.cluster.kfp.states import Placed, steps_of
from kade2kfp.cluster.kfp.tree import Pipeline, pipeline_of, pipeline_seen, tasks_told
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.local.state import RunState, RunStatus

ENGINE = "kubeflow"
PAGE = 200
"""The most rows that KFP gives at once (backend/src/apiserver/list/list.go)."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PART_OF_ONE = re.compile(r"[0-9a-f][0-9a-f-]{3,34}")
_NEWEST = "created_at desc"
_KEPT = {"operation": "NOT_EQUALS", "key": "storage_state", "stringValue": "ARCHIVED"}
_STATES: dict[str, RunStatus] = {
    "succeeded": "succeeded",
    "skipped": "succeeded",
    "failed": "failed",
    "error": "failed",
    "canceled": "cancelled",
    "cancelled": "cancelled",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A run as KFP lists it: `said` is KFP's JSON (v2beta1 Run)."""

    said: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Its id, a UUID."""
        return _text(self.said.get("run_id"))

    @property
    def name(self) -> str:
        """What people call it. Several runs may have one name."""
        return _text(self.said.get("display_name")) or self.id

    @property
    def pipeline_id(self) -> str:
        """The id of its pipeline; empty where it was started without one."""
        return _text(_object(self.said.get("pipeline_version_reference")).get("pipeline_id"))

    @property
    def version_id(self) -> str:
        """The id of its pipeline's version; empty where it was started without one."""
        reference = _object(self.said.get("pipeline_version_reference"))
        return _text(reference.get("pipeline_version_id")) or _text(self.said.get("pipeline_version_id"))


@dataclass(frozen=True, slots=True)
class Watched:
    """A run that is looked at again and again: what does not change is asked for once."""

    kfp: Kfp
    found: Found
    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Detail:
    """All that is known of a run. `bytes` is how much KFP sent for it, `watch` is for looking again."""

    watch: Watched
    found: Found
    pipeline: Pipeline
    nodes: Nodes
    placed: tuple[Placed, ...]
    state: RunState
    bytes: int = 0


def list_runs(kfp: Kfp, *, limit: int = 0, pipeline: str | None = None) -> tuple[list[Found], int]:
    """The newest runs, at most `limit` (0: all), and how many there are besides as far as KFP says.

    Archived ones are left out. `pipeline` is the name or the id of one. Raises CannotDoError.
    """
    wanted = _pipeline_id(kfp, pipeline) if pipeline is not None else None
    size = PAGE if wanted is not None or limit == 0 else min(limit, PAGE)
    found: list[Found] = []
    total = 0
    for rows, count in _pages(kfp, [_KEPT], size):
        total = count
        found += [one for one in rows if wanted is None or one.pipeline_id == wanted]
        if limit and len(found) >= limit:
            break
    shown = found[:limit] if limit else found
    return shown, 0 if wanted is not None and len(found) <= len(shown) else max(0, total - len(shown))


def pipeline_names(kfp: Kfp, runs: Sequence[Found]) -> dict[str, str]:
    """What the pipelines of runs are called, by their ids. Those that KFP does not know any more are left out."""
    wanted = {one.pipeline_id for one in runs} - {""}
    names: dict[str, str] = {}
    for row in _pipelines(kfp) if wanted else ():
        names[_text(row.get("pipeline_id"))] = _name_of(row)
        if not wanted - names.keys():
            break
    return names


def _pipelines(kfp: Kfp) -> Iterator[dict[str, Any]]:
    token = ""
    while True:
        given = {"page_size": PAGE, "page_token": token, **_of_namespace(kfp)}
        answer = _listed(kfp, "list pipelines", "_pipelines_api", "pipeline_service_list_pipelines", given)
        yield from (_object(row) for row in _list(answer.get("pipelines")))
        token = _text(answer.get("next_page_token"))
        if not token:
            return


def _of_namespace(kfp: Kfp) -> dict[str, str]:
    return {"namespace": kfp.namespace} if kfp.namespace else {}


def _listed(kfp: Kfp, what: str, api: str, method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    return ask(kfp, what, lambda client: getattr(getattr(client, api), method)(**given))


def find(kfp: Kfp, wanted: str) -> Found:
    """The run that is meant: an id, a unique part at its beginning, a name or a unique part of it, or `last`.

    Raises CannotDoError where there is none, or several.
    """
    if _UUID.fullmatch(wanted):
        return run_of(kfp, wanted)
    if wanted == "last":
        for rows, _ in _pages(kfp, [_KEPT], 1):
            if rows:
                return rows[0]
            break
        raise CannotDoError(f"there are no runs at {kfp.target.address}", "`kade2kfp submit` starts one")
    looks: list[tuple[str, str]] = [("display_name", "EQUALS")]
    looks += [("run_id", "IS_SUBSTRING")] if _PART_OF_ONE.fullmatch(wanted) else []
    looks += [("display_name", "IS_SUBSTRING")]
    for key, operation in looks if wanted else []:
        rows = _fitting(kfp, key, operation, wanted)
        rows = [one for one in rows if key != "run_id" or one.id.startswith(wanted)]
        if len(rows) == 1:
            return rows[0]
        if rows:
            some = ", ".join(f"{one.name} ({one.id[:8]})" for one in rows[:5]) + (" ..." if len(rows) > 5 else "")
            raise CannotDoError(
                f"'{wanted}' fits {'more than ' if len(rows) >= PAGE else ''}{len(rows)} runs: {some}",
                "name it by its id or the beginning of that, or `last`",
            )
    raise CannotDoError(
        f"there is no run '{wanted}' at {kfp.target.address}",
        "`kade2kfp runs` with the same options lists them, and `last` is the newest",
    )


def _fitting(kfp: Kfp, key: str, operation: str, wanted: str) -> list[Found]:
    predicate = {"operation": operation, "key": key, "stringValue": wanted}
    for rows, _ in _pages(kfp, [predicate], PAGE):
        kept = [one for one in rows if one.said.get("storage_state") != "ARCHIVED"]
        return kept or rows
    return []


def _pages(kfp: Kfp, predicates: Sequence[Mapping[str, str]], size: int) -> Iterator[tuple[list[Found], int]]:
    """The pages of a list of runs, and how many rows KFP says that there are."""
    token = ""
    chosen = json.dumps({"predicates": list(predicates)})
    while True:
        given = {"page_size": size, "page_token": token, "sort_by": _NEWEST, "filter": chosen, **_of_namespace(kfp)}
        answer = _listed(kfp, "list runs", "_run_api", "run_service_list_runs", given)
        rows = [Found(one) for one in _list(answer.get("runs")) if isinstance(one, dict) and one.get("run_id")]
        total = answer.get("total_size")
        yield rows, total if isinstance(total, int) else len(rows)
        token = _text(answer.get("next_page_token"))
        if not token:
            return


def run_of(kfp: Kfp, id_: str) -> Found:
    """The run of an id. Raises CannotDoError where there is none."""
    try:
        return Found(ask(kfp, f"read run {id_}", lambda client: client._run_api.run_service_get_run(id_)))
    except RefusedError as error:
        if error.status != 404:
            raise
        raise CannotDoError(
            f"there is no run {id_} at {kfp.target.address}",
            "`kade2kfp runs` with the same options lists them; is it another namespace's?",
        ) from None


def _pipeline_id(kfp: Kfp, wanted: str) -> str:
    """The id of a pipeline by its name, its display name or its id. Raises CannotDoError."""
    known: list[str] = []
    for one in _pipelines(kfp):
        if wanted in (one.get("pipeline_id"), one.get("name"), one.get("display_name")):
            return _text(one.get("pipeline_id"))
        known.append(_name_of(one))
    hint = did_you_mean(wanted, known, noun="pipelines")
    raise CannotDoError(f"there is no pipeline '{wanted}' at {kfp.target.address}", hint)


def status_of(said: Mapping[str, Any], nodes: Nodes | None = None) -> RunStatus:
    """The state of a run as here.

    A stopped one ends as FAILED. Between, some versions of KFP note CANCELING in its history; what is sure is what KFP
    has made of its workflow (nodes.py).
    """
    state = _text(said.get("state") or said.get("status")).lower()
    status = _STATES.get(state, "running")
    before = [_text(_object(one).get("state")) for one in _list(said.get("state_history"))]
    while before and before[-1] == "FAILED":
        before.pop()
    stopped = (nodes is not None and nodes.stopped) or before[-1:] == ["CANCELING"]
    return "cancelled" if status == "failed" and stopped else status


def is_stopping(said: Mapping[str, Any]) -> bool:
    """Whether it is being stopped at this moment."""
    return _text(said.get("state") or said.get("status")).lower() in ("canceling", "terminating")


def summary(found: Found, pipeline: str) -> RunState:
    """A run as the list has it, without its steps; `pipeline` is what its pipeline is called."""
    said = found.said
    history = [seconds(_object(one).get("update_time")) for one in _list(said.get("state_history"))]
    error = _text(_object(said.get("error")).get("message"))
    status = status_of(said)
    note = "being stopped" if is_stopping(said) else "waits for KFP to start it" if _is_pending(said) else ""
    return RunState(
        id=found.id,
        name=found.name,
        pipeline=pipeline,
        slug=pipeline,
        document="",
        status=status,
        started=seconds(said.get("created_at")) or next((one for one in history if one), None) or 0.0,
        engine=ENGINE,
        parameters=_object(_object(said.get("runtime_config")).get("parameters")),
        steps=(),
        ended=seconds(said.get("finished_at")) if status != "running" else None,
        note=" ".join(error.split())[:300] or note,
    )


def _is_pending(said: Mapping[str, Any]) -> bool:
    return _text(said.get("state") or said.get("status")).lower() in ("", "pending")


def watched(kfp: Kfp, found: Found) -> Watched:
    """A run with its pipeline. Raises CannotDoError."""
    inline = found.said.get("pipeline_spec")
    spec: object = inline
    told: dict[str, str] = {}
    if not inline and found.pipeline_id and found.version_id:
        try:
            version = ask(
                kfp,
                f"read the pipeline version of run {found.name}",
                lambda client: client._pipelines_api.pipeline_service_get_pipeline_version(
                    found.pipeline_id, found.version_id
                ),
            )
            spec, told = version.get("pipeline_spec"), tasks_told(_text(version.get("description")))
        except RefusedError as error:
            if error.status != 404:  # it was deleted; the run itself says the rest
                raise
    return Watched(kfp, found, pipeline_of(spec, told))


def look(watch: Watched, *, values: bool = False) -> Detail:
    """All that is known of a run now, by one request. `values`: with artifacts and values. Raises CannotDoError."""
    kfp, found = watch.kfp, watch.found
    what = f"read run {found.name}"
    try:
        answer = get(kfp, what, path("v1beta1", "runs", found.id))
        run = _object(answer.get("run"))
        manifest = _text(_object(answer.get("pipeline_runtime")).get("workflow_manifest"))
        nodes = nodes_of(manifest)
        if not watch.pipeline.tasks:
            watch = replace(watch, pipeline=_own_pipeline(run, nodes))
        size = len(manifest)
        said: Mapping[str, Any] = {**found.said, "state": run.get("status"), "finished_at": run.get("finished_at")}
        if run.get("error"):
            said = {**said, "error": {"message": run.get("error")}}
    except RefusedError as error:
        if error.status not in (404, 405, 501):
            raise
        # Without KFP's older API only KFP's own words on each node are known, not where it belongs.
        said = ask(kfp, what, lambda client: client._run_api.run_service_get_run(found.id))
        nodes, size = nodes_of_details(watch.pipeline, said), 0
    detail = detail_of(watch, said, nodes, size)
    return valued(detail) if values else detail


def valued(detail: Detail) -> Detail:
    """The same with artifacts and values, which `look` leaves out unless it is told otherwise: they take their time."""
    steps = with_values(detail.pipeline, detail.placed, detail.nodes)
    return replace(detail, state=replace(detail.state, steps=tuple(steps)))


def detail_of(watch: Watched, said: Mapping[str, Any], nodes: Nodes, size: int) -> Detail:
    """What KFP's answers say of a run."""
    status = status_of(said, nodes)
    if status != "running" and nodes.phase in ("", "Running", "Pending"):
        # KFP's own word comes a moment earlier or later than Argo's.
        nodes = replace(nodes, phase="Succeeded" if status == "succeeded" else "Failed")
    elif status == "running" and nodes.phase in ("Succeeded", "Failed", "Error"):
        nodes = replace(nodes, phase="Running")
    placed = steps_of(watch.pipeline, nodes)
    steps = [one.state for one in placed if one.is_shown]
    state = replace(summary(Found(said), watch.pipeline.name), status=status, steps=tuple(steps))
    if status == "running":
        state = replace(state, ended=None)
    elif nodes.message and not state.note and not nodes.message.startswith("child '"):
        state = replace(state, note=" ".join(nodes.message.split())[:300])
    state = replace(state, parameters={**_defaults(watch.pipeline), **state.parameters})
    return Detail(watch, watch.found, watch.pipeline, nodes, tuple(placed), state, size)


def _defaults(pipeline: Pipeline) -> dict[str, Any]:
    declared = _object(pipeline.parameters)
    return {name: one["defaultValue"] for name, one in declared.items() if "defaultValue" in _object(one)}


def _own_pipeline(run: Mapping[str, Any], nodes: Nodes) -> Pipeline:
    """The pipeline of a run whose version is gone: KFP keeps a copy with it; else what its nodes look like."""
    text = _text(_object(run.get("pipeline_spec")).get("pipeline_manifest"))
    try:
        parts = [_object(one) for one in yaml.load_all(text, yaml.CSafeLoader)]
    except (yaml.YAMLError, RecursionError, ValueError):
        parts = []
    spec = next((one for one in parts if "root" in one), {})
    platform = next((one for one in parts if "platforms" in one), {})
    found = pipeline_of({"pipeline_spec": spec, "platform_spec": platform}) if spec else Pipeline("")
    return found if found.tasks else pipeline_seen(nodes.by_path)


def run_state(kfp: Kfp, id_: str) -> RunState:
    """All that is known of a run, by its id. Raises CannotDoError."""
    return look(watched(kfp, run_of(kfp, id_)), values=True).state


def _name_of(row: Mapping[str, Any]) -> str:
    return _text(row.get("display_name")) or _text(row.get("name")) or _text(row.get("pipeline_id"))


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
