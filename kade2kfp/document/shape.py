"""Pydantic's errors, translated: one mistake, one diagnostic, at the right place, in our words."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, get_args, get_origin

from pydantic import ValidationError

from kade2kfp.diagnostics.model import Diagnostic, Pointer
from kade2kfp.document.base import Model, fields_by_alias
from kade2kfp.document.suggest import closest, did_you_mean
from kade2kfp.document.types import kind_of, number_text
from kade2kfp.source import Object

Loc = tuple[str | int, ...]

_EXPECTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}
# Words and operators of other languages.
_TWISTED = {
    "folder": "directory",
    "dir": "directory",
    "=": "==",
    "===": "==",
    "=>": ">=",
    "=<": "<=",
    "<>": "!=",
    "!==": "!=",
    "gt": ">",
    "lt": "<",
    "ge": ">=",
    "le": "<=",
}
# Words with two homes (document.md, Rules): what was probably meant where the value is none of this field's.
_TWINS = {
    "source": "; the address itself is `url`",
    "onExit": "; the task that runs at the end is named by the pipeline's own `onExit`",
}
_UNQUOTED = {
    "bool_type": "true|false",
    "int_type": "-?(0|[1-9][0-9]{0,8})",
    "float_type": r"-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,9})?",
}
_BOUNDS = {
    "greater_than_equal": ("must be at least {}", "ge"),
    "greater_than": ("must be more than {}", "gt"),
    "less_than_equal": ("must be at most {}", "le"),
    "less_than": ("must be less than {}", "lt"),
}


def diagnostics(
    error: ValidationError, model: type[Model], at: Pointer, owners: Mapping[str, Iterable[str]], value: Any
) -> list[Diagnostic]:
    """A diagnostic for each mistake; `at` is where the object stands, `owners` says which types have a field.

    `value` is the object as it was written, with its nulls.

    A field that is missing because its name is misspelt is one mistake, not two.
    """
    seen: set[tuple[Pointer, str, str]] = set()
    found = []
    errors = error.errors(include_url=False)
    meant = {(*at, *loc) for loc in misspelt(errors, model)}
    strangers = _strangers(errors, model, value)
    for one in errors:
        if one["type"] == "missing" and ((*at, *one["loc"]) in meant or one["loc"][:-1] in strangers):
            continue
        diagnostic = _translate(one, model, at, owners)
        if one["type"] == "extra_forbidden" and one["loc"][:-1] in strangers:
            if one["loc"][-1] != strangers[one["loc"][:-1]]:
                continue
            fields = fields_by_alias(there) if (there := model_at(model, one["loc"][:-1])) else ()
            diagnostic = replace(diagnostic, help=did_you_mean("", fields, noun="fields"))
        if one["type"] == "missing":
            diagnostic = missing(
                str(one["loc"][-1]), _inner(value, one["loc"][:-1]), diagnostic.pointer, diagnostic.help
            )
        lacking = diagnostic.message if one["type"] == "missing" else ""
        key = (diagnostic.pointer, diagnostic.code, lacking)
        if key not in seen:
            seen.add(key)
            found.append(diagnostic)
    return found


def _strangers(errors: list[Any], model: type[Model], value: Any) -> dict[Loc, str]:
    """Objects inside of the one that is read of which no field is known, as {"LEVEL": "info"} in `env`; their first key.

    They are of another shape: that a field is missing in them is no second mistake.
    """
    unknown: dict[Loc, set[str]] = {}
    lacking = set()
    for one in errors:
        *holder, name = one["loc"] or ("",)
        if one["type"] == "extra_forbidden":
            unknown.setdefault(tuple(holder), set()).add(str(name))
        elif one["type"] == "missing":
            lacking.add(tuple(holder))
    found = {}
    for loc in (unknown.keys() & lacking) - {loc[:-1] for loc in misspelt(errors, model)}:
        there = _inner(value, loc)
        if loc and isinstance(there, dict) and set(there) == unknown[loc]:
            found[loc] = next(iter(there))
    return found


def misspelt(errors: Iterable[Any], model: type[Model]) -> list[Loc]:
    """Where the fields would stand that unknown ones were probably meant to be."""
    found: list[Loc] = []
    for one in errors:
        if one["type"] == "extra_forbidden":
            *holder, name = one["loc"]
            there = model_at(model, tuple(holder))
            known = fields_by_alias(there) if there else {}
            match = _FIELDS[str(name)] if _FIELDS.get(str(name)) in known else closest(str(name), known)
            match = _outer(str(name), there) or match
            if match:
                found.append((*holder, match))
    return found


def missing(field: str, holder: Any, at: Pointer, help_: str) -> Diagnostic:
    """K101, at the object that lacks the field, or at the field where it is null."""
    if isinstance(holder, dict) and field in holder:
        return Diagnostic("K101", f"`{field}` is null, which is the same as missing", (*at, field), help_, on_key=True)
    return Diagnostic("K101", f"`{field}` is missing", at, help_)


def _inner(value: Any, loc: Loc) -> Any:
    for part in loc:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _translate(error: Any, model: type[Model], at: Pointer, owners: Mapping[str, Iterable[str]]) -> Diagnostic:
    kind, loc, context, value = error["type"], tuple(error["loc"]), error.get("ctx") or {}, error.get("input")
    pointer = (*at, *loc)
    named = [part for part in loc if isinstance(part, str)]
    name = f"`{named[-1]}`" if named else "this"
    if kind.startswith("K"):
        return Diagnostic(kind, error["msg"], pointer, help=str(context.get("help", "")))
    if kind == "missing":
        holder = model_at(model, loc[:-1])
        help_ = _describe(holder, str(loc[-1]))
        return Diagnostic("K101", f"{name} is missing", pointer[:-1], help=help_)
    if kind == "extra_forbidden":
        return Diagnostic(
            "K100",
            f"unknown field {name}",
            pointer,
            help=_unknown(str(loc[-1]), model_at(model, loc[:-1]), owners),
            on_key=True,
        )
    if kind == "literal_error":
        expected = [str(word) for word in _literals(model, loc)] or [str(context.get("expected", ""))]
        if not isinstance(value, str):
            return Diagnostic("K102", f"expected one of {_words(expected)}, found {kind_of(value)}", pointer)
        match = _TWISTED.get(value) if _TWISTED.get(value) in expected else closest(value, expected)
        twin = _TWINS.get(str(loc[-1]), "") if not match else ""
        help_ = f"did you mean `{match}`?" if match else f"it is one of {_words(expected)}{twin}"
        return Diagnostic(
            "K103",
            f"`{_cut(value)}` is not a value of {name}",
            pointer,
            help=help_ if not match else f"{help_} It is one of {_words(expected)}",
        )
    if kind in _EXPECTED:
        help_ = ""
        if kind == "string_type" and isinstance(value, bool | int | float):
            unit = "s" if loc[-1] in _DURATIONS and not isinstance(value, bool) else ""
            help_ = f'put it in quotes: "{str(value).lower() if isinstance(value, bool) else value}{unit}"'
        elif isinstance(value, str) and _UNQUOTED.get(kind, "") and re.fullmatch(_UNQUOTED[kind], value):
            help_ = f"write it without quotes: {value}"
        elif kind == "list_type" and isinstance(value, dict) and name == "`env`":
            help_ = 'write it as Kubernetes does: [{"name": "EPOCHS", "value": "20"}]'
        elif kind in ("dict_type", "model_type", "model_attributes_type"):
            help_ = _as_object(str(loc[-1]), value)
        if kind == "list_type" and isinstance(value, str):
            words = json.dumps(value.split() if loc[-1] in ("command", "args") else [value], ensure_ascii=False)
            help_ = f"write each on its own: {words}" if len(words) < 100 else "write each on its own, in brackets"
        return Diagnostic("K102", f"expected {_EXPECTED[kind]}, found {kind_of(value)}", pointer, help=help_)
    if kind in _BOUNDS:
        text, bound = _BOUNDS[kind]
        return Diagnostic(
            "K105", f"{value} is out of range: {name} " + text.format(_number(context.get(bound))), pointer
        )
    if kind in ("string_too_short", "too_short"):
        return Diagnostic("K105", f"{name} is empty", pointer, help="say something, or leave the field out")
    if kind in ("string_too_long", "too_long"):
        return Diagnostic("K105", f"{name} is too long: at most {context.get('max_length')} characters", pointer)
    if kind == "string_pattern_mismatch":
        return Diagnostic(
            "K104",
            f"`{_cut(str(value))}` is not a valid {name.strip('`')}",
            pointer,
            help=f"it must match {context.get('pattern')}",
        )
    return Diagnostic("K102", f"{name}: {error['msg']}", pointer)


def _number(value: object) -> str:
    return number_text(value) if isinstance(value, float) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _as_object(field: str, value: Any) -> str:
    """How a value is written that other tools take as it stands; "" where nothing can be said."""
    if field == "retry" and not isinstance(value, bool) and re.fullmatch("[1-9][0-9]?", str(value)):
        return f'write it as {{"limit": {value}}}'
    if field == "test" and isinstance(value, str):
        return 'write it as {"left": "{{tasks.ID.metrics.KEY}}", "operator": ">=", "right": 0.9}'
    return 'write it as {"items": [...]}' if field == "forEach" and isinstance(value, list) else ""


def _words(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words if word) or "`true`, `false`"


def _describe(model: type[Model] | None, field: str) -> str:
    name = fields_by_alias(model).get(field) if model else None
    text = model.model_fields[name].description if model and name else None
    return f"`{field}` is {text[0].lower()}{text[1:].removesuffix('.')}" if text else ""


# Words of other tools, and what stands for them here: a field, or advice.
_FIELDS = {
    "retries": "retry", "mounts": "volumes", "volumeMounts": "volumes", "environment": "env", "envVars": "env", "envs": "env",
    "entrypoint": "command", "cmd": "command", "run": "script", "packages": "packagesToInstall", "requirements": "packagesToInstall",
    "dependencies": "packagesToInstall", "pip": "packagesToInstall", "workdir": "workingDir", "timeoutSeconds": "timeout",
    "params": "parameters", "steps": "tasks", "nodes": "tasks", "edges": "arrows", "links": "arrows", "from": "fromTask",
    "to": "toTask", "source": "fromTask", "target": "toTask", "uri": "url", "ttl": "timeToLive", "logdir": "logPath",
    "logDir": "logPath", "persistentVolumeClaim": "claimName", "pvc": "claimName", "port": "containerPort", "path": "mountPath",
    "name": "id",
}  # fmt: skip
_ADVICE = {
    **dict.fromkeys(("dependsOn", "depends_on", "depends", "needs", "after", "runAfter", "upstream"), "draw an arrow: that is how one task comes after another"),
    **dict.fromkeys(("inputs", "input", "artifacts"), "what comes in is an arrow's `toPath`, or a reference such as `{{params.NAME}}`"),
    **dict.fromkeys(("gpu", "gpus", "accelerator"), 'write "resources": {"limits": {"nvidia.com/gpu": 1}}'),
    **dict.fromkeys(("when", "if", "condition"), 'let a task of type `condition` decide, and draw an arrow with "branch" from it'),
    **dict.fromkeys(("serviceAccountName", "serviceAccount"), "leave it out: `kade2kfp submit --service-account` says it for the run"),
    "envFrom": 'name each variable in `env`: {"name": ..., "valueFrom": {"secretKeyRef": {"name": ..., "key": ...}}}',
    **dict.fromkeys(("cpu", "memory"), 'write "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}'),
}  # fmt: skip
_OF_SECURITY = (
    "fsGroup",
    "privileged",
    "capabilities",
    "allowPrivilegeEscalation",
    "seccompProfile",
    "supplementalGroups",
)
_DURATIONS = ("timeout", "backoff", "maxBackoff", "timeToLive", "every")


def _unknown(field: str, model: type[Model] | None, owners: Mapping[str, Iterable[str]]) -> str:
    known = fields_by_alias(model) if model else {}
    others = sorted(owners.get(field, ()))
    if field in _ADVICE and "id" in known and "type" in known:
        return _ADVICE[field]
    if field in ("cpu", "memory") and {"requests", "limits"} <= known.keys():
        return f"`{field}` stands in `requests` or `limits`"
    if field in ("gpu", "gpus") and {"requests", "limits"} <= known.keys():
        return 'write "limits": {"nvidia.com/gpu": 1}'
    if field in _OF_SECURITY and "runAsUser" in known:
        return "leave it out: KFP sets no such field of a pod"
    if _FIELDS.get(field) in known:
        return f"did you mean `{_FIELDS[field]}`?"
    if not others and (outer := _outer(field, model)):
        return f"`{field}` stands in `{outer}`"
    match = closest(field, known)
    if others and not (match and match.casefold() == field.casefold()):
        near = closest(field, known, cutoff=0.9)
        belongs = f"`{field}` belongs to {' and '.join(others)}"
        return f"did you mean `{near}`? {belongs}" if near else belongs
    if match:
        return f"did you mean `{match}`?"
    return (
        did_you_mean(field, known, noun="fields")
        or "leave it out, or begin its name with `x-` to keep it for your own tools"
    )


def _outer(field: str, model: type[Model] | None) -> str | None:
    """The one field whose object has a field of this name, as `test` has `left`; None where there is none, or a nearer word."""
    known = fields_by_alias(model) if model else {}
    if model is None or closest(field, known, cutoff=0.9):
        return None
    inner = {outer: model_at(model, (outer,)) for outer in known}
    found = [outer for outer, there in inner.items() if there and field in fields_by_alias(there)]
    return found[0] if len(found) == 1 else None


def model_at(model: type[Model], loc: Loc) -> type[Model] | None:
    """The model of the object at a place below `model`, or None where there is none."""
    annotation: Any = model
    for part in loc:
        if isinstance(annotation, type) and issubclass(annotation, Model):
            name = fields_by_alias(annotation).get(str(part))
            if name is None:
                return None
            annotation = _core(annotation.model_fields[name].annotation)
        else:
            arguments = get_args(annotation)
            if not arguments:
                return None
            annotation = _core(arguments[-1])
    return annotation if isinstance(annotation, type) and issubclass(annotation, Model) else None


def _core(annotation: Any) -> Any:
    """The annotation without Annotated and without None."""
    while True:
        if hasattr(annotation, "__metadata__"):
            annotation = annotation.__origin__
        elif get_origin(annotation) is types.UnionType or str(get_origin(annotation)) == "typing.Union":
            annotation = next(argument for argument in get_args(annotation) if argument is not type(None))
        else:
            return annotation


def _literals(model: type[Model], loc: Loc) -> tuple[Any, ...]:
    indexed = [part for part in loc if isinstance(part, str)]
    holder = model_at(model, loc[:-1]) if isinstance(loc[-1], str) else model_at(model, loc[:-2])
    name = fields_by_alias(holder).get(indexed[-1]) if holder else None
    annotation = _core(holder.model_fields[name].annotation) if holder and name else None
    if get_origin(annotation) is list:
        annotation = _core(get_args(annotation)[0])
    return get_args(annotation)


def pruned(value: Any, errors: list[Any]) -> Any:
    """The value without what the errors are about: a wrong field is left out, an object that lacks one too.

    Returns None where the whole value must go.
    """
    drop: set[Loc] = set()
    for error in errors:
        loc: Loc = tuple(error["loc"])
        if error["type"] == "missing":
            loc = loc[:-1]
        loc = _there(value, loc)
        if not loc:
            return None
        drop.add(loc)
    return _without(value, (), drop)


def _there(value: Any, loc: Loc) -> Loc:
    """The way as far as it goes in the value: an error may name a field of what a short form stands for."""
    for i, part in enumerate(loc):
        is_there = part in value if isinstance(value, dict) else isinstance(value, list) and isinstance(part, int)
        if not is_there:
            return loc[:i]
        value = value[part]
    return loc


def _without(value: Any, at: Loc, drop: set[Loc]) -> Any:
    if isinstance(value, dict):
        copy: dict[str, Any] = Object(
            {key: _without(item, (*at, key), drop) for key, item in value.items() if (*at, key) not in drop}
        )
        if isinstance(value, Object) and isinstance(copy, Object):
            copy.pointer = value.pointer
        return copy
    if isinstance(value, list):
        kept = []
        for i, item in enumerate(value):
            if (*at, i) not in drop:
                kept.append(_without(item, (*at, i), drop))
            elif not isinstance(item, dict | str):
                kept.append("")  # keeps the places of those behind it; where a text is wrong too, it goes the next time
        return kept
    return value
