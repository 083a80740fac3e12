"""People at a gate: who looks what waits in a run that goes on, and leaves a decision by one of the three ways."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, TypeVar

from .expand import RUN_ID
from .machine import Outcome
from .pod import pod_name
from .volumes import project

T = TypeVar("T")
Way = Literal["config map", "claim", "pod"]
_PATIENCE = 20.0


def with_people(run: Callable[[], Outcome], *people: Callable[[], None]) -> Outcome:
    """The outcome of a run, while which people do something; what one of them fails at is raised."""
    with ThreadPoolExecutor(len(people)) as pool:
        at_work = [pool.submit(one) for one in people]
        done = run()
        for one in at_work:
            if error := one.exception():
                raise AssertionError(f"{error}: {dict(done.logs)}") from error
    return done


def opened(folder: Path, task: str) -> Path:
    """Waits until a task's gate is open: its /kade/run."""
    return until(lambda: next((state.parent for state in _states(folder, task)), None), f"{task} opens no gate")


def _states(folder: Path, task: str) -> list[Path]:
    return list(folder.glob(f"pods/{task}/0/volumes/kade2kfp-empty-*/state"))


def until(look: Callable[[], T | None], otherwise: str) -> T:
    """Looks until there is something."""
    end = time.monotonic() + _PATIENCE
    while (found := look()) is None:
        if time.monotonic() > end:
            raise AssertionError(otherwise)
        time.sleep(0.05)
    return found


def decide(
    folder: Path,
    task: str,
    word: str = "resume",
    way: Way = "config map",
    *,
    values: Mapping[str, str] | None = None,
    reason: str = "",
    by: str = "ada",
    uid: str = "",
) -> None:
    """Waits for the gate, and decides as the commands do; `uid` is of the pod that is meant, this task's by itself."""
    run = opened(folder, task)
    decision = f"{word} {uid or uid_of(task)}\n"
    said = {
        "by": f"{by}\n",
        "reason": f"{reason}\n",
        **{f"value-{name}": text for name, text in (values or {}).items()},
    }
    if way == "config map":
        keys = {f"{task}.{name}": text for name, text in (said | {"decision": decision}).items()}
        project(run.parent / RUN_ID, keys)
        return
    place = run
    if way == "claim":
        place = next((folder / "claims").glob(f"*/pipeline/*/{RUN_ID}/.gates/{task}"))
    for name, text in said.items():
        (place / name).write_text(text, encoding="utf-8")
    (place / ".decision").write_text(decision, encoding="utf-8")
    (place / ".decision").rename(place / "decision")


def uid_of(task: str) -> str:
    """The uid of a task's pod."""
    return f"uid-of-{pod_name(task)}"
