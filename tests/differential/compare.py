"""One comparison: a document compiled and executed, and the same document run on this machine."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

from kade2kfp import api

from .sides import differences, here, on_the_machine

Json = dict[str, Any]


@dataclass
class Ground:
    """Where comparisons take place: folders of runs and of the machine, what is served, and a number for each."""

    home: Path
    folder: Path
    store: Path
    url: str
    numbers: Iterator[int]


def ground(home: Path, folder: Path, store: Path, url: str) -> Ground:
    return Ground(home, folder, store, url, count())


def compare(on: Ground, document: Json, given: Mapping[str, Any] = {}, *, read_cache: bool = False) -> list[str] | None:
    """What is different between both sides; None where the document is not valid."""
    text = json.dumps(document)
    named = {one["name"] for one in document.get("parameters", [])}
    given = {key: value for key, value in {"base": on.url, **given}.items() if key in named}
    compiled = api.compile(api.parse(text, "flow.json"))
    checked = api.for_a_run(api.validate(api.parse(text, "flow.json"), values=given))
    if compiled.yaml is None or checked.plan is None:
        return None
    volumes = {one["id"]: _claim(one, document, given) for one in document.get("volumes", [])}
    folder = on.folder / str(next(on.numbers))
    folder.mkdir()
    folder.chmod(0o755)
    try:
        machine = on_the_machine(compiled.yaml, folder / "machine", on.store, given, volumes)
        local = here(checked, on.home, on.store, volumes, folder / "local", read_cache=read_cache)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if not read_cache:
            shutil.rmtree(on.home / "runs", ignore_errors=True)
    return differences(machine, local)


def _claim(volume: Json, document: Json, given: Mapping[str, Any]) -> str:
    name = str(volume.get("claimName", ""))
    for one in document.get("parameters", []):
        value = given.get(one["name"], one.get("default"))
        name = name.replace(f"{{{{params.{one['name']}}}}}", str(value))
    return name


def shrunk(document: Json, differs: Callable[[Json], bool], seconds: float = 60) -> Json:
    """The document without what does not matter for a difference, as far as the time goes."""
    until = time.monotonic() + seconds
    smaller = True
    while smaller:
        smaller, number = False, 0
        while time.monotonic() < until and (candidate := next(islice(_smaller(document), number, None), None)):
            if differs(candidate):
                document, smaller = candidate, True
            else:
                number += 1
    return document


def _smaller(value: Any) -> Iterator[Any]:
    """A JSON value without one of its parts; large parts first. Of a script, without one line."""
    if isinstance(value, dict):
        for key in value:
            if key not in ("apiVersion", "name", "id", "type"):
                yield {other: one for other, one in value.items() if other != key}
        for key, one in value.items():
            yield from ({**value, key: less} for less in _smaller(one))
    elif isinstance(value, list):
        for index in reversed(range(len(value))):
            yield [*value[:index], *value[index + 1 :]]
        for index, one in enumerate(value):
            yield from ([*value[:index], less, *value[index + 1 :]] for less in _smaller(one))
    elif isinstance(value, str) and "\n" in value:
        lines = value.split("\n")
        for index in range(len(lines)):
            yield "\n".join([*lines[:index], *lines[index + 1 :]])
