"""Walks DAGs as Argo does with what KFP compiles for it (argocompiler/dag.go), and starts each task's driver."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from .condition import holds
from .inputs import entered, items, of_iteration, resolve
from .spec import before, is_exit
from .state import DriverError, Execution, Run, State, Task
from .step import importer, step


def run_dag(run: Run, dag: Execution) -> bool:
    """Run a DAG's tasks, each as soon as those before it have succeeded; whether none has failed.

    Argo stops to start tasks in a DAG where one has failed; when that is, is a race. Here all run that could have.
    """
    tasks = dag.component["dag"]["tasks"]
    waits = {name: before(name, tasks) for name, task in tasks.items() if not is_exit(task)}
    hooks = {}
    for name, task in tasks.items():
        if is_exit(task):
            assert len(before(name, tasks)) == 1, f"Argo runs the exit hook {name!r} once after each task before it"
            hooks[before(name, tasks)[0]] = name
    assert waits, f"DAG {dag.path!r} must contain one or more non-exit tasks"
    states: dict[str, str] = {}
    running: dict[Future[str], str] = {}
    with ThreadPoolExecutor(max_workers=len(tasks)) as pool:
        while waits or running:
            ready = [name for name, wanted in waits.items() if set(wanted) <= set(states)]
            assert ready or running, f"a cycle: {sorted(waits)}"
            ready = [name for name in sorted(ready) if not _omitted(run, dag, name, waits.pop(name), states)]
            # Drivers of tasks that begin together have ended long before the first of their steps has.
            for name in [name for name in ready if not _left_out(run, dag, name, hooks.get(name), states)]:
                running[pool.submit(_with_hook, run, dag, name, hooks.get(name))] = name
            for future in wait(running, return_when=FIRST_COMPLETED).done if running else ():
                states[running.pop(future)] = future.result()
    return "failed" not in states.values()


def _omitted(run: Run, dag: Execution, name: str, wanted: list[str], states: dict[str, str]) -> bool:
    if all(states[one] == "succeeded" for one in wanted):
        return False
    states[name] = _record(run, Task(_path(dag, name), "not-run"))
    return True


def _left_out(run: Run, dag: Execution, name: str, hook: str | None, states: dict[str, str]) -> bool:
    """Whether the driver of a task finds that its condition does not hold; its execution is CANCELED then
    (metadata/client.go, CreateExecution)."""
    task = dag.component["dag"]["tasks"][name]
    condition = task.get("triggerPolicy", {}).get("condition")
    component = run.spec.components[task["componentRef"]["name"]]
    if not condition or "importer" in _executor(run, task):
        return False
    try:
        parameters, artifacts = resolve(name, task, component, dag)
        if holds(condition, parameters):
            return False
    except DriverError:
        return False
    dag.children[name] = Execution(name, _path(dag, name), component, dag, parameters, artifacts, "CANCELED")
    states[name] = _record(run, Task(_path(dag, name), "skipped", inputs=parameters))
    if hook is not None:
        _record(run, Task(_path(dag, hook), "not-run"))
    return True


def _path(dag: Execution, name: str) -> str:
    return f"{dag.path}/{name}".lstrip("/")


def _record(run: Run, task: Task) -> str:
    run.tasks[task.path] = task
    return task.state


def _with_hook(run: Run, dag: Execution, name: str, hook: str | None) -> str:
    """Run a task, then its exit hook: a lifecycle hook of the executor's or sub-DAG's node (addExitTask), so it runs
    however that ended, and does not where there was none: skipped, not run, or refused by its driver. Loops and
    importers are compiled without it.

    How the hook ends is of no consequence: Argo goes by the phases of a DAG's own tasks (Argo 4.0.5,
    workflow/controller/dag.go, evaluateDependsLogic and assessDAGPhase, for which a hook is no target)."""
    state = run_task(run, dag, name)
    if hook is None:
        return state
    task = dag.component["dag"]["tasks"][name]
    child = dag.children.get(name)
    started = child is not None and ("dag" in child.component or child.state in ("COMPLETE", "FAILED"))
    if not started or "parameterIterator" in task or "importer" in _executor(run, task):
        _record(run, Task(_path(dag, hook), "not-run"))
        return state
    run_task(run, dag, hook)
    return state


def _executor(run: Run, task: Any) -> Any:
    component = run.spec.components[task["componentRef"]["name"]]
    return run.spec.executors[component["executorLabel"]] if "executorLabel" in component else {}


def run_task(run: Run, dag: Execution, name: str) -> str:
    """Run one task of a DAG: its state, which is recorded too."""
    task = dag.component["dag"]["tasks"][name]
    component = run.spec.components[task["componentRef"]["name"]]
    path = _path(dag, name)
    assert "artifactIterator" not in task, "KFP: artifact iterator not implemented yet"
    if "importer" in _executor(run, task):
        return _record(run, _guarded(path, lambda: importer(run, dag, name, task, component, path)))
    return _record(run, _guarded(path, lambda: _driven(run, dag, name, task, component, path)))


def _guarded(path: str, made: Callable[[], Task]) -> Task:
    try:
        return made()
    except DriverError as error:
        return Task(path, "failed", log=f"driver: {error}\n")


def _driven(run: Run, dag: Execution, name: str, task: Any, component: Any, path: str) -> Task:
    """What a task's driver does: inputs, the condition (see _left_out); then a step, a DAG or a loop."""
    parameters, artifacts = resolve(name, task, component, dag)
    child = Execution(name, path, component, dag, parameters, artifacts)
    condition = task.get("triggerPolicy", {}).get("condition")
    if condition:
        holds(condition, parameters)
    if "dag" in component:
        entered(path, artifacts)
    if "parameterIterator" in task:
        return _loop(run, dag, child, task)
    dag.children[name] = child
    return _body(run, child, task)


def _body(run: Run, child: Execution, task: Any) -> Task:
    if "dag" not in child.component:
        return step(run, child, task)
    succeeded = run_dag(run, child)
    return Task(child.path, "succeeded" if succeeded else "failed", inputs=child.parameters)


def _loop(run: Run, dag: Execution, loop: Execution, task: Any) -> Task:
    """An iterator: a failed iteration does not stop the others (argocompiler/dag.go, iterationItemTask)."""
    found = items(task, loop.parameters)
    loop.iterations = len(found)
    dag.children[loop.name] = loop
    limit = int(task.get("iteratorPolicy", {}).get("parallelismLimit", 0))

    def iteration(index: int) -> str:
        path = f"{loop.path}/iteration-{index}"

        def made() -> Task:
            parameters = of_iteration(task, loop.component, loop, found[index])
            child = Execution(loop.name, path, loop.component, loop, parameters, loop.artifacts)
            loop.children[str(index)] = child
            return _body(run, child, task)

        return _record(run, _guarded(path, made))

    with ThreadPoolExecutor(max_workers=limit or max(len(found), 1)) as pool:
        states = list(pool.map(iteration, range(len(found))))
    state: State = "failed" if "failed" in states else "succeeded"
    return Task(loop.path, state, inputs=loop.parameters, parallelism=limit)
