"""What the tests ask of kade2kfp, and what must hold of every answer."""

from __future__ import annotations

import json
from typing import Any

import yaml

from kade2kfp import api
from kade2kfp.diagnostics.model import Diagnostic, Severity
from kade2kfp.diagnostics.severity import severity
from kade2kfp.diagnostics.text import render

Json = Any


def compiled(document: Json) -> api.Compiled:
    """A document compiled; one that is no text yet is written as JSON."""
    text = document if isinstance(document, str | bytes) else json.dumps(document)
    return api.compile(api.parse(text, "pipeline.json"))


def errors(found: api.Compiled | api.Checked) -> list[str]:
    """The codes and messages of the errors."""
    return [f"{one.code} {one.message}" for one in found.diagnostics if severity(one.code) is Severity.ERROR]


def ir(document: Json) -> list[Json]:
    """The documents of the YAML of a document that must compile."""
    found = compiled(document)
    assert found.yaml is not None, errors(found)
    return list(yaml.load_all(found.yaml, yaml.CSafeLoader))


def leaves(value: Json) -> list[Json]:
    """Every scalar of a JSON value, keys too."""
    if isinstance(value, dict):
        return [leaf for key, one in value.items() for leaf in (key, *leaves(one))]
    return [leaf for one in value for leaf in leaves(one)] if isinstance(value, list) else [value]


def sound(text: str | bytes) -> api.Compiled:
    """Compile any text whatever: there is YAML or an error, and every diagnostic can be shown where it belongs."""
    source = api.parse(text, "any.json")
    checked = api.validate(source)
    found = api.compile(source)
    assert (found.yaml is None) == bool(errors(found))
    assert {_key(one) for one in checked.diagnostics} <= {_key(one) for one in found.diagnostics}
    assert api.validate(api.parse(text, "any.json")).diagnostics == checked.diagnostics
    located(found)
    assert len(list(render(found.diagnostics, source.line))) == len(found.diagnostics)
    return found


def _key(one: Diagnostic) -> tuple[Any, ...]:
    return (one.code, one.message, one.pointer, one.span)


def located(found: api.Compiled) -> None:
    """Diagnostics stand in the order of their position, each once, with spans inside the text."""
    source, rows = found.checked.source, found.diagnostics
    assert len({_key(one) for one in rows}) == len(rows)
    spans = [one.span for one in rows]
    assert [(span.line, span.column) for span in spans if span] == sorted((s.line, s.column) for s in spans if s)
    for one in rows:
        assert one.file == "any.json"
        assert one.message
        for span in (one.span, *(related.span for related in one.related)):
            if span is None:
                continue
            assert (1, 1) <= (span.line, span.column) <= (span.end_line, span.end_column), one
            assert span.column <= len(source.line(span.line)) + 1, one
            assert span.end_column <= len(source.line(span.end_line)) + 1, one
    assert all(one.span is not None for one in rows if source.root is not None and source.text.strip()), rows
