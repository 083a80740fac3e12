"""condition: takes one of two branches, by a test, a person's approval, or both."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from kade2kfp.diagnostics.model import Pointer
from kade2kfp.document.base import Model, RunText, Takes
from kade2kfp.document.shared import Task
from kade2kfp.document.types import Duration
from kade2kfp.tasks.job import ForEach

Operand = Annotated[Any, Takes.RUN]


class Test(Model):
    """A comparison: numbers with numbers; texts and booleans only by == and !=."""

    __test__ = False

    left: Operand = Field(description="A value, or a reference.")
    operator: Literal["==", "!=", ">", ">=", "<", "<="] = Field(description="How they are compared.")
    right: Operand = Field(description="A value, or a reference.")


class Approval(Model):
    """A person is asked."""

    message: RunText | None = Field(default=None, description="What the person is asked.")
    timeout: Duration = Field(description="How long to wait.")
    on_timeout: Literal["reject", "resume"] | None = Field(
        default=None, description="What happens then; reject by default."
    )


class Condition(Task):
    """Takes one of two branches."""

    type: Literal["condition"] = Field(description="What the task is.")
    test: Test | None = Field(default=None, description="The comparison.")
    approval: Approval | None = Field(default=None, description="Ask a person; with a test, only if it holds.")
    for_each: ForEach | None = Field(default=None, description="`each`: into another task's iteration.")

    def unsupported(self) -> tuple[tuple[str, Pointer], ...]:
        """It is not lowered yet."""
        return (*super().unsupported(), ("a condition", self.place("type")))
