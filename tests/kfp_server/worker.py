"""One run on the IR machine, in a process of its own: the machine's run id and name are constants, so each run needs its
own; and a process is what can be ended. Its argument is a job, a file of JSON; it reads commands as lines, and writes what
happens as lines of JSON.

The machine itself is left as it is. What it does is seen where it does it: a list and a dict that tell, and three
functions with something around them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(1, str(Path(__file__).parent))
from names import Names

_GRACE = 0.75  # what a container has between TERM and KILL when Argo stops a run
LOG = "main.log"  # beside a pod's volumes
_said = threading.Lock()


def tell(event: str, **facts: Any) -> None:
    with _said:
        print(json.dumps({"event": event, **facts}, default=str), flush=True)


class Stop:
    """Whether the run is to stop, and the containers that are running, by task."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.wanted = threading.Event()
        self.running: dict[str, Any] = {}
        self.lock = threading.Lock()

    def holds(self, path: str) -> bool:
        """Whether a task must not run any more: exit tasks do."""
        return self.wanted.is_set() and not self.names.leaving(path)

    def now(self) -> None:
        with self.lock:
            self.wanted.set()
            ended = [process for path, process in self.running.items() if not self.names.leaving(path)]
        for process in ended:
            threading.Thread(target=_end, args=(process,), daemon=True).start()


def _end(process: Any) -> None:
    """TERM for the user's processes, then the end of the container."""
    for pid in _users(process.pid):
        _signal(pid, signal.SIGTERM)
    until = time.monotonic() + _GRACE
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    process.kill()


def _users(pid: int) -> list[int]:
    """The processes below KFP's launcher in a container."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                after = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(after[1]), []).append(int(entry))
            except OSError:
                continue

    def below(one: int) -> list[int]:
        return [found for child in children.get(one, []) for found in (child, *below(child))]

    for one in below(pid):
        try:
            if b"/kfp-launcher/launch" in Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0")[1:3]:
                return below(one)
        except OSError:
            continue
    return []


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


class Pods(list[Any]):
    """The run's pods: each one is told, unless the run has been stopped."""

    def __init__(self, stop: Stop, refuse: Callable[[str], Exception]) -> None:
        super().__init__()
        self.stop, self.refuse = stop, refuse

    def append(self, one: tuple[str, Mapping[str, Any]]) -> None:
        if self.stop.holds(one[0]):
            raise self.refuse("the run was stopped")
        super().append(one)
        tell("pod", path=one[0], pod=one[1])


class Tasks(dict[str, Any]):
    """The run's tasks: each one is told when it has ended."""

    def __setitem__(self, path: str, task: Any) -> None:
        super().__setitem__(path, task)
        tell(
            "task",
            path=path,
            state=task.state,
            exit_code=task.exit_code,
            log=task.log,
            inputs=task.inputs,
            attempts=task.attempts,
        )


def run(job: Mapping[str, Any]) -> None:
    """Execute a job; the events are all that comes of it."""
    names = Names(job["workflow"], job["pipeline"], job["platform"], job["retried"])
    stop = Stop(names)
    threading.Thread(target=_commands, args=(stop,), daemon=True).start()

    from ir import expand

    expand.RUN_ID, expand.RUN_NAME, expand.NAMESPACE = job["id"], job["workflow"], job["namespace"]
    expand.CREATED = job["created"]
    workflow = {"workflow.uid": job["id"], "workflow.name": job["workflow"], "workflow.namespace": job["namespace"]}
    expand._GLOBALS.update(workflow)
    from ir import dag, inputs, machine, pod, sandbox
    from ir.state import Bound, DriverError, Run
    from ir.volumes import NotStartedError

    inputs._RUNTIME["{{$.pipeline_job_name}}"] = job["display_name"]
    pod._node = lambda path, attempt: names.pod_node(path, attempt)
    pod.pod_name = lambda path, attempt=None, template="": names.pod(path, attempt)
    machine.Run = partial(Run, tasks=Tasks(), pods=Pods(stop, DriverError))

    def seen_dag(run: Any, execution: Any, original: Any = dag.run_dag) -> Any:
        tell("dag", path=execution.path, inputs=execution.parameters)
        return original(run, execution)

    def seen_loop(run: Any, parent: Any, loop: Any, task: Any, original: Any = dag._loop) -> Any:
        tell("loop", path=loop.path, items=inputs.items(task, loop.parameters))
        return original(run, parent, loop, task)

    dag.run_dag = machine.run_dag = seen_dag
    dag._loop = seen_loop
    dag.step = _kept(job["kept"], dag.step)
    dag.importer = _noted(dag.importer)
    _contained(sandbox, stop, NotStartedError)

    options = dict(job["machine"])
    options["programs"] = [Bound(Path(source), path, only) for source, path, only in options.get("programs", ())]
    try:
        done = machine.execute(job["text"], Path(job["folder"]), parameters=job["parameters"], **options)
        tell("end", state=done.state)
    except AssertionError as error:
        tell("refused", message=str(error))


