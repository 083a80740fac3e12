"""What the commands do with the services of runs on this machine (services.model.Services)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.local.choose import choose
from kade2kfp.local.folder import Run, all_runs
from kade2kfp.local.folder import find as find_run
from kade2kfp.local.logs import tail
from kade2kfp.local.services.client import KeeperError, NoKeeperError, Now, ask, ask_kept
from kade2kfp.local.services.find import find_serving, find_viewer
from kade2kfp.local.services.folders import (
    Record,
    drop,
    folders_in,
    is_kept,
    label,
    lock,
    present,
    read_record,
    servings,
)
from kade2kfp.services.model import Kind, ServiceView


@dataclass(frozen=True, slots=True)
class LocalServices:
    """See services.model.Services. A view's handle is its service's folder."""

    home: Path

    def all(self, kind: Kind, run: str | None = None) -> list[ServiceView]:
        """All services of a kind, the oldest first."""
        one = self._run(run) if run is not None else None
        if kind == "viewer":
            runs = [one] if one is not None else self._all()
            found = [each for every in runs for each in views(every.folder / "services")]
        else:
            found = [view for view in views(servings(self.home)) if one is None or _of(view, one)]
        return sorted((view for view in found if view.kind == kind), key=lambda view: view.since)

    def find(self, kind: Kind, run: str, task: str) -> ServiceView:
        """The service of a task; of a serving `task` may be empty where there is only one that is meant."""
        if kind == "viewer":
            found = self._run(run)
            return find_viewer(found, views(found.folder / "services"), task)
        try:
            wanted: Run | str = find_run(self.home, run)
        except OSError as error:
            raise _unreadable(error) from None
        return find_serving(self.all("serving"), run, wanted, task)

    def pause(self, view: ServiceView) -> str:
        """End its processes; its port answers 503."""
        _told(view, {"do": "pause"})
        return f"{_named(view)} is paused; {_url(view.port)} answers 503 until it is resumed"

    def resume(self, view: ServiceView) -> str:
        """Start it again; a serving is waited for, and kept again where nobody did any more."""
        folder = Path(view.handle)
        command = {"do": "resume", "same_port": True, "at_once": view.kind == "viewer"}
        if view.kind == "viewer" and not is_kept(folder):
            raise CannotDoError(
                f"{_named(view)} has ended with its run",
                f"`kade2kfp viewer open {view.run} {view.task}` starts it again",
            )
        now = _told(view, command, ask if view.kind == "viewer" else ask_kept)
        if now.problem:
            raise CannotDoError(f"{_named(view)} has been resumed, and does not run: {now.problem}", _log_help(view))
        return f"{_named(view)} runs at {_url(now.port)}" if now.state == "running" else f"{_named(view)} is starting"

    def delete(self, view: ServiceView) -> str:
        """End it and remove its folder; what it serves lies elsewhere, and stays."""
        folder = Path(view.handle)
        try:
            _told(view, {"do": "delete"})
        except CannotDoError:
            if is_kept(folder):
                raise
        try:
            held = _held(folder)
            if held and folder.exists():
                _clean(folder)
                drop(folder)
        except OSError as error:
            raise CannotDoError(f"cannot remove {folder}: {(error.strerror or str(error)).lower()}") from None
        if not held:
            return f"{_named(view)} is being deleted; its last connections have not ended yet"
        return f"{_named(view)} is deleted" + ("; its versions stay on the volume" if view.kind == "serving" else "")

    def rollback(self, view: ServiceView, version: str | None, seconds: float) -> str:
        """Let an earlier version of a serving take over."""
        now = _told(view, {"do": "rollback", "version": version, "seconds": seconds})
        return f"{_named(view)} answers by version {now.version} again, at {_url(now.port)}"

    @contextmanager
    def reach(self, view: ServiceView, local: int | None = None) -> Iterator[int]:
        """The port itself: it is one of this machine's."""
        if view.state in ("paused", "stopped"):
            verb = f"kade2kfp {view.kind} {'resume' if view.state == 'paused' or view.kind == 'serving' else 'open'}"
            raise CannotDoError(f"{_named(view)} is {view.state}", f"to start it: {verb} {view.run} {view.task}")
        if local is not None and local != view.port:
            raise CannotDoError(f"{_named(view)} is at port {view.port} of this machine, and cannot be at another")
        yield view.port

    def log(self, view: ServiceView, lines: int) -> Sequence[str]:
        """The last lines of its box's log."""
        record = present(Path(view.handle))
        return tail(Path(view.handle) / record.log, lines) if record and record.log else ()

    def _run(self, wanted: str) -> Run:
        try:
            found = find_run(self.home, wanted)
        except OSError as error:
            raise _unreadable(error) from None
        if isinstance(found, str):
            raise CannotDoError(found)
        return found

    def _all(self) -> list[Run]:
        try:
            return all_runs(self.home)
        except OSError as error:
            raise _unreadable(error) from None


