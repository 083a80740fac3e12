"""Which service is meant by a run and a task, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence

from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.local.folder import Run
from kade2kfp.local.state import StepState
from kade2kfp.services.model import ServiceView


def find_viewer(run: Run, views: Sequence[ServiceView], task: str) -> ServiceView:
    """The viewer of a task of a run, by the task's id, the step's name, or its own; `views` are those of the run.

    Raises CannotDoError.
    """
    found = [view for view in views if task in _names(view) or (not task and len(views) == 1)]
    if found:
        return found[-1]
    if run.state is None:
        raise CannotDoError(f"cannot read the state of {run.name}: {run.problem}")
    steps = [step for step in run.state.steps if task in (step.task, step.name, step.display_name)]
    if not steps:
        viewers = [step.task for step in run.state.steps if step.type == "viewer"]
        if not task:
            raise CannotDoError(
                f"the run {run.name} has {len(viewers)} viewers", did_you_mean(task, viewers, noun="viewers")
            )
        raise CannotDoError(f"the run {run.name} has no viewer '{task}'", did_you_mean(task, viewers, noun="viewers"))
    raise CannotDoError(*_why_no_viewer(run.name, run.state.status, steps[-1]))


def _why_no_viewer(run: str, status: str, step: StepState) -> tuple[str, str]:
    """Why a step has no viewer, and what to do."""
    if step.type != "viewer":
        return f"'{step.task}' is no viewer, but of type {step.type}", ""
    if problem := step.outputs.get("problem"):
        return f"'{step.task}' has no viewer: {problem}", ""
    if step.status == "running" and status == "running":
        return f"'{step.task}' is being prepared", "try again in a moment"
    if step.status == "waiting" and status == "running":
        return f"'{step.task}' has not started yet", f"`kade2kfp show {run}` tells what runs"
    if step.status in ("waiting", "running"):
        return f"'{step.task}' never started: the run is {status}", f"to go on: kade2kfp rerun {run}"
    if step.status == "succeeded":
        return f"the viewer of '{step.task}' has been deleted", "run the pipeline again for a new one"
    return f"'{step.task}' was {step.status}" + (f": {step.note}" if step.note else ""), ""


def find_serving(views: Sequence[ServiceView], wanted: str, run: Run | str, task: str) -> ServiceView:
    """The serving that `wanted` means: its own name, a pipeline's slug, or a run, of which `run` is what was found.

    The task, by its id or its step's name, may be empty where one serving is meant. Of a run whose serving a later one has
    taken over, the serving is meant as it is now. Raises CannotDoError.
    """
    by_name = [view for view in views if view.name == wanted and (not task or task in _names(view))]
    if by_name:
        return by_name[0]
    of_pipeline = [view for view in views if view.pipeline == wanted]
    if of_pipeline:
        return _one(of_pipeline, f"the pipeline {wanted}", task)
    if isinstance(run, str):
        if not views:
            raise CannotDoError(f"there are no servings, and no such run: {run}")
        known = [name for view in views for name in (view.name, view.pipeline)]
        raise CannotDoError(
            f"there is no run, pipeline or serving '{wanted}'", did_you_mean(wanted, known, noun="servings")
        )
    if run.state is None:
        raise CannotDoError(f"cannot read the state of {run.name}: {run.problem}")
    servings = [step for step in run.state.steps if step.type == "serving"]
    steps = {step.name for step in servings}
    of_run = [view for view in views if view.pipeline == run.state.slug and view.step in steps]
    named = next((step for step in run.state.steps if task and task in (step.task, step.name, step.display_name)), None)
    if named is not None and not any(view.step == named.name for view in of_run):
        raise CannotDoError(*_why_no_serving(run.name, run.state.status, named))
    if named is None and (task or not of_run):
        tasks = [step.task for step in servings]
        what = f"the run {run.name} has no serving" + (f" '{task}'" if task else " that is kept")
        raise CannotDoError(what, did_you_mean(task, tasks, noun="servings"))
    return _one(of_run, f"the run {run.name}", named.name if named else "")


def _why_no_serving(run: str, status: str, step: StepState) -> tuple[str, str]:
    if step.type != "serving":
        return f"'{step.task}' is no serving, but of type {step.type}", ""
    if step.status == "running" and status == "running":
        return f"'{step.task}' does not answer yet", "try again in a moment"
    if step.status == "waiting" and status == "running":
        return f"'{step.task}' has not started yet", f"`kade2kfp show {run}` tells what runs"
    if step.failure is not None:
        return f"'{step.task}' has failed, and nothing answers: {step.failure.message}", ""
    if step.status == "succeeded":
        return f"the serving of '{step.task}' has been deleted", "run the pipeline again for a new one"
    return f"'{step.task}' has no serving: it was {step.status}", ""


def _one(views: Sequence[ServiceView], whose: str, task: str) -> ServiceView:
    found = [view for view in views if not task or task in _names(view)]
    if len(found) == 1:
        return found[0]
    tasks = [view.task for view in views]
    if task:
        raise CannotDoError(f"{whose} has no serving '{task}'", did_you_mean(task, tasks, noun="servings"))
    raise CannotDoError(f"{whose} has {len(found)} servings", f"say which: {', '.join(sorted(tasks))}")


def _names(view: ServiceView) -> tuple[str, ...]:
    return view.task, view.step, view.name
