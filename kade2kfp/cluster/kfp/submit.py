"""A run, started once: also where the process is killed, or an answer lost, and the same is asked for again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kade2kfp.cluster.kfp import attempts
from kade2kfp.cluster.kfp.attempts import Attempt
from kade2kfp.cluster.kfp.client import Kfp, ask
from kade2kfp.cluster.kfp.errors import KfpError
from kade2kfp.cluster.kfp.upload import Submission, Uploaded, equals, id_of
from kade2kfp.diagnostics.cannot import CannotDoError

SETTLE = 15.0
"""Seconds that KFP may take to show a run that it was asked for."""
MARK = "kade2kfp submission"
_TRIES = 3
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Started:
    """A run. `resumed`: an earlier submit, which was cut off, had started it."""

    id: str
    name: str
    resumed: bool


@contextmanager
def started(
    kfp: Kfp, wanted: Submission, at: Uploaded, home: Path, tell: Callable[[str], None], settle: float = SETTLE
) -> Iterator[Started]:
    """One run of the version, started or found. A process that is killed before the block has ended, and the same submit
    repeated within an hour, have one run; so whatever tells the user of it belongs into the block.

    Args:
        kfp: where.
        wanted: what.
        at: what `upload` gave.
        home: the folder below which an attempt is kept until the block ends.
        tell: is called with a sentence for the user.
        settle: seconds that KFP may take to show a run that it was asked for.

    Raises:
        CannotDoError: KFP does not start it, or nobody knows whether it did; the same submit finds out then.
    """
    key = attempts.key_of(
        {
            # UUIDs, so they are of this KFP, whatever its address is.
            "at": [at.pipeline.id, at.version.id, at.experiment.id],
            "parameters": wanted.parameters,
            "run": wanted.run_name,
            "account": wanted.service_account,
        }
    )
    with ExitStack() as stack:
        with attempts.held(home, key) as path:
            attempt = attempts.read(path)
            if attempt is not None and attempts.lasts(path, attempt):
                attempt = None
            run = None
            if attempt is not None and _is_fresh(attempt, tell):
                run = _taken_up(kfp, at, attempt, tell, settle)
            else:
                attempt = attempts.begin(wanted.slug, wanted.run_name)
            if run is None:
                run = _ask_for(kfp, wanted, at, attempt, path, tell, settle)
            stack.enter_context(attempts.lasting(path, attempt))
        yield run


def _is_fresh(attempt: Attempt, tell: Callable[[str], None]) -> bool:
    if time.time() - attempt.asked <= attempts.FORGOTTEN:
        return True
    tell("an earlier submit of the same was cut off more than an hour ago: its run, if there is one, is left alone")
    return False


def _taken_up(kfp: Kfp, at: Uploaded, attempt: Attempt, tell: Callable[[str], None], settle: float) -> Started | None:
    """The run that an earlier submit has started before it was cut off."""
    age = max(time.time() - attempt.asked, 0.0)
    tell(f"an earlier submit of the same was cut off {age:.0f} s ago: looking whether it has started a run")
    found = _look(kfp, at, attempt, settle)
    tell(f"it has: {attempt.name}" if found else "it has not")
    return found


def _ask_for(
    kfp: Kfp,
    wanted: Submission,
    at: Uploaded,
    attempt: Attempt,
    path: Path,
    tell: Callable[[str], None],
    settle: float,
) -> Started:
    body = _run(wanted, at, attempt)
    for left in reversed(range(_TRIES)):
        attempt = replace(attempt, asked=time.time())
        attempts.write(path, attempt)
        try:
            answer = ask(
                kfp, "start a run", lambda client: client._run_api.run_service_create_run(run=body), again=False
            )
            found = Started(id_of(answer, "run_id", kfp), attempt.name, resumed=False)
        except KfpError as error:
            if error.undone:
                path.unlink(missing_ok=True)
                raise
            # KFP may have started it all the same.
            tell(f"{error}: looking whether the run was started")
            again = _look(kfp, at, attempt, settle)
            if again is None and left and error.passing:
                continue
            if again is None:
                help_ = f"{error.help}; submit it again then: whether there is a run, is looked for first"
                raise KfpError(str(error), help_, status=error.status) from None
            found = again
        return found
    raise CannotDoError("KFP does not start the run")


def _look(kfp: Kfp, at: Uploaded, attempt: Attempt, settle: float) -> Started | None:
    """The run of an attempt; looks again until KFP must show it."""
    pause = kfp.target.pause
    while True:
        late = time.time() - attempt.asked > settle
        answer = ask(
            kfp,
            "look for the run",
            lambda client: client._run_api.run_service_list_runs(
                experiment_id=at.experiment.id,
                filter=equals("display_name", attempt.name),
                sort_by="created_at desc",
                page_size=_PAGE,
            ),
        )
        for one in answer.get("runs") or ():
            if attempt.nonce in str(one.get("description")):
                return Started(str(one["run_id"]), attempt.name, resumed=True)
        if late:
            return None
        time.sleep(pause)
        pause = min(pause * 2, 3.0)


def _run(wanted: Submission, at: Uploaded, attempt: Attempt) -> dict[str, Any]:
    return {
        "display_name": attempt.name,
        "description": f"{MARK} {attempt.nonce}",
        "experiment_id": at.experiment.id,
        "pipeline_version_reference": {"pipeline_id": at.pipeline.id, "pipeline_version_id": at.version.id},
        "runtime_config": {"parameters": dict(wanted.parameters)},
        **({"service_account": wanted.service_account} if wanted.service_account else {}),
    }