def _kept(kept: Mapping[str, Any], original: Any) -> Any:
    """A retried run does not run again what has succeeded (Argo's retry, GenerateRetryExecution)."""

    def step(run: Any, made: Any, task: Any) -> Any:
        from ir.state import Task, tell_dags

        if made.path not in kept:
            done = original(run, made, task)
            tell(
                "outputs",
                path=made.path,
                parameters=made.out_parameters,
                artifacts=made.out_artifacts,
                state=made.state,
            )
            return done
        before = kept[made.path]
        made.state, made.out_parameters, made.out_artifacts = "COMPLETE", before["parameters"], before["artifacts"]
        tell_dags(made.parent)
        return Task(
            made.path,
            "succeeded",
            0,
            before["log"],
            made.out_parameters,
            attempts=before["attempts"],
            inputs=before["inputs"],
        )

    return step


def _noted(original: Any) -> Any:
    def importer(run: Any, dag: Any, name: str, task: Any, component: Any, path: str) -> Any:
        done = original(run, dag, name, task, component, path)
        tell("outputs", path=path, parameters={}, artifacts=dag.children[name].out_artifacts, state="COMPLETE")
        return done

    return importer


class Container:
    """A container's process, as the machine wants it. What it writes goes to a file, which can be read meanwhile."""

    def __init__(self, process: Any, log: Path) -> None:
        self.process, self.log = process, log
        self.pid, self.poll = process.pid, process.poll

    def kill(self) -> None:
        from ir import sandbox

        sandbox.end(self.process)

    @property
    def returncode(self) -> int:
        return int(self.process.returncode)

    def communicate(self, timeout: float | None = None) -> tuple[bytes, None]:
        self.process.wait(timeout)
        return self.log.read_bytes(), None


def _contained(sandbox: Any, stop: Stop, not_started: type[Exception]) -> None:
    """Each container's begin and end are told, its log is a file, and a stop reaches it."""
    subprocess, run = sandbox.subprocess, sandbox.run
    homes: dict[int, tuple[str, Path]] = {}

    def started(words: list[str], **options: Any) -> Container:
        path, home = homes[threading.get_ident()]
        with stop.lock, (home / LOG).open("wb") as log:
            if stop.holds(path):
                raise not_started("the run was stopped")
            process = subprocess.Popen(words, **{**options, "stdout": log})
            made = stop.running[path] = Container(process, home / LOG)
        tell("running", path=path)
        return made

    def seen(pod: Any, home: Path, cluster: Any) -> Any:
        # `pods/PATH/ATTEMPT`, where `--` is what parts a path.
        path = home.parent.name.replace("--", "/")
        homes[threading.get_ident()] = path, home
        name = pod["metadata"]["name"]
        try:
            ended = run(pod, home, cluster)
        except not_started as error:
            if not stop.holds(path):
                # Kubernetes goes on trying: the pod is Pending until the run is stopped.
                tell("stuck", path=path, message=str(error))
                stop.wanted.wait()
            tell("container", path=path, pod=name, code=None, message=str(error))
            raise
        finally:
            stop.running.pop(path, None)
        tell("container", path=path, pod=name, code=ended.code, message="")
        return ended

    names = ("PIPE", "STDOUT", "DEVNULL", "TimeoutExpired")
    sandbox.subprocess = SimpleNamespace(Popen=started, **{one: getattr(subprocess, one) for one in names})
    sandbox.run = seen


def _commands(stop: Stop) -> None:
    """Commands come as lines; at their end, who started this has gone, and all ends."""
    for line in sys.stdin:
        if line.strip() == "terminate":
            stop.now()
    with stop.lock:  # which starts no more
        for process in stop.running.values():
            process.kill()
        os._exit(3)


if __name__ == "__main__":
    run(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    sys.stdout.flush()
    os._exit(0)
