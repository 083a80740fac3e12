"""Documents that are wrong: any JSON, JSON in the shape of the models with anything in it, valid ones changed once."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from typing import Any, get_args, get_origin

from hypothesis import strategies as st

from kade2kfp.document.base import Model

from .documents import documents
from .models import LISTS, ROOTS, TYPES, bare, fields, literals, required
from .texts import HOSTILE, TEXTS

_TWICE = "\ue000twice"
KEYS = sorted({name for model in ROOTS.values() for name in fields(model)} | {"x-own", "name", "value", "kind"})
# Texts that mean something in some field, so that a document gets past the first check.
_TELLING = """
{{item}} {{item.a}} {{item.a.b}} {{params.a}} {{tasks.a.outputs.a}} {{tasks.a.metrics.a}} {{tasks.a.metrics.{}}}
{{tasks.a.values.a}} {{tasks.a.decision}} {{run.id}} {{run.status}} {{params.a}}x {{params.}} {{{{ {{ }} {{{params.a}}}
a b A 1 /a /a/b /a/b.txt / /../a ../a a.txt 10m 0s 99999999d 1Gi 1.5 1e3 -1 0 2Ei nvidia.com/gpu cpu memory a/b a.b/c
http://a/b s3://a/b file:///a {{params.a}}://b http:// http://[ busybox:1 UPPER@@ metadata.name metadata.labels['a']
train train- -a a-b é 😀 [ (?=a) ^a*$ KFP_A KADE2KFP_A then else kade2kfp/v1 numpy==1 -r git+https://u:p@h/x
"""
TELLING = tuple(_TELLING.split())

NUMBERS = st.one_of(
    st.integers(-3, 5),
    st.integers(),
    st.floats(),
    st.sampled_from([2**31, 2**53 + 1, 10**400, 1e308, 5e-324, -0.0]),
)
WORDS = st.one_of(st.sampled_from([*TELLING, *HOSTILE, ""]), TEXTS, st.text(max_size=5))
ATOMS = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS)
JSON: st.SearchStrategy[Any] = st.recursive(
    ATOMS,
    lambda inside: st.one_of(
        st.lists(inside, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), WORDS), inside, max_size=4),
    ),
    max_leaves=12,
)


def text_of(value: Any) -> str:
    """A value as a file's text; NaN, Infinity, half characters and duplicate keys are written as they are."""
    return json.dumps(value, ensure_ascii=False, indent=1).replace(_TWICE, "")


@cache
def shaped(model: type[Model]) -> st.SearchStrategy[dict[str, Any]]:
    """An object with fields of a model, most of them of the right kind."""
    known = {name: _value(name, annotation) for name, annotation in fields(model).items()}
    needed = required(model)

    @st.composite
    def build(draw: st.DrawFn) -> dict[str, Any]:
        names = set(draw(st.lists(st.sampled_from(sorted(known)), max_size=6))) | needed
        if draw(st.integers(0, 9)) == 0:
            names -= {draw(st.sampled_from(sorted(names)))} if names else set()
        return {name: draw(known[name]) for name in sorted(names)}

    return build()


def _value(name: str, annotation: Any) -> st.SearchStrategy[Any]:
    right = _right(name, annotation)
    return st.integers(0, 15).flatmap(lambda dice: JSON if dice == 0 else right)


def _right(name: str, annotation: Any) -> st.SearchStrategy[Any]:
    if name in ("id", "fromTask", "toTask", "each", "onExit", "name", "volume"):
        return st.sampled_from(["a", "b", "c", "A", "a-b"])
    if name in ("left", "right", "default", "enum", "items"):
        return JSON
    if words := literals(annotation):
        return st.sampled_from(words)
    kinds = []
    for one in bare(annotation):
        if isinstance(one, type) and issubclass(one, Model):
            kinds.append(shaped(one))
        elif one is bool:
            kinds.append(st.booleans())
        elif one in (int, float):
            kinds.append(st.integers(-1, 70000))
        elif get_origin(one) is list:
            kinds.append(st.lists(_value("", get_args(one)[0]), max_size=3))
        elif get_origin(one) is dict:
            keys = st.sampled_from(["cpu", "memory", "nvidia.com/gpu", "a", "a.b/c", "", "kubernetes.io/a"]) | WORDS
            kinds.append(st.dictionaries(keys, _value("", get_args(one)[1]), max_size=3))
        else:
            kinds.append(WORDS)
    return st.one_of(kinds)


@st.composite
def shaped_documents(draw: st.DrawFn) -> Any:
    """Documents of every task type in which nearly everything is of the right kind and little makes sense."""
    document = draw(shaped(ROOTS["pipeline"])) | {"apiVersion": "kade2kfp/v1", "name": draw(WORDS)}
    for key, model in LISTS.items():
        document[key] = draw(st.lists(shaped(model), max_size=4))
    document["defaults"] = draw(st.none() | shaped(ROOTS["defaults"]))
    types = draw(st.lists(st.sampled_from(sorted(TYPES)), max_size=4))
    document["tasks"] = [draw(shaped(TYPES[name])) | {"type": name} for name in types]
    return document


def _holders(value: Any) -> Iterator[Any]:
    """Every object and list that holds something."""
    if isinstance(value, dict | list) and value:
        yield value
        for one in value.values() if isinstance(value, dict) else value:
            yield from _holders(one)


@st.composite
def mutated(draw: st.DrawFn, valid: st.SearchStrategy[Any] | None = None) -> str:
    """The text of a valid document with one value or key deleted, replaced, renamed, doubled or moved."""
    document = copy.deepcopy(draw(valid if valid is not None else documents()))
    holders = list(_holders(document))
    holder = draw(st.sampled_from(holders))
    key: Any = draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
    match draw(st.sampled_from(["delete", "replace", "rename", "double", "move", "alter"])):
        case "delete":
            del holder[key]
        case "replace":
            holder[key] = draw(JSON)
        case "alter" if isinstance(holder[key], str):
            at = draw(st.integers(0, len(holder[key])))
            holder[key] = holder[key][:at] + draw(WORDS) + holder[key][at + draw(st.integers(0, 3)) :]
        case "rename" if isinstance(holder, dict):
            name = draw(st.sampled_from(KEYS) | WORDS | st.just(key.swapcase()) | st.just(key[:-1]))
            holder[name] = holder.pop(key)
        case "double" if isinstance(holder, dict):
            holder[key + _TWICE] = draw(st.just(holder[key]) | JSON)
        case "double":
            holder.insert(key, copy.deepcopy(holder[key]))
        case _:
            other = draw(st.sampled_from(holders))
            found = draw(st.sampled_from(list(other.values()) if isinstance(other, dict) else other))
            holder[key] = copy.deepcopy(found)
    return text_of(document)
