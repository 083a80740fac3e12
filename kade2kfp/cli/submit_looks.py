"""What `submit` looks at before it makes anything: what is there already, and whether what pods name exists."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from kade2kfp.cli.kfp import Place
from kade2kfp.cli.streams import out, say
from kade2kfp.cli.submission import Content
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.diagnostics.escape import terminal

if TYPE_CHECKING:
    from kade2kfp.cluster.kfp.client import Kfp
    from kade2kfp.cluster.kfp.needs import Looked
    from kade2kfp.cluster.kfp.schedule import Timing
    from kade2kfp.cluster.kfp.upload import Submission


def say_what_would_be(
    kfp: Kfp, place: Place, found: Content, wanted: Submission, timing: Timing | None, output: Literal["text", "json"]
) -> int:
    """Say what is there and what would be made; 1 where something is missing that the run needs."""
    from kade2kfp.cluster.kfp.upload import find_experiment, find_pipeline, find_version

    pipeline = find_pipeline(kfp, wanted.slug)
    version = find_version(kfp, pipeline, wanted.version) if pipeline else None
    experiment = find_experiment(kfp, wanted.experiment)
    rows = [
        ("pipeline", wanted.slug, pipeline),
        ("version", wanted.version, version),
        ("experiment", wanted.experiment, experiment),
    ]
    report: dict[str, Any] = {"dryRun": True, "kfp": kfp.version, "namespace": kfp.namespace}
    lines = []
    for what, name, id_ in rows:
        report[what] = {"name": name, "id": id_, "new": id_ is None}
        lines.append(f"{what} {name}: {'is there' if id_ else 'would be made'}")
    if timing is None:
        lines.append(f"run {wanted.run_name or '(named by the pipeline and the time)'}: would be started")
    else:
        state = _schedule_state(kfp, wanted, timing, pipeline, version, experiment)
        report["schedule"] = {"name": wanted.run_name or wanted.slug, **when(timing), "done": state}
        lines.append(f"schedule {wanted.run_name or wanted.slug} ({said(timing)}): would be {state}")
    report["parameters"] = dict(wanted.parameters)
    lines += [f"parameter {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in wanted.parameters.items()]
    try:
        looked = _look(place, kfp, found, wanted)
    except CannotDoError as error:
        looked = []
        report["needsProblem"] = str(error)
        lines.append(f"whether claims, secrets and config maps exist, is not known: {error}")
    report["needs"] = [
        {"need": str(one.need), "state": one.state, "reason": one.reason, "tasks": list(one.tasks)} for one in looked
    ]
    words = {"there": "is there", "missing": "is MISSING", "unknown": "is not known"}
    lines += [f"{_needed(one)}: {words[one.state]}".removeprefix("the ") for one in looked]
    out(json.dumps(report, indent=2) + "\n" if output == "json" else "".join(f"{terminal(one)}\n" for one in lines))
    return 1 if any(one.state == "missing" for one in looked) else 0


def check_needs(kfp: Kfp, place: Place, found: Content, wanted: Submission) -> None:
    """Looks for what pods name, where the Kubernetes below KFP is known for certain.

    Raises CannotDoError where something is missing: the run would wait for it for ever.
    """
    target = kfp.target
    if not (target.forward or target.kube_context or "KUBERNETES_SERVICE_HOST" in os.environ):
        return
    try:
        looked = _look(place, kfp, found, wanted)
    except CannotDoError as error:
        say(f"note: whether claims and secrets exist was not looked for: {terminal(str(error))}")
        return
    if missing := [one for one in looked if one.state == "missing"]:
        raise CannotDoError(
            "; ".join(_needed(one) for one in missing),
            "the run would wait for ever; --no-check submits it all the same",
        )


def _schedule_state(
    kfp: Kfp, wanted: Submission, timing: Timing, pipeline: str | None, version: str | None, experiment: str | None
) -> str:
    from kade2kfp.cluster.kfp.schedule import body_of, find, is_equal, mine
    from kade2kfp.cluster.kfp.upload import Thing, Uploaded

    name = wanted.run_name or wanted.slug
    there = mine(find(kfp, name), name)
    if not there:
        return "made"
    at = Uploaded(*(Thing(one or "", made=False) for one in (pipeline, version, experiment)))
    return "kept" if any(is_equal(one, body_of(wanted, at, timing)) for one in there) else "replaced"


def _look(place: Place, kfp: Kfp, found: Content, wanted: Submission) -> list[Looked]:
    from kade2kfp.cluster.kfp.needs import look
    from kade2kfp.plan.needs import Need, needs_of

    needs = needs_of(found.plan, found.parameters)
    if wanted.service_account:
        needs |= {Need("serviceaccounts", wanted.service_account): ()}
    cluster = place.kubernetes()
    return look(replace(cluster, namespace=kfp.namespace or cluster.namespace), needs) if needs else []


def _needed(one: Looked) -> str:
    tasks = f" (of {', '.join(one.tasks)})" if one.tasks else ""
    return f"the {one.need}{tasks}: {one.reason}" if one.reason else f"the {one.need}{tasks}"


def when(timing: Timing) -> dict[str, Any]:
    """The times of a schedule, as JSON."""
    when: Mapping[str, Any] = {"cron": timing.cron} if timing.cron else {"everySeconds": timing.every}
    return {**when, "catchup": timing.catchup, "maxConcurrency": timing.max_concurrency}


def said(timing: Timing) -> str:
    """The times of a schedule, for people."""
    return terminal(timing.cron) if timing.cron else f"every {timing.every} s"
