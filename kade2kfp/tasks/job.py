"""job: runs a command; the pipeline goes on when it ends."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from kade2kfp.document.base import Model, Takes
from kade2kfp.document.shared import CommandTask
from kade2kfp.document.types import CompileInteger, Id, integer_schema, kind_of


def _items(value: Any) -> Any:
    if isinstance(value, list | str):
        return value
    help_ = 'write the items themselves, such as ["a", "b"], or one reference: "{{params.grid}}"'
    context = {"found": kind_of(value), "help": help_}
    raise PydanticCustomError("K102", "expected a list or a reference, found {found}", context)


LOOP_END, COLLECT_END, NOTHING_END = LOOP_ENDS = ("-loop", "-collect", "-nothing")
"""What stands behind a step's name in those of its loop, of what collects for the loop, and of what does for an empty list."""


class ForEach(Model):
    """What a job is repeated for; exactly one of items, matrix and each."""

    items: Annotated[list[Any] | str, Takes.RUN, BeforeValidator(_items)] | None = Field(
        default=None, description="A list, or one reference to an array."
    )
    matrix: dict[str, list[Any]] | None = Field(
        default=None, description="Lists by key, of which all combinations are made."
    )
    exclude: list[dict[str, Any]] | None = Field(default=None, description="Combinations to leave out.")
    each: Id | None = Field(default=None, description="A job into whose iteration this one goes.")
    parallelism: Annotated[CompileInteger, integer_schema(1)] | None = Field(
        default=None, description="How many run at the same time."
    )


class Job(CommandTask):
    """Runs the command; the pipeline goes on when it ends."""

    type: Literal["job"] = Field(description="What the task is.")
    for_each: ForEach | None = Field(default=None, description="Repeat the job for each item.")
