"""`serve`: a KFP to talk to. What it holds, what was asked of it, and hooks for tests."""

from __future__ import annotations

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from . import kube, lists, made, runs, specs
from .engine import Engine, ready
from .errors import ApiError, missing
from .facts import Facts
from .s3 import Store
from .store import FINAL, Experiment, Pipeline, Recurring, Run, Version, now, stamp

T = TypeVar("T")
TOKEN = "kfp-token-5b1f0e"
_DEFAULT = "All runs created without specifying an experiment will be grouped here."


@dataclass(frozen=True)
class Request:
    """A request that was answered. `at` is time.monotonic() when it came; sizes are of the bodies, in bytes."""

    method: str
    path: str
    query: str
    at: float
    status: int
    received: int
    sent: int

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class Kfp:
    """A KFP: its rows, its options (see `serve`), and what was asked."""

    folder: Path
    auth: Literal["none", "token", "dex"] = "none"
    users: dict[str, str] = field(default_factory=lambda: {TOKEN: "alice@example.com"})
    multi_user: bool = False
    namespaces: dict[str, Sequence[str]] = field(default_factory=lambda: {"alice@example.com": ("team-a",)})
    version_tag: str = "2.17.0"
    service_account: str = "pipeline-runner"
    page_limit: int = 200
    slow: float | Callable[[str], float] = 0.0
    keys: dict[str, str] = field(default_factory=lambda: {"minio": "minio123"})
    archives: bool = True
    execute: bool = True
    machine: dict[str, Any] = field(default_factory=dict)
    default_retry: bool = True
    listed_details: bool = True
    started: Callable[[Run], None] | None = None
    pod_made: Callable[[Run, str, Mapping[str, Any]], None] | None = None
    pod_ended: Callable[[Run, str, Mapping[str, Any], bool], None] | None = None

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.stopped = threading.Event()
        self.requests: list[Request] = []
        self.pipelines: dict[str, Pipeline] = {}
        self.versions: dict[str, Version] = {}
        self.experiments: dict[str, Experiment] = {}
        self.runs: dict[str, Run] = {}
        self.recurring: dict[str, Recurring] = {}
        self.gone: set[str] = set()  # runs whose pods Kubernetes has deleted
        self.default_experiment = ""
        if not self.multi_user:
            default = Experiment("Default", _DEFAULT, created=now() - 86400)
            self.experiments[default.id] = default
            self.default_experiment = default.id
        self.engine = Engine(self)
        self.bucket = self.folder / "bucket"
        self.bucket.mkdir(parents=True, exist_ok=True)
        self.bucket.chmod(0o777)
        self.store = Store(self.bucket, self.keys)
        self.s3 = f"127.0.0.1:{self.store.server_port}"
        self.url = ""

    # What the handlers need.

    def page(
        self, kind: str, rows: Sequence[T], columns: Callable[[T], Mapping[str, Any]], query: Mapping[str, str]
    ) -> Any:
        return lists.page(kind, rows, columns, query, self.page_limit)

    @staticmethod
    def list_answer(name: str, rows: list[dict[str, Any]], total: int, token: str) -> dict[str, Any]:
        made: dict[str, Any] = {name: rows} if rows else {}
        return made | ({"total_size": total} if total else {}) | ({"next_page_token": token} if token else {})

    missing = staticmethod(missing)

    def pipeline(self, id_: str) -> Pipeline:
        if id_ not in self.pipelines:
            raise missing("Pipeline", id_)
        return self.pipelines[id_]

    def version(self, id_: str) -> Version:
        if id_ not in self.versions:
            raise missing("PipelineVersion", id_)
        return self.versions[id_]

    def latest(self, pipeline: str) -> Version:
        self.pipeline(pipeline)
        mine = [one for one in self.versions.values() if one.pipeline == pipeline]
        if not mine:
            raise missing("PipelineVersion", pipeline)
        return max(mine, key=lambda one: one.order)

    def experiment(self, id_: str) -> Experiment:
        if id_ not in self.experiments:
            raise missing("Experiment", id_)
        return self.experiments[id_]

    def run(self, id_: str) -> Run:
        """A run by its id; ApiError where there is none."""
        if id_ not in self.runs:
            raise missing("Run", id_)
        return self.runs[id_]

    def start(self, run: Run) -> None:
        self.runs[run.id] = run
        self.experiments[run.experiment].last_run = run.created
        if self.started:
            self.started(run)
        if self.execute:
            self.engine.start(run)

    def terminate(self, run: Run) -> None:
        self.engine.terminate(run)

    def retry(self, run: Run) -> None:
        self.engine.retry(run)

    def abandon(self, run: Run) -> None:
        self.engine.abandon(run)

    def manifest(self, run: Run) -> str:
        return self.engine.manifest(run)

    def task_details(self, run: Run) -> list[dict[str, Any]]:
        return self.engine.task_details(run)

    def counted(self, method: str, path: str, query: str, at: float, status: int, received: int, sent: int) -> None:
        self.requests.append(Request(method, path, query, at, status, received, sent))

    # For tests.

    @property
    def bytes_sent(self) -> int:
        """The bytes of all answers' bodies."""
        return sum(one.sent for one in self.requests)

    def asked(self, part: str = "") -> list[Request]:
        """The requests so far whose `METHOD /path` has this in it."""
        return [one for one in list(self.requests) if part in str(one)]

    def counts(self) -> Counter[str]:
        """How often each `METHOD /path` was asked."""
        return Counter(str(one) for one in list(self.requests))

    def most(self, part: str = "", seconds: float = 1.0) -> int:
        """How many such requests came within any one span of so many seconds."""
        times = [one.at for one in self.asked(part)]
        return max((sum(start <= at < start + seconds for at in times) for start in times), default=0)

    def end(self, run_id: str, state: str) -> None:
        """Say by hand how a run goes on, where it is not executed."""
        run = self.run(run_id)
        run.moved(state)
        run.finished = now() if state in FINAL else 0

    def wait(self, run_id: str, *states: str, seconds: float = 30) -> Run:
        """Wait until a run is in one of these states, by itself any final one."""
        until = time.monotonic() + seconds
        while self.run(run_id).state not in (states or FINAL):
            if time.monotonic() > until:
                raise AssertionError(f"the run is {self.run(run_id).state}: {self.engine.told(self.run(run_id))}")
            time.sleep(0.02)
        return self.run(run_id)

    def fire(self, recurring_id: str) -> Run | None:
        """What the controller does when a recurring run's time has come: a run, or none where it is disabled, or as many
        of its runs as `max_concurrency` are still going on."""
        with self.lock:
            found = self.recurring[recurring_id]
            going = [one for one in self.runs.values() if one.recurring == found.id and one.state not in FINAL]
            if not found.enabled or len(going) >= found.max_concurrency:
                return None
            found.fired += 1
            body = {"display_name": f"{found.name}-{found.fired}", "runtime_config": found.config}
            spec = found.spec or self.latest(found.pipeline).spec
            run = runs.prepare(self, spec, body, found.experiment, found.namespace if self.multi_user else "")
            run.recurring, run.pipeline, run.version = found.id, found.pipeline, found.version
            self.start(run)
            return run

    def made_runs(self, count: int, text: str, state: str = "SUCCEEDED") -> list[Run]:
        """Runs that were never executed, a minute between each and the next, the last one now."""
        spec = specs.read(text)
        rows = []
        for index in range(count):
            created = now() - 60 * (count - 1 - index)
            history = [
                {"update_time": stamp(created), "state": one} for one in dict.fromkeys(("PENDING", "RUNNING", state))
            ]
            run = Run(
                f"run {index + 1}",
                self.default_experiment or next(iter(self.experiments)),
                spec,
                runs.workflow_name(spec),
                created=created,
                finished=created + 45 if state in FINAL else 0,
                state=state,
                history=history,
            )
            self.runs[run.id] = run
            rows.append(run)
        return rows

    def join(self, api: Any) -> None:
        """Give the pods of runs to a fake Kubernetes API; see kube.join."""
        kube.join(self, api)

    def decide(self, run_id: str, task: str, word: str = "resume", **said: Any) -> None:
        """Decide at a gate; see kube.decide."""
        kube.decide(self, run_id, task, word, **said)

    def pretend(self, run: Run, **how: Any) -> None:
        """Make a run look as if it had come so far; see made.pretend."""
        made.pretend(self, run, **how)

    def told(self, run_id: str) -> Facts:
        """What the engine knows of a run: `tasks` by path, with `state`, `log`, `exit_code`, `parameters`, `artifacts`."""
        return self.engine.executions[run_id].facts

    def stop(self) -> None:
        self.stopped.set()
        self.engine.stop()
        self.store.shutdown()
        self.store.server_close()


@contextmanager
def serve(folder: Path | None = None, **options: Any) -> Iterator[Kfp]:
    """A KFP at `.url` until the block ends; `options` are Kfp's fields. `folder` keeps a folder for each run, which all
    users must be able to enter; a temporary one by itself."""
    from .server import Server

    with tempfile.TemporaryDirectory(prefix="kfp-") as own:
        Path(own).chmod(0o755)
        kfp = Kfp(folder or Path(own), **options)
        if kfp.execute:
            ready()
        server = Server(kfp)
        kfp.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield kfp
        finally:
            kfp.stop()
            server.shutdown()
            server.server_close()


__all__ = ["ApiError", "Kfp", "Request", "Run", "serve"]
