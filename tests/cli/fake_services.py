"""Services in memory, in the place of a machine's or a cluster's, for what the commands say and do."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.services.model import Kind, Services, ServiceView

NOW = 1_760_000_000.0


def service(kind: Kind = "serving", task: str = "endpoint", **more: Any) -> ServiceView:
    """One that runs."""
    fields: dict[str, Any] = {"run": "iris-1", "pipeline": "iris", "step": task, "name": f"iris-{task}", "port": 3000}
    fields |= {"state": "running", "since": NOW, "url": "http://127.0.0.1:3000/", "kind": kind, "task": task}
    return ServiceView(**(fields | more))


@dataclass
class Fake:
    """Implements Services. `port` is where each is reached; `next` are the states that one look after the other finds."""

    views: list[ServiceView] = field(default_factory=list)
    port: int = 3000
    error: CannotDoError | None = None
    done: list[tuple[Any, ...]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    next: list[dict[str, Any]] = field(default_factory=list)

    def all(self, kind: Kind, run: str | None = None) -> Sequence[ServiceView]:
        self._fail()
        return [one for one in self.views if one.kind == kind and run in (None, one.run, "last")]

    def find(self, kind: Kind, run: str, task: str) -> ServiceView:
        self._fail()
        for one in self.views:
            if one.kind == kind and run in (one.run, one.pipeline, "last") and task in (one.task, one.step, one.name):
                now = self.next.pop(0) if self.next else {}
                if "gone" in now:
                    raise CannotDoError(now["gone"])
                return replace(one, **now)
        raise CannotDoError(f"{run} has no {kind} '{task}'", "did you mean `endpoint`?")

    def pause(self, view: ServiceView) -> str:
        return self._do("pause", view)

    def resume(self, view: ServiceView) -> str:
        return self._do("resume", view)

    def delete(self, view: ServiceView) -> str:
        return self._do("delete", view)

    def rollback(self, view: ServiceView, version: str | None, seconds: float) -> str:
        return self._do("rollback", view, version, seconds)

    @contextmanager
    def reach(self, view: ServiceView, local: int | None = None) -> Iterator[int]:
        self._fail()
        self.done.append(("reach", view.task, local))
        yield self.port

    def log(self, view: ServiceView, lines: int) -> Sequence[str]:
        self._fail()
        return self.lines[-lines:]

    def _do(self, verb: str, view: ServiceView, *more: Any) -> str:
        self._fail()
        self.done.append((verb, view.task, *more))
        return f"'{view.task}' \x1b: {verb}"

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error


def main(services: Services) -> None:
    """The command line with these services, in a process of its own."""
    from kade2kfp import cli
    from kade2kfp.cli import services as shared

    shared.services_of = lambda where: services
    cli.main(sys.argv[1:])
