"""The base of all models: camelCase, closed, frozen, and each knows where in the document it stands."""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import Annotated, Any, ClassVar, Self, get_args

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, PrivateAttr, model_validator
from pydantic.alias_generators import to_camel

from kade2kfp.diagnostics.model import Pointer
from kade2kfp.source import Object


class Takes(Enum):
    """When a field's text may hold references: never, known at compile time, or at run time.

    LITERAL text travels as it is: a `{{` in it is its own, but a reference is refused, since nothing would replace it.
    FREE text is not looked at.
    """

    NEVER = "never"
    COMPILE = "at compile time"
    RUN = "at run time"
    LITERAL = "never, but `{{` may stand in it"
    FREE = "not read"


FreeText = Annotated[str, Takes.FREE]
CompileText = Annotated[str, Takes.COMPILE]
RunText = Annotated[str, Takes.RUN]


def _schema_extra(schema: dict[str, Any]) -> None:
    """Keys that begin with `x-` are the editor's (document.md)."""
    schema["patternProperties"] = {"^x-": True}


class Model(BaseModel):
    """An object of the document. `null` counts as absent, except for the fields named in `null_means`."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        strict=True,
        json_schema_extra=_schema_extra,
        defer_build=True,
        hide_input_in_errors=True,
    )
    null_means: ClassVar[frozenset[str]] = frozenset()
    short_forms: ClassVar[tuple[str, ...]] = ()
    """Fields that are lists whose elements may be written as a text in place of an object."""
    _at: Pointer = PrivateAttr(default=())

    @model_validator(mode="wrap")
    @classmethod
    def _place(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Drop nulls and the editor's own keys, and remember the place."""
        if not isinstance(value, dict):
            return handler(value)
        given = {
            key: item
            for key, item in value.items()
            if not key.startswith("x-") and (item is not None or key in cls.null_means)
        }
        model = handler(given)
        if isinstance(value, Object):
            model._at = value.pointer
            for field in cls.short_forms:
                for i, one in enumerate(getattr(model, field) or ()):
                    one._at = one._at or (*value.pointer, alias(cls, field), i)
        return model

    @property
    def at(self) -> Pointer:
        """Where the object stands in the document."""
        # Pydantic's own way to a private attribute takes twenty times as long, and all checks ask for places.
        private = self.__pydantic_private__
        at: Pointer = private["_at"] if private else ()
        return at

    def place(self, field: str, *rest: str | int) -> Pointer:
        """Where a field's value stands, or a part of it: `task.place("env", 0)`. `field` is the Python name."""
        return (*self.at, alias(type(self), field), *rest)

    def __eq__(self, other: object) -> bool:
        """Whether both say the same, wherever they stand."""
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def given(self, field: str) -> bool:
        """Whether the document says the field itself."""
        return field in self.model_fields_set


@cache
def alias(model: type[Model], field: str) -> str:
    """The document's name of a field."""
    return model.model_fields[field].alias or field


@cache
def fields_by_alias(model: type[Model]) -> dict[str, str]:
    """Document's names of the fields to Python's."""
    return {alias(model, name): name for name in model.model_fields}


@cache
def takes(model: type[Model], field: str) -> Takes:
    """When the field's text may hold references."""
    info = model.model_fields[field]
    for mark in (*info.metadata, *_marks(info.annotation)):
        if isinstance(mark, Takes):
            return mark
    return Takes.NEVER


def _marks(annotation: Any) -> list[Takes]:
    found: list[Takes] = []
    for argument in get_args(annotation):
        if isinstance(argument, Takes):
            found.append(argument)
        else:
            found += _marks(argument)
    metadata = getattr(annotation, "__value__", None)
    return found + (_marks(metadata) if metadata is not None else [])
