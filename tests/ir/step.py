"""A container task and an importer: from resolved inputs to what KFP would record of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import inputs, platform, sandbox
from .executor import executor_input, needs_workspace, of_field, resolved, resources
from .expand import RUN_NAME
from .pod import add_workspace, patch
from .pod import importer as importer_pod
from .pod import step as step_pod
from .state import DriverError, Execution, Run, Task, tell_dags
from .texts import workspace_path
from .volumes import NotStartedError

_PVC = "KFP's own claim operations are not part of this machine"


def step(run: Run, made: Execution, task: Mapping[str, Any]) -> Task:
    """Run a container task, and again as often as its retry policy lets Argo; its execution is filled."""
    container = run.spec.executors[made.component["executorLabel"]]["container"]
    assert container["image"] not in ("argostub/createpvc", "argostub/deletepvc"), _PVC
    given, spec = _driver(run, made, task, container)
    retry = task.get("retryPolicy")
    # The template has Argo's default policy (argocompiler/container.go, getTaskRetryStrategyFromInput), which the shipped
    # manifests set to OnError: an exit code is no error, so the step is not tried again.
    tries = 1 + int(retry.get("maxRetryCount", 0)) if retry and run.cluster.retry_policy != "OnError" else 1
    metadata = run.spec.pod_metadata.get(made.component["executorLabel"], {})
    for attempt in range(tries):
        pod = step_pod(made.path, attempt if retry else None, spec, metadata)
        run.pods.append((made.path, pod))
        home = run.cluster.folder / "pods" / made.path.replace("/", "--") / str(attempt)
        report, log, error = _attempt(run, pod, home)
        if not error:
            break
    made.state = "FAILED" if error else "COMPLETE"
    if not error:
        made.out_parameters = report["parameters"]
        made.out_artifacts = report["artifacts"]
    tell_dags(made.parent)
    stored = {key: _stored(run, one["uri"]) for key, one in report["artifacts"].items()}
    return Task(
        made.path,
        "failed" if error else "succeeded",
        report["code"],
        log,
        made.out_parameters,
        stored,
        {key: one.get("metadata", {}) for key, one in report["artifacts"].items()},
        pod,
        attempt + 1,
        bool(task.get("cachingOptions", {}).get("enableCache")),
        given["inputs"]["parameterValues"],
    )


def _driver(
    run: Run, made: Execution, task: Mapping[str, Any], container: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The executor input and the pod spec patch (driver/container.go, Container)."""
    assert made.parent is not None
    parameters = made.parameters
    given = executor_input(run.spec.name, made.name, made.path, made.component, parameters, made.artifacts)
    args = [*resolved(container.get("command", []), parameters), *resolved(container.get("args", []), parameters)]
    spec = patch(run.spec.name, given, made.component, args, of_field(container["image"], parameters))
    main = spec["containers"][0]
    main["env"] = [{"name": one["name"], "value": one.get("value", "")} for one in container.get("env", [])]
    main["resources"] = resources(container.get("resources", {}), parameters)
    if needs_workspace(parameters, made.artifacts):
        assert run.spec.workspace, f"{made.path!r} has the workspace's path, and the pipeline has no workspace"
        add_workspace(spec)
    dag = made.parent
    config = run.spec.platform.get(made.component["executorLabel"], {})
    platform.extend(spec, config, lambda source: inputs.parameter(source, task, made.name, dag)[0])
    return given, spec


def _attempt(run: Run, pod: Mapping[str, Any], home: Path) -> tuple[dict[str, Any], str, bool]:
    """One pod: the launcher's report, the log, and whether it failed."""
    nothing: dict[str, Any] = {"code": None, "parameters": {}, "artifacts": {}, "error": None}
    try:
        with run.cluster.slots:
            ended = sandbox.run(pod, home, run.cluster)
    except NotStartedError as error:
        return nothing, f"pod: {error}\n", True
    file = home / "volumes/kfp-launcher/report.json"
    report = json.loads(file.read_text()) if file.exists() else nothing
    return report, ended.log, ended.code != 0


def _stored(run: Run, uri: str) -> Path:
    return run.cluster.bucket / uri.partition("://")[2]


def importer(
    run: Run, dag: Execution, name: str, task: Mapping[str, Any], component: Mapping[str, Any], path: str
) -> Task:
    """An importer: the artifact is what its URI says, nothing is looked for or copied (component/importer_launcher.go)."""
    spec = run.spec.executors[component["executorLabel"]]["importer"]
    assert not task.get("triggerPolicy", {}).get("condition"), "KFP: a condition on an importer is not supported"
    uri = spec["artifactUri"].get("constant")
    if uri is None:
        source = task["inputs"]["parameters"][spec["artifactUri"]["runtimeParameter"]]
        key = source.get("componentInputParameter")
        # A constant or a task's output is not looked at: only parameters of the DAG are.
        uri = dag.parameters.get(key)
    if not isinstance(uri, str) or not uri:
        raise DriverError(f"importer {name!r}: no artifact URI")
    if uri.partition("://")[0] not in ("s3", "gs", "minio"):
        raise DriverError(f"importer {name!r}: no provider scheme found in artifact URI: {uri}")
    (key,) = component["outputDefinitions"]["artifacts"]
    kind = component["outputDefinitions"]["artifacts"][key].get("artifactType", {})
    metadata = dict(spec.get("metadata", {}))
    in_workspace = bool(spec.get("downloadToWorkspace"))
    if in_workspace:
        _into_workspace(run, uri)
        metadata["_kfp_workspace"] = True
    pod = importer_pod(path, ["--executor_type", "importer"], in_workspace)
    run.pods.append((path, pod))
    artifact = {"name": key, "uri": uri, "type": dict(kind), "metadata": metadata}
    made = Execution(name, path, component, dag, state="COMPLETE", out_artifacts={key: artifact})
    dag.children[name] = made
    cached = bool(task.get("cachingOptions", {}).get("enableCache"))
    stored = {key: _stored(run, uri)}
    return Task(path, "succeeded", 0, "", {}, stored, {key: metadata}, pod, 1, cached, {"uri": uri})


def _into_workspace(run: Run, uri: str) -> None:
    """Copy an artifact into the run's workspace, as the importer does before any step."""
    source = _stored(run, uri)
    workspace = run.cluster.claim(f"{RUN_NAME}-kfp-workspace")
    target = workspace / workspace_path(uri).removeprefix("/kfp-workspace/")
    for file in [source] if source.is_file() else sorted(one for one in source.rglob("*") if one.is_file()):
        here = target if file == source else target / file.relative_to(source)
        here.parent.mkdir(parents=True, exist_ok=True)
        here.write_bytes(file.read_bytes())
