"""YAML text to nodes with their places, for files whose contents are secret: no message quotes what it cannot vouch for.

Not yaml.safe_load: that drops the first of two equal keys, knows no places, and follows aliases, by which a small file
grows without end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from kade2kfp.source.mistakes import Mistake, Mistakes

MAX_DEPTH = 32
_QUOTE = "put the value into single quotes, and double each single quote in it"
# Numbers of YAML 1.2 and of Go's reader, which Kubernetes uses, that PyYAML (YAML 1.1) takes for text, and the reverse.
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?|[-+]?0o[0-7_]+")
_KINDS = {"int": "a number", "float": "a number", "bool": "a boolean", "null": "nothing", "timestamp": "a date"}
# What PyYAML quotes of its own words, such as '<block end>'; all else in quotes is a piece of the text.
_QUOTED_TEXT = re.compile(r"['\"](?!<[a-z ]+>['\"])")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value. `kind` is `text`, `binary` (base64), or what a reader of YAML takes it for, such as `a number`."""

    text: str
    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Node, ...]
    start: int
    end: int
    kind: str = "a list"


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping, its keys unique."""

    fields: tuple[tuple[Scalar, Node], ...]
    start: int
    end: int
    kind: str = "a mapping"

    def get(self, key: str) -> Node | None:
        """The value of a key, or None."""
        return next((value for name, value in self.fields if name.text == key), None)


Node = Scalar | Items | Fields


class _StopError(Exception):
    """The text cannot be read on from here."""


def read_yaml(text: str, code: str, mistakes: Mistakes) -> list[Node]:
    """The documents of a YAML text; what is wrong goes to `mistakes`, as `code`, with offsets in the text.

    Anchors, aliases, other tags than `!!str` and `!!binary`, and equal keys in one mapping are mistakes.
    """
    documents: list[Node] = []
    try:
        loader: Any = yaml.SafeLoader(text)  # its parser has no types
        while not loader.check_event(yaml.StreamEndEvent):
            event = loader.get_event()
            if isinstance(event, yaml.DocumentStartEvent):
                documents.append(_node(loader, loader.get_event(), code, mistakes, 1))
    except yaml.reader.ReaderError as error:
        mistakes.add(_not_yaml(code, "holds a character that no YAML may hold", error.position))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or ""
        mistakes.add(_not_yaml(code, "" if _QUOTED_TEXT.search(problem) else problem, mark.index if mark else 0))
    except _StopError:
        pass
    return documents


def _not_yaml(code: str, problem: str, at: int) -> Mistake:
    message = f"this is not YAML: {problem}" if problem else "this is not YAML"
    help_ = f"look at the indentation, and at values with `: `, ` #`, or a special character in front: {_QUOTE}"
    return Mistake(code, message, help_, at, at + 1)


def _node(loader: Any, event: Any, code: str, mistakes: Mistakes, depth: int) -> Node:
    start, end = event.start_mark.index, event.end_mark.index
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        # Its name is not told: it may be a password that begins with `*` or `&`.
        help_ = f"write out what it stands for; if it is a value, {_QUOTE}"
        mistakes.add(Mistake(code, "anchors and aliases (`&`, `*`) are not read", help_, start, start + 1))
        raise _StopError
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(loader, event, code, mistakes)
    if depth > MAX_DEPTH:
        mistakes.add(Mistake(code, f"it is more than {MAX_DEPTH} levels deep", "", start, start + 1))
        raise _StopError
    if isinstance(event, yaml.SequenceStartEvent):
        items = []
        while not loader.check_event(yaml.SequenceEndEvent):
            items.append(_node(loader, loader.get_event(), code, mistakes, depth + 1))
        loader.get_event()
        return Items(tuple(items), start, end)
    fields: dict[str, tuple[Scalar, Node]] = {}
    while not loader.check_event(yaml.MappingEndEvent):
        key = _node(loader, loader.get_event(), code, mistakes, depth + 1)
        value = _node(loader, loader.get_event(), code, mistakes, depth + 1)
        if not isinstance(key, Scalar):
            mistakes.add(Mistake(code, f"{key.kind} cannot be a key", _QUOTE, key.start, key.start + 1))
        elif key.text in fields:
            first = fields[key.text][0]
            related = ("the first one", first.start, first.end)
            help_ = "keep one: readers of YAML would take either"
            mistakes.add(Mistake(code, "this key is there twice", help_, key.start, key.end, related=related))
        else:
            fields[key.text] = (key, value)
    loader.get_event()
    return Fields(tuple(fields.values()), start, end)


def _scalar(loader: Any, event: Any, code: str, mistakes: Mistakes) -> Scalar:
    start, end = event.start_mark.index, event.end_mark.index
    tag = event.tag
    if tag in (None, "!"):
        tag = loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        plain = event.implicit[0]
        name = tag.rpartition(":")[2]
        kind = "text" if name == "str" else _KINDS.get(name, "a word of YAML's own")
        if plain and _NUMBER.fullmatch(event.value):
            kind = "a number"
        if plain and event.value in ("y", "Y", "n", "N"):
            kind = "a boolean"
        return Scalar(event.value, kind, start, end)
    kinds = {"tag:yaml.org,2002:str": "text", "tag:yaml.org,2002:binary": "binary"}
    if tag not in kinds:
        # It is not told either: an unquoted password may begin with `!`.
        help_ = f"if it is a value that begins with `!`, {_QUOTE}"
        mistakes.add(Mistake(code, "of tags only `!!str` and `!!binary` are read", help_, start, start + 1))
    return Scalar(event.value, kinds.get(tag, "text"), start, end)
