"""Recurring runs (server/job_server.go, api_converter.go toModelJob). Nothing runs by the clock: `Kfp.fire` does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from . import runs, specs
from .calls import Call, Route, known, may, namespace_of, pair, route
from .errors import ApiError, internal, invalid
from .store import Recurring, now

if TYPE_CHECKING:
    from .kfp import Kfp

_FIELDS = (
    "display_name",
    "description",
    "pipeline_version_id",
    "pipeline_spec",
    "pipeline_version_reference",
    "runtime_config",
)
_FIELDS += (
    "service_account",
    "max_concurrency",
    "trigger",
    "mode",
    "no_catchup",
    "namespace",
    "experiment_id",
    "status",
)
_FIELDS += ("recurring_run_id", "created_at", "updated_at", "error", "plugins_input")
_DESCRIPTORS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_MOST = (59, 59, 23, 31, 12, 6)
_NAMES = {
    4: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    5: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
}


def create(kfp: Kfp, call: Call) -> dict[str, Any]:
    body = call.json()
    known(body, *_FIELDS)
    try:
        trigger, most = _converted(body)
    except ApiError as error:
        raise error.wrapped("Failed to create a recurring run due to conversion error") from error
    try:
        return _create(kfp, call, body, trigger, most).api()
    except ApiError as error:
        raise error.wrapped("Failed to create a recurring run") from error


def _converted(body: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The trigger as it is told again, and max_concurrency; ApiError for what toModelJob refuses."""
    if not body.get("display_name"):
        said = "Failed to convert a API recurring run to its internal representation"
        raise internal(invalid("Recurring run's name cannot be empty"), said)
    most = int(body.get("max_concurrency") or 0)
    if not 1 <= most <= 10:
        raise invalid(f"Max concurrency of a recurring run must be at least 1 and at most 10. Received {most}")
    trigger = body.get("trigger") or {}
    made: dict[str, Any] = {}
    if (cron := trigger.get("cron_schedule")) is not None:
        if error := cron_error(str(cron.get("cron", ""))):
            raise invalid(
                f"Schedule cron is not a supported format(https://godoc.org/github.com/robfig/cron). Error: {error}"
            )
        made = {"cron_schedule": {key: cron[key] for key in ("start_time", "end_time", "cron") if cron.get(key)}}
    if (periodic := trigger.get("periodic_schedule")) is not None:
        seconds = int(periodic.get("interval_second") or 0)
        if seconds < 1:
            raise invalid(f"Found invalid period schedule interval {seconds}. Set at interval to least 1 second")
        times = {key: periodic[key] for key in ("start_time", "end_time") if periodic.get(key)}
        made = made or {"periodic_schedule": {**times, "interval_second": str(seconds)}}
    return made, most


def cron_error(text: str) -> str:
    """What robfig/cron 1.x says of an expression of five or six fields, the first of which are seconds."""
    if not text:
        return "Empty spec string"
    if text.startswith("@"):
        every = re.fullmatch(r"@every (\d+(\.\d+)?(ns|us|ms|s|m|h))+", text)
        return "" if text in _DESCRIPTORS or every else f"Unrecognized descriptor: {text}"
    fields = text.split()
    if len(fields) not in (5, 6):
        return f"Expected 5 to 6 fields, found {len(fields)}: {text}"
    # With five fields robfig's parser takes the sixth, the day of the week, for `*`.
    for place, field in enumerate(fields):
        for part in field.split(","):
            if error := _part_error(part, place):
                return error
    return ""


def _part_error(part: str, place: int) -> str:
    found = re.fullmatch(r"(\*|\?|\w+)(?:-(\w+))?(?:/(\d+))?", part)
    if not found:
        return f"Failed to parse int from {part}: strconv.Atoi: parsing {part!r}: invalid syntax"
    for one in found.group(1, 2):
        if one in (None, "*", "?") or one.lower() in _NAMES.get(place, ()):
            continue
        if not one.isdigit():
            return f'Failed to parse int from {one}: strconv.Atoi: parsing "{one}": invalid syntax'
        if int(one) > _MOST[place]:
            return f"End of range ({one}) above maximum ({_MOST[place]}): {part}"
    return ""


