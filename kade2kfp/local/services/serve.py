"""What the runner does for a step that leaves a serving running: its new version takes over, or the step fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from kade2kfp.local.boxes import CannotRunError
from kade2kfp.local.folder import safe_name
from kade2kfp.local.services.client import KeeperError, TakenBackError, ask_kept
from kade2kfp.local.services.folders import folders_in, present, servings
from kade2kfp.local.services.make import Material, version_of_step, with_python
from kade2kfp.local.services.version import Version, wire
from kade2kfp.local.state import Failure, StepState

NOT_READY, PORT_TAKEN = "K726", "K727"


class ServiceFailedError(Exception):
    """A service could not be brought to run; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def serving_folder(home: Path, name: str) -> Path:
    """Where a serving lies."""
    return servings(home) / safe_name(name)


def kept_versions(home: Path, name: str) -> tuple[str, ...]:
    """The versions that a serving can go back to, whose files must stay."""
    record = present(serving_folder(home, name))
    return tuple(one.name for one in record.versions) if record else ()


def url(port: int) -> str:
    """Where a service is reached from this machine."""
    return f"http://127.0.0.1:{port}"


def served(
    of: Material,
    name: str,
    state: StepState,
    python: Path | None,
    cancelled: threading.Event,
    report: Callable[[StepState], None],
) -> StepState:
    """Let version `name` of a serving take over from the one before.

    Args:
        of: the step, whose own command has succeeded.
        name: the version's name.
        state: the step's state, with what its command has left.
        python: the environment of its packages, for engines without images.
        cancelled: the new version is given up when it is set.
        report: told that it is waited for.

    Returns:
        the step's state when the new version answers, or it was cancelled.

    Raises:
        ServiceFailedError: it did not take over. What answered before goes on.
        OSError: the machine failed.
    """
    report(replace(state, status="running", ended=None, note=f"waiting until version {name} is ready"))
    folder = serving_folder(of.home, of.service.name)
    log = of.ground.folder / "logs" / safe_name(of.step.name) / "server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    try:
        version = with_python(version_of_step(of, name), python)
        command = deploy_command(version, of.wanted, paused=of.paused, log=log)
        now = ask_kept(folder, command, cancelled=cancelled)
    except CannotRunError as error:
        raise ServiceFailedError(Failure(error.code, str(error), error.help)) from None
    except KeeperError as error:
        raise ServiceFailedError(_failure(error, of, name, log)) from None
    except TakenBackError:
        return replace(state, status="cancelled", ended=time.time())
    outputs = {**state.outputs, "url": url(now.port), "version": now.version}
    return replace(state, status="succeeded", ended=time.time(), outputs=outputs, note=_note(now.port, of))


def _note(port: int, of: Material) -> str:
    return f"{url(port)} is paused: `replicas` is 0" if of.paused else url(port)


def deploy_command(
    version: Version, wanted: int | None, *, paused: bool = False, log: Path | None = None
) -> dict[str, Any]:
    """The command to deploy a version; `log` is where the log of one that fails is copied to."""
    return {
        "do": "deploy",
        "version": wire(version),
        "wanted": wanted,
        "paused": paused,
        "log": str(log) if log else None,
    }


def _failure(error: KeeperError, of: Material, name: str, log: Path) -> Failure:
    if error.code == PORT_TAKEN:
        help_ = "free it, or leave `port` out of the document: any free port serves then"
        owner = _owner(of)
        message = f"{error}: the serving {owner} has it" if owner else str(error)
        return Failure(PORT_TAKEN, f"{message}; {_still(error)}", help_)
    help_ = error.help or (f"all that it printed: {log}" if log.exists() else "")
    return Failure(NOT_READY, f"version {name} did not take over: {error}; {_still(error)}", help_, error.tail)


def _still(error: KeeperError) -> str:
    return f"version {error.answers} still answers" if error.answers else "no version answers"


def _owner(of: Material) -> str:
    """The other serving that has the port which was wanted."""
    for folder in folders_in(servings(of.home)):
        record = present(folder)
        if record and record.state != "stopped" and record.port == of.wanted:
            return record.version.about.name
    return ""
