"""An approval: a person is asked by a step of its own, which runs nothing of the user's and sees no volume."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kade2kfp.document.base import Model, RunText
from kade2kfp.document.types import Duration
from kade2kfp.steps.frame import Frame
from kade2kfp.steps.model import Step
from kade2kfp.steps.parts import Comparison, Gate
from kade2kfp.tasks.gates import seconds, waits


class Approval(Model):
    """A person is asked."""

    message: RunText | None = Field(default=None, description="What the person is asked.")
    timeout: Duration = Field(description="How long to wait.")
    on_timeout: Literal["reject", "resume"] | None = Field(
        default=None, description="What happens then; reject by default."
    )


def approved(approval: Approval, test: Comparison | None, step: Step, frame: Frame) -> Step:
    """The step that asks, of a condition whose step would be `step`; with a test, only where that holds.

    Only the run's ConfigMap decides: whoever may write that is set apart from who may run pipelines.
    """
    gate = Gate(
        seconds(frame, approval.place("timeout"), approval.timeout),
        approval.on_timeout or "reject",
        on_reject="route",
        message=frame.text(approval.place("message"), approval.message),
        ways="c",
        only_if=test,
    )
    bare = Step(
        step.task,
        step.name,
        step.display_name,
        (frame.toolbox_image,),
        (),
        description=step.description,
        type="approval",
        scheduling=step.scheduling,
        pull_secrets=step.pull_secrets,
        labels=step.labels,
        annotations=step.annotations,
        after=step.after,
    )
    return waits(bare, gate)
