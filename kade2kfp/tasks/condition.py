"""condition: takes one of two branches, by a test, a person's approval, or both."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import Field

from kade2kfp.document.base import Model, Takes
from kade2kfp.document.shared import Task
from kade2kfp.steps.frame import Frame, Nodes
from kade2kfp.steps.model import Choice
from kade2kfp.steps.parts import Comparison, Operand
from kade2kfp.steps.sources import Output
from kade2kfp.tasks.approvals import Approval, approved
from kade2kfp.tasks.job import ForEach

PASS_END = "-pass"
"""What a step is called that stands for a branch with nothing in it, on a cluster."""
CHOICE_END = "-choice"
"""What the choice of a condition with an approval is called, besides the step that asks."""
Compared = Annotated[Any, Takes.RUN]


class Test(Model):
    """A comparison: numbers with numbers; texts and booleans only by == and !=."""

    __test__ = False

    left: Compared = Field(description="A value, or a reference.")
    operator: Literal["==", "!=", ">", ">=", "<", "<="] = Field(description="How they are compared.")
    right: Compared = Field(description="A value, or a reference.")


class Condition(Task):
    """Takes one of two branches."""

    type: Literal["condition"] = Field(description="What the task is.")
    test: Test | None = Field(default=None, description="The comparison.")
    approval: Approval | None = Field(default=None, description="Ask a person; with a test, only if it holds.")
    for_each: ForEach | None = Field(default=None, description="`each`: into another task's iteration.")

    def choice(self, name: str) -> str:
        """The name of what decides, where the task's step has that name."""
        return name + CHOICE_END if self.approval else name

    def nodes(self, frame: Frame) -> Nodes:
        """What decides; behind a step that asks a person, where there is an approval."""
        step = frame.step
        test = compared(frame, self.test) if self.test else None
        if self.approval:
            asked = approved(self.approval, test, step, frame)
            test = Comparison(Output(step.name, "decision", "string"), "==", "resume", "string")
            return asked, Choice(self.id, self.choice(step.name), step.display_name, test)
        if test is None:
            raise ValueError(f"{self.id} has neither test nor approval (checks/conditions.py)")
        return (Choice(self.id, step.name, step.display_name, test, after=step.after),)


def compared(frame: Frame, test: Test) -> Comparison:
    """The comparison of a document without errors."""
    left, right = (operand(frame, test, side) for side in ("left", "right"))
    return Comparison(left, test.operator, right, kind_of(left))


def operand(frame: Frame, test: Test, side: str) -> Operand:
    """One side of a comparison: a value, or where it comes from."""
    value = getattr(test, side)
    if not isinstance(value, str):
        return cast(Operand, value)
    if test.place(side) in frame.items:
        return cast(Operand, frame.items[test.place(side)])
    text = frame.text(test.place(side), value)
    return cast(Operand, text[0]) if len(text) == 1 else ""


def kind_of(one: Operand) -> Literal["number", "string", "boolean"]:
    """The kind of an operand; both are of one (checks/conditions.py)."""
    if isinstance(one, bool) or getattr(one, "type", "") == "boolean":
        return "boolean"
    return "number" if isinstance(one, int | float) or getattr(one, "type", "") in ("integer", "number") else "string"
