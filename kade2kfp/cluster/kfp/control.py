"""What is done to runs of a KFP: stopped, gone on with, started again."""

from __future__ import annotations

from kade2kfp.cluster.errors import RefusedError
from kade2kfp.cluster.kfp.client import Kfp, ask
from kade2kfp.cluster.kfp.runs import Found, is_stopping, run_of, status_of


def terminate(kfp: Kfp, found: Found) -> None:
    """Tell KFP to stop a run; one that is being stopped or has ended meanwhile stays so. Raises CannotDoError."""
    try:
        ask(kfp, f"stop run {found.name}", lambda client: client._run_api.run_service_terminate_run(found.id))
    except RefusedError as error:
        # KFP finds no row to change then (storage/run_store.go, TerminateRun).
        if error.status not in (400, 500) or not _no_more(kfp, found):
            raise


def _no_more(kfp: Kfp, found: Found) -> bool:
    said = run_of(kfp, found.id).said
    return status_of(said) != "running" or is_stopping(said)


def retry(kfp: Kfp, found: Found) -> None:
    """Let KFP go on with a run that failed or was stopped: in the same run, with what has succeeded. Raises CannotDoError."""
    what = f"go on with run {found.name}"
    try:
        ask(kfp, what, lambda client: client._run_api.run_service_retry_run(found.id), again=False)
    except RefusedError as error:
        # The answer may be lost of what was done.
        if not (error.passing or error.status == 0) or status_of(run_of(kfp, found.id).said) != "running":
            raise


def again(kfp: Kfp, found: Found, name: str) -> Found:
    """Start the same version of a pipeline once more with the same parameters, as a new run. Raises CannotDoError.

    Its description is not taken along: `submit` knows its own run by it. It is asked for once: where the answer is lost there may be a run, which `name` finds.
    """
    kept = ("experiment_id", "pipeline_version_reference", "pipeline_spec", "runtime_config", "service_account")
    body = {key: found.said[key] for key in kept if found.said.get(key)} | {"display_name": name}
    what = f"start {name}"
    return Found(ask(kfp, what, lambda client: client._run_api.run_service_create_run(body), again=False))
