"""`execute`: run a compiled pipeline. See tests/README.md for what is as on a cluster, and what is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

from .dag import run_dag
from .expand import SERVICES, through_driver
from .inputs import converted
from .spec import load
from .state import Bound, Cluster, DriverError, Execution, Keys, Outcome, Run, Task


def execute(
    text: str,
    folder: Path,
    *,
    parameters: Mapping[str, Any] | None = None,
    user: int = 0,
    read_only: bool = False,
    secrets: Keys | None = None,
    config_maps: Keys | None = None,
    claims: Mapping[str, int] | None = None,
    retry_policy: str = "OnError",
    timeout: float = 60,
    at_once: int = 4,
    programs: Sequence[Bound] = (),
) -> Outcome:
    """Execute a compiled pipeline (the YAML's text) in `folder`, which every user must be able to enter.

    `user` is the image's, for steps whose security context names none; `read_only` makes the root file system so.
    Secrets and config maps are by name, then key; `claims` gives a claim's root its mode, and a claim not named there
    is made when a step mounts it. `retry_policy` is the cluster's default ("OnFailure" retries exit codes).
    A step is ended after `timeout` seconds; `at_once` steps run at a time. `programs` are folders that the image has
    besides; what is in their `bin` comes first. AssertionError for a pipeline that
    KFP, Argo or Kubernetes would refuse or garble.
    """
    spec = load(text)
    cluster = Cluster(
        folder,
        user,
        read_only,
        secrets or {},
        config_maps or {},
        retry_policy,
        timeout,
        BoundedSemaphore(at_once),
        programs,
    )
    folder.mkdir(parents=True, exist_ok=True)
    for name, mode in (claims or {}).items():
        cluster.claim(name).chmod(mode)
    if spec.workspace:
        assert spec.workspace.get("size"), "KFP: workspace size is required"
    run = Run(spec, cluster)
    root = Execution("root", "", spec.root, None, _parameters(spec.root, parameters or {}))
    succeeded = run_dag(run, root)
    return Outcome("succeeded" if succeeded else "failed", run.tasks, tuple(run.pods), folder)


def _parameters(root: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The run's parameters: given ones are an argument of the root driver; defaults are filled in by the compiler
    (argocompiler/argo.go, Compile). A parameter that is neither is refused by the API server."""
    defined = root.get("inputDefinitions", {}).get("parameters", {})
    unknown = sorted(set(given) - set(defined))
    assert not unknown, f"the pipeline has no parameters {unknown}"
    made = dict(through_driver(dict(given), SERVICES))
    for name, definition in defined.items():
        if name not in made and (definition.get("isOptional") or definition.get("defaultValue") is not None):
            made[name] = definition.get("defaultValue")
        assert name in made, f"the pipeline's parameter {name!r} has no value"
    typed = {name: one for name, one in defined.items() if made[name] is not None}
    try:
        assert converted(made, typed, set(), set()) == made, f"a parameter of another type: {made}"
    except DriverError as error:
        raise AssertionError(str(error)) from error
    return made


__all__ = ["Bound", "Outcome", "Task", "execute"]