def views(place: Path) -> list[ServiceView]:
    """The services whose folders lie at a place."""
    found = ((folder, present(folder)) for folder in folders_in(place))
    return [view_of(folder, record) for folder, record in found if record is not None]


def view_of(folder: Path, record: Record) -> ServiceView:
    """A service as the commands see it."""
    version, about = record.version, record.version.about
    return ServiceView(
        about.kind,
        about.run,
        about.pipeline,
        about.task,
        about.step,
        about.name,
        record.state,
        record.port,
        "" if record.state == "stopped" or not record.port else _url(record.port),
        record.since,
        version=version.name if about.kind == "serving" else "",
        versions=tuple(one.name for one in record.versions if one.name != version.name),
        problem=record.problem,
        handle=str(folder),
    )


def _of(view: ServiceView, run: Run) -> bool:
    return view.run == run.name


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _named(view: ServiceView) -> str:
    return f"'{view.task}'" if view.kind == "viewer" else f"'{view.name}'"


def _log_help(view: ServiceView) -> str:
    record = present(Path(view.handle))
    return f"its log: {Path(view.handle) / record.log}" if record and record.log else ""


def _unreadable(error: OSError) -> CannotDoError:
    return CannotDoError(f"cannot read {error.filename}: {(error.strerror or str(error)).lower()}")


def _told(view: ServiceView, command: dict[str, Any], how: Callable[[Path, dict[str, Any]], Now] = ask) -> Now:
    """Give the keeper of a service a command. Raises CannotDoError."""
    try:
        return how(Path(view.handle), command)
    except KeeperError as error:
        text = str(error)
        if error.answers and command["do"] == "rollback":
            text = f"{text}; version {error.answers} still answers"
        raise CannotDoError(f"{_named(view)}: {text}", error.help) from None
    except OSError as error:
        raise CannotDoError(f"{_named(view)}: this machine failed: {(error.strerror or str(error)).lower()}") from None
    except NoKeeperError:
        help_ = "" if view.kind == "viewer" else f"`kade2kfp serving resume {view.run} {view.task}` starts it again"
        raise CannotDoError(f"nobody keeps {_named(view)} any more: it is stopped", help_) from None


def _clean(folder: Path) -> None:
    """Remove the containers that a keeper has left which was killed. Raises OSError."""
    record = read_record(folder)
    for name in {version.engine for version in record.versions} - {"process"} if record else ():
        engine = choose(name)
        if not isinstance(engine, Diagnostic):
            engine.of_run(label(folder)).clean()


def _held(folder: Path) -> bool:
    """Wait for the end of a keeper that is ending, and hold the folder from then on; whether that came soon enough.

    Its processes have some seconds for their end. The lock goes with this process.
    """
    until = time.monotonic() + 15
    while time.monotonic() < until:
        if not folder.exists():
            return True
        try:
            if lock(folder) is not None:
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False
