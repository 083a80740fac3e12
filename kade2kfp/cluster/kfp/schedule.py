"""A recurring run: made, kept where it is as wanted, or replaced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kade2kfp.cluster.errors import RefusedError
from kade2kfp.cluster.kfp.client import Kfp, ask
from kade2kfp.cluster.kfp.upload import Submission, Uploaded, equals
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.document.values import same

MARK = "kade2kfp schedule"
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Timing:
    """When runs begin: `cron`, of six fields with the seconds first, or a word such as @daily; else every so many seconds."""

    cron: str = ""
    every: int = 0
    catchup: bool = False
    max_concurrency: int = 1


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A recurring run: its id, what was done, and whether it is switched off."""

    id: str
    done: Literal["made", "kept", "replaced"]
    off: bool = False
    removed: tuple[str, ...] = field(default=())


def six_fields(cron: str) -> str:
    """A cron expression as KFP reads it.

    KFP's takes seconds first, and of five fields it would take the first for seconds (robfig/cron 1.2, Parse; recorded in
    backend/src/crd/controller/scheduledworkflow/util/cron_schedule.go).
    """
    return f"0 {' '.join(cron.split())}" if len(cron.split()) == 5 else " ".join(cron.split())


def find(kfp: Kfp, name: str) -> list[dict[str, Any]]:
    """The recurring runs of that name. Raises CannotDoError."""
    answer = ask(
        kfp,
        f"look for the schedule {name}",
        lambda client: client._recurring_run_api.recurring_run_service_list_recurring_runs(
            namespace=kfp.namespace, filter=equals("display_name", name), page_size=_PAGE
        ),
    )
    rows = answer.get("recurringRuns") or answer.get("recurring_runs") or ()
    return [one for one in rows if isinstance(one, dict) and one.get("display_name") == name]


def schedule(kfp: Kfp, wanted: Submission, at: Uploaded, timing: Timing) -> Scheduled:
    """The recurring run of the submission's name, which is as wanted when this returns.

    A new one is made before the old is removed; a new one is switched off where the old was. Raises CannotDoError.
    """
    body = body_of(wanted, at, timing)
    there = mine(find(kfp, body["display_name"]), body["display_name"])
    found = next((one for one in there if is_equal(one, body)), None)
    old = [one for one in there if one is not found]
    if found is None:
        off = bool(old) and all(is_off(one) for one in old)
        found = _make(kfp, body | {"mode": "DISABLE" if off else "ENABLE"})
        done: Literal["made", "kept", "replaced"] = "replaced" if old else "made"
    else:
        done = "kept"
    for one in old:
        _remove(kfp, one)
    return Scheduled(
        str(found["recurring_run_id"]), done, is_off(found), tuple(str(one["recurring_run_id"]) for one in old)
    )


def body_of(wanted: Submission, at: Uploaded, timing: Timing) -> dict[str, Any]:
    """The recurring run as KFP takes it."""
    trigger = (
        {"cron_schedule": {"cron": timing.cron}}
        if timing.cron
        else {"periodic_schedule": {"interval_second": str(timing.every)}}
    )
    return {
        "display_name": wanted.run_name or wanted.slug,
        "description": f"{MARK} of {wanted.slug}",
        "experiment_id": at.experiment.id,
        "pipeline_version_reference": {"pipeline_id": at.pipeline.id, "pipeline_version_id": at.version.id},
        "runtime_config": {"parameters": dict(wanted.parameters)},
        "max_concurrency": str(timing.max_concurrency),
        "no_catchup": not timing.catchup,
        "trigger": trigger,
        "mode": "ENABLE",
        **({"service_account": wanted.service_account} if wanted.service_account else {}),
    }


def mine(rows: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The recurring runs that an earlier submit has made. Raises CannotDoError where somebody else has that name."""
    if any(not str(one.get("description") or "").startswith(MARK) for one in rows):
        raise CannotDoError(
            f"there is a recurring run `{name}` that kade2kfp has not made", "give yours another name by --run-name"
        )
    return rows


def is_equal(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a recurring run does what is wanted; whether it is switched off does not matter."""
    return (
        _trigger(there) == _trigger(wanted)
        and there.get("pipeline_version_reference") == wanted["pipeline_version_reference"]
        and there.get("experiment_id") == wanted["experiment_id"]
        and int(there.get("max_concurrency") or 0) == int(wanted["max_concurrency"])
        and bool(there.get("no_catchup")) == wanted["no_catchup"]
        and there.get("service_account") == wanted.get("service_account", there.get("service_account"))
        and _equal((there.get("runtime_config") or {}).get("parameters") or {}, wanted["runtime_config"]["parameters"])
    )


def is_off(one: Mapping[str, Any]) -> bool:
    """Whether somebody has switched a recurring run off."""
    return one.get("status") == "DISABLED" or one.get("mode") == "DISABLE"


def _trigger(one: Mapping[str, Any]) -> tuple[str, int]:
    trigger = one.get("trigger") or {}
    cron = (trigger.get("cron_schedule") or {}).get("cron") or ""
    return str(cron), int((trigger.get("periodic_schedule") or {}).get("interval_second") or 0)


def _equal(one: Any, other: Any) -> bool:
    """JSON equality, through lists and objects: KFP gives 2 back as 2.0."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return same(one, other)


def _make(kfp: Kfp, body: Mapping[str, Any]) -> dict[str, Any]:
    """Make it; where the answer is lost, look for it."""
    try:
        return ask(
            kfp,
            f"make the schedule {body['display_name']}",
            lambda client: client._recurring_run_api.recurring_run_service_create_recurring_run(
                recurring_run=dict(body)
            ),
            again=False,
        )
    except RefusedError as error:
        if error.status and not error.passing:
            raise
        found = [one for one in find(kfp, body["display_name"]) if is_equal(one, body)]
        if not found:
            raise
        return found[0]


def _remove(kfp: Kfp, one: Mapping[str, Any]) -> None:
    try:
        ask(
            kfp,
            f"remove the old schedule {one.get('display_name')}",
            lambda client: client._recurring_run_api.recurring_run_service_delete_recurring_run(
                one["recurring_run_id"]
            ),
        )
    except RefusedError as error:
        if error.status != 404:  # an answer was lost, or somebody was first
            raise
