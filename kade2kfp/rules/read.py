"""From a file of settings to Rules, with all that is wrong with it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_args

from kade2kfp.checks.metadata import key_problem
from kade2kfp.diagnostics.model import Diagnostic, Pointer
from kade2kfp.document.suggest import closest, did_you_mean
from kade2kfp.document.types import quantity_value
from kade2kfp.rules import codes, patterns
from kade2kfp.rules.find import SHARED, TABLE, ours
from kade2kfp.rules.mirror import overlap
from kade2kfp.rules.model import Pinned, Policy, Rules
from kade2kfp.rules.names import registry
from kade2kfp.rules.text import UnreadableError, data_of, read_toml
from kade2kfp.rules.values import Reader, count, entries, flag, kind_of, shown, table, texts
from kade2kfp.source import Source
from kade2kfp.tasks import TASK_TYPES

SETTINGS = ("select", "ignore", "werror", "max-diagnostics", "policy")
POLICY = (
    "registries",
    "pinned",
    "labels",
    "label-values",
    "forbidden-types",
    "required-limits",
    "max",
    "mirror",
)
TYPES = tuple(str(get_args(model.model_fields["type"].annotation)[0]) for model in TASK_TYPES)
_PINNED = ("tag", "digest")
_KNOWN = ("cpu", "memory")


def read_rules(path: str | Path, name: str = "") -> tuple[Rules, Source, list[Diagnostic]]:
    """The rules of a file: all of kade2kfp.toml, or of pyproject.toml the table [tool.kade2kfp].

    Args:
        path: the file.
        name: what diagnostics and messages call it; its path without one.

    Returns:
        The rules, without the settings that are wrong; the file's text, for showing diagnostics; and what is wrong:
        K011 where the file cannot be read, K012 for settings that are not known, K013 for values that do not fit.
    """
    file = name or os.fspath(path)
    try:
        data = data_of(path)
    except UnreadableError as error:
        help_ = "check the path, and that it may be read"
        unread = Diagnostic("K011", f"the file of settings cannot be read: {error}", help=help_, file=file)
        return Rules(file), Source(file, ""), [unread]
    toml = read_toml(data, file)
    if toml.problem:
        return Rules(file), toml.source, [toml.problem]
    shared = os.path.basename(path) == SHARED
    found = ours(toml.table) if shared else toml.table
    if found is None:
        help_ = "write the settings below `[tool.kade2kfp]`, or into a file kade2kfp.toml"
        return Rules(file), toml.source, [Diagnostic("K011", "it has no table [tool.kade2kfp]", help=help_, file=file)]
    reader = Reader(toml.source)
    rules = _rules(reader, found, TABLE if shared else ())
    return replace(rules, file=file), toml.source, reader.located()


def _rules(reader: Reader, found: object, at: Pointer) -> Rules:
    top = ".".join(map(str, at))
    given = table(reader, found, at, dict.fromkeys(SETTINGS), top)
    policy = given.get("policy", {})
    return Rules(
        select=_texts(reader, given, (*at, "select"), codes.problem, '["K2"]'),
        ignore=texts(reader, given.get("ignore", []), (*at, "ignore"), codes.problem, '["K206"]', none=True),
        werror=flag(reader, given.get("werror", False), (*at, "werror")),
        max_diagnostics=count(reader, given.get("max-diagnostics", 0), (*at, "max-diagnostics")),
        policy=_policy(reader, policy, (*at, "policy"), f"{top}.policy" if top else "policy"),
    )


def _policy(reader: Reader, found: object, at: Pointer, name: str) -> Policy:
    given = table(reader, found, at, dict.fromkeys(POLICY), name)
    hosts = _texts(reader, given, (*at, "registries"), _registry_problem, '["registry.example.org"]')
    return Policy(
        registries=tuple(map(registry, hosts)),
        pinned=_pinned(reader, given["pinned"], (*at, "pinned")) if "pinned" in given else "",
        labels=_texts(reader, given, (*at, "labels"), _label_problem, '["team"]'),
        label_values=_label_values(reader, given["label-values"], (*at, "label-values"))
        if "label-values" in given
        else (),
        forbidden_types=_texts(reader, given, (*at, "forbidden-types"), _type_problem, '["notebook"]'),
        required_limits=_texts(reader, given, (*at, "required-limits"), _resource_problem, '["memory"]'),
        most=_most(reader, given["max"], (*at, "max")) if "max" in given else (),
        mirror=_mirror(reader, given["mirror"], (*at, "mirror")) if "mirror" in given else (),
    )


def _texts(
    reader: Reader, given: Mapping[str, Any], at: Pointer, fit: Callable[[str], tuple[str, str]], example: str
) -> tuple[str, ...]:
    """The list of that setting; none where it is not given."""
    return texts(reader, given[str(at[-1])], at, fit, example) if at[-1] in given else ()


def _registry_problem(text: str) -> tuple[str, str]:
    try:
        registry(text)
    except ValueError as error:
        return f"`{shown(text)}` is no registry", str(error)
    return "", ""


def _label_problem(key: str) -> tuple[str, str]:
    problem = key_problem(key)
    return (f"`{shown(key)}` is not the key of a label", problem) if problem else ("", "")


def _type_problem(name: str) -> tuple[str, str]:
    if name in TYPES:
        return "", ""
    return f"`{shown(name)}` is not a type of task", did_you_mean(name, TYPES, noun="types")


def _resource_problem(key: str) -> tuple[str, str]:
    if key in _KNOWN or ("/" in key and not key_problem(key)):
        return "", ""
    help_ = (
        key_problem(key)
        if "/" in key
        else did_you_mean(key, _KNOWN)
        if closest(key, (*_KNOWN, "gpu")) in _KNOWN
        else ""
    )
    return f"`{shown(key)}` is no resource", help_ or "it is cpu, memory, or one such as nvidia.com/gpu"


def _ceiling_problem(key: str) -> tuple[str, str]:
    """As of a resource; a `*` at the end stands for any rest of a name with a slash."""
    if key.endswith("*") and "/" in key:
        plain = key[:-1] + "x"
        return (f"`{shown(key)}` is no resource", key_problem(plain)) if key_problem(plain) else ("", "")
    if "*" in key:
        return f"`{shown(key)}` is no resource", "a `*` stands at the end, behind a slash: nvidia.com/*"
    return _resource_problem(key)


def _pinned(reader: Reader, value: object, at: Pointer) -> Pinned:
    if value in _PINNED:
        return cast(Pinned, value)
    what = f"`{shown(value)}`" if isinstance(value, str) else kind_of(value)
    help_ = "`tag` asks for any tag but latest, `digest` for @sha256:..."
    reader.wrong(at, f'expected "tag" or "digest", found {what}', help_)
    return ""


def _label_values(reader: Reader, value: object, at: Pointer) -> tuple[tuple[str, str], ...]:
    good = []
    for key, pattern, place in entries(reader, value, at, 'cost-center = "[0-9]{4}"'):
        problem, help_ = _label_problem(key)
        if problem:
            reader.wrong(place, problem, help_, on_key=True)
        elif not isinstance(pattern, str):
            reader.expected(place, "a regular expression", pattern, 'write it as a text, such as "[0-9]{4}"')
        elif problem := patterns.problem(pattern):
            reader.wrong(
                place, f"this is not a regular expression: {shown(problem)}", "mend it; the whole value must fit"
            )
        else:
            good.append((key, pattern))
    return tuple(good)


def _most(reader: Reader, value: object, at: Pointer) -> tuple[tuple[str, str], ...]:
    good = []
    for key, amount, place in entries(reader, value, at, 'memory = "64Gi"'):
        problem, help_ = _ceiling_problem(key)
        if problem:
            reader.wrong(place, problem, help_, on_key=True)
            continue
        number = isinstance(amount, int | float) and not isinstance(amount, bool) and math.isfinite(amount)
        text = amount if isinstance(amount, str) else str(amount) if number and abs(amount) < 10**15 else ""
        most = quantity_value(text) if text else None
        if most is None or most < 0:
            what = f"`{shown(text)}`" if text else kind_of(amount)
            reader.wrong(place, f"expected a quantity, found {what}", 'write it as Kubernetes does: 16, "500m", "64Gi"')
        else:
            good.append((key, text))
    return tuple(good)


def _mirror(reader: Reader, value: object, at: Pointer) -> tuple[tuple[str, str], ...]:
    good: dict[str, str] = {}
    spots: dict[str, Pointer] = {}
    for start, target, place in entries(reader, value, at, '"docker.io" = "mirror.example.org/hub"'):
        if not isinstance(target, str):
            reader.expected(place, "a registry", target, 'write it as a text, such as "mirror.example.org/hub"')
            continue
        wrong = False
        for text, on_key in ((start, True), (target, False)):
            problem, help_ = _registry_problem(text)
            if problem:
                wrong = True
                reader.wrong(place, problem, help_, on_key=on_key)
        if wrong:
            continue
        if registry(start) in good:
            reader.wrong(place, f"`{shown(start)}` is mirrored twice", "keep one of them", on_key=True)
        else:
            good[registry(start)] = registry(target)
            spots[registry(start)] = place
    while again := overlap(tuple(good.items())):
        start, target, other = again
        message = f"`{shown(target)}` would be mirrored again, by `{shown(other)}`"
        reader.wrong(spots[start], message, "name a place that is not mirrored itself")
        del good[start]
    return tuple(good.items())