def _create(kfp: Kfp, call: Call, body: dict[str, Any], trigger: dict[str, Any], most: int) -> Recurring:
    experiment, namespace = pair(
        kfp, body.get("experiment_id") or "", namespace_of(kfp, body.get("namespace")), "recurring run"
    )
    may(kfp, call, "create", "jobs", namespace, body["display_name"])
    reference = body.get("pipeline_version_reference") or {}
    config = body.get("runtime_config") or {}
    spec, pipeline, version = None, reference.get("pipeline_id") or "", reference.get("pipeline_version_id") or ""
    if version or body.get("pipeline_spec"):
        try:
            spec, pipeline, version = runs.source(kfp, body)
        except ApiError as error:
            raise internal(error, "Failed to create a recurring run with an invalid pipeline spec manifest") from error
        words = "Failed to create a recurring run during scheduled workflow creation: invalid pipeline job inputs"
    elif pipeline:
        words = "Failed to validate the input parameters on the latest pipeline version"
    else:
        raise ApiError(13, "Internal error: Cannot create a job with an empty pipeline ID", "Internal Server Error")
    try:
        specs.check_parameters(spec or kfp.latest(pipeline).spec, config.get("parameters") if config else None)
    except ApiError as error:
        raise error.wrapped(words) from error
    made = Recurring(
        body["display_name"],
        experiment,
        spec,
        trigger,
        body.get("mode") in ("ENABLE", 1),
        most,
        bool(body.get("no_catchup")),
        namespace or "kubeflow",
        pipeline,
        version,
        body.get("description") or "",
        {key: config[key] for key in ("parameters", "pipeline_root") if config.get(key)},
        body.get("service_account") or kfp.service_account,
    )
    kfp.recurring[made.id] = made
    return made


def _found(kfp: Kfp, call: Call, verb: str, words: str) -> Recurring:
    try:
        found = kfp.recurring.get(call.found["id"])
        if found is None:
            raise kfp.missing("Job", call.found["id"])
        may(kfp, call, verb, "jobs", found.namespace, found.name)
    except ApiError as error:
        raise error.wrapped(words) from error
    return found


def get(kfp: Kfp, call: Call) -> dict[str, Any]:
    return _found(kfp, call, "get", "Failed to fetch a recurring run").api()


def listed(kfp: Kfp, call: Call) -> dict[str, Any]:
    namespace, experiment = namespace_of(kfp, call.query.get("namespace")), call.query.get("experiment_id", "")
    try:
        if experiment:
            namespace = kfp.experiment(experiment).namespace
        may(kfp, call, "list", "jobs", namespace)
    except ApiError as error:
        raise error.wrapped("Failed to list jobs") from error
    rows = [
        one for one in kfp.recurring.values()
        if (one.experiment == experiment if experiment else not kfp.multi_user or one.namespace == namespace)
    ]  # fmt: skip
    try:
        found, total, token = kfp.page("Job", rows, Recurring.columns, call.query)
    except ApiError as error:
        raise error.wrapped("Failed to list recurring runs due to error parsing the listing options") from error
    return kfp.list_answer("recurringRuns", [one.api() for one in found], total, token)


def enable(kfp: Kfp, call: Call) -> dict[str, Any]:
    return _switch(kfp, call, True)


def disable(kfp: Kfp, call: Call) -> dict[str, Any]:
    return _switch(kfp, call, False)


def _switch(kfp: Kfp, call: Call, on: bool) -> dict[str, Any]:
    verb = "enable" if on else "disable"
    place = f"Failed to change recurring run's mode to enable:{str(on).lower()}. Check if recurring run {call.found['id']} exists"
    found = _found(kfp, call, verb, f"Failed to {verb} a recurring run: {place}")
    found.enabled, found.updated = on, now()
    return {}


def delete(kfp: Kfp, call: Call) -> dict[str, Any]:
    """Its runs stay."""
    words = f"Failed to delete a recurring run: Failed to delete recurring run {call.found['id']}. Check if exists"
    del kfp.recurring[_found(kfp, call, "delete", words).id]
    return {}


_BASE = "/apis/v2beta1/recurringruns"
ROUTES: list[Route] = [
    route("POST", _BASE, create),
    route("GET", _BASE, listed),
    route("GET", _BASE + "/{id}", get),
    route("POST", _BASE + "/{id}:enable", enable),
    route("POST", _BASE + "/{id}:disable", disable),
    route("DELETE", _BASE + "/{id}", delete),
]
