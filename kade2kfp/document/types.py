"""The kinds of text a field can be: names, paths, durations, quantities. Each raises a Kxxx of its own when it is wrong.

A text with `{{` in it is left alone here: the pass that resolves references says what is wrong with it, once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from kade2kfp.document.base import Takes
from kade2kfp.steps import quantity

_DURATION = re.compile(r"(?:([0-9]{1,12})d)?(?:([0-9]{1,12})h)?(?:([0-9]{1,12})m)?(?:([0-9]{1,12})s)?")
_SECONDS = (86400, 3600, 60, 1)
MAX_SECONDS = 2**31 - 1
# A dot, a letter and up to seven letters or digits (document.md, Rules): model.pkl, but not llama-3.1, not v1.2.
_FILE_SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,7}$")


def _error(code: str, message: str, value: str = "", **context: Any) -> PydanticCustomError:
    """An error of ours. The document's text goes in last: pydantic would fill in a `{help}` in it too."""
    return PydanticCustomError(code, message, {**context, "value": value})


def has_reference(value: object) -> bool:
    """Whether the text holds something that looks like a reference."""
    return isinstance(value, str) and "{{" in value


def duration_seconds(text: str) -> int | None:
    """Seconds of `90s`, `30m`, `8h`, `7d` or a combination such as `1h30m`; None if it is not a duration."""
    match = _DURATION.fullmatch(text)
    if not match or not text:
        return None
    return sum(int(count) * unit for count, unit in zip(match.groups(), _SECONDS, strict=True) if count)


def quantity_value(text: str) -> Fraction | None:
    """The number that a Kubernetes quantity stands for; None if it is none, or negative."""
    try:
        value = quantity.parse(text)
    except ValueError:
        return None
    return None if value < 0 else value


def _pattern(code: str, pattern: str, what: str, rule: str) -> Callable[[Any], Any]:
    compiled = re.compile(pattern)

    def check(value: Any) -> Any:
        if isinstance(value, str) and not has_reference(value) and not compiled.fullmatch(value):
            raise _error(code, "{value} is not a valid {what}", value=_quoted(value), what=what, help=rule)
        return value

    return check


def _quoted(value: str) -> str:
    return f"`{value if len(value) <= 60 else value[:57] + '...'}`"


def _duration(value: Any) -> Any:
    if not isinstance(value, str) or has_reference(value):
        return value
    seconds = duration_seconds(value)
    help_ = "write it as `90s`, `30m`, `8h`, `7d`, or combined, largest first: `1h30m`"
    if seconds is None:
        raise _error("K106", "{value} is not a duration", value=_quoted(value), help=help_)
    if not 0 < seconds <= MAX_SECONDS:
        raise _error(
            "K106",
            "the duration {value} is out of range",
            value=_quoted(value),
            help="it must be longer than zero and at most 24855d",
        )
    return value


def _quantity(value: Any) -> Any:
    if has_reference(value):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _error(
            "K102",
            "expected a quantity, found {found}",
            found=kind_of(value),
            help="write `500m`, `2`, `1Gi`",
        )
    text = value if isinstance(value, str) else number_text(value)
    if quantity_value(text) is None:
        shown = _quoted(str(value))
        raise _error(
            "K107",
            "{value} is not a quantity",
            value=shown,
            help=f"{_bytes(text)} as Kubernetes does: `500m`, `2`, `512Mi`, `1.5Gi`",
        )
    return text


def _bytes(text: str) -> str:
    """The beginning of a help: what was probably meant by `4GB` or `512 MiB`, where it is that."""
    short = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,9})?) ?([kKmMgGtT])(i?)([bB]?)", text)
    if short is None or (short[2] == "m" and not short[4]):  # `m` alone is a thousandth
        return "write it"
    unit = "k" if short[2] in "kK" and not short[3] else short[2].upper()
    return f"did you mean `{short[1]}{unit}{short[3]}`? Write it"


def number_text(value: float) -> str:
    """A number without an exponent, and without `.0` where it is whole."""
    return str(int(value)) if isinstance(value, int) or value.is_integer() else format(Decimal(repr(value)), "f")


def kind_of(value: object) -> str:
    """What a JSON value is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return f"the boolean {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case str():
            return "an empty text" if not value else "a text"
        case list():
            return "a list"
        case _:
            return "an object"


def path_problem(path: str) -> str | None:
    """What is wrong with a path inside a container, or None. `/` itself is a path."""
    if any(ord(char) < 32 or ord(char) == 127 for char in path):
        return "holds a control character"
    if ".." in path.split("/"):
        return "has a `..`"
    if any(bad in path for bad in ("$(", "$$")):
        return "holds `$(` or `$$`, which Kubernetes replaces"
    if len(path) > 1024:
        return "is longer than 1024 characters"
    return None


def _absolute(value: Any) -> Any:
    if not isinstance(value, str) or has_reference(value):
        return value
    if not value.startswith("/"):
        raise _error("K108", "the path {value} is not absolute", value=_quoted(value), help="begin it with `/`")
    if problem := path_problem(value):
        raise _error(
            "K108",
            "the path {value} {problem}",
            value=_quoted(value),
            problem=problem,
            help="name the folder itself, without `..`, control characters, `$(` or `$$`",
        )
    return normal(value)


def _relative(value: Any) -> Any:
    if not isinstance(value, str) or has_reference(value):
        return value
    if value.startswith("/"):
        raise _error(
            "K108",
            "the path {value} is absolute",
            value=_quoted(value),
            help="write it relative, without the first `/`",
        )
    if not value or (value.strip("./") == "" and ".." not in value):
        raise _error("K108", "the path {value} names nothing", value=_quoted(value), help="name a file or folder")
    if problem := path_problem(value):
        raise _error(
            "K108",
            "the path {value} {problem}",
            value=_quoted(value),
            problem=problem,
            help="name it without `..`, control characters, `$(` or `$$`",
        )
    return normal("/" + value)[1:]


def _sub_path(value: Any) -> Any:
    return value if value in ("", ".") else _relative(value)


def normal(path: str) -> str:
    """The path without empty and `.` segments and without a slash at its end."""
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))


def kind_of_path(path: str) -> Literal["file", "directory"]:
    """A file where the last segment has a file's suffix, else a directory."""
    return "file" if _FILE_SUFFIX.search(path.rsplit("/", 1)[-1]) else "directory"


def inside(path: str, folder: str) -> bool:
    """Whether a path is the folder or lies in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


_NAME_RULE = "it begins with a letter and has at most 63 letters, digits, `_` and `-`"
_ID_RULE = "it has at most 63 letters, digits, `_` and `-`, and does not begin with `_` or `-`"
DNS_RULE = "it has lower-case letters, digits, `-` and `.`, at most 253, and begins and ends with a letter or digit, as each part between dots does"
_ENV_RULE = "it has letters, digits and `_`, and does not begin with a digit"
_SLUG_RULE = "it has words of lower-case letters and digits with single `-` between them, begins with a letter, and has at most 63"
_PORT_RULE = "it has at most 15 lower-case letters, digits and `-`, a letter among them, and no `-` at its ends"
_KEY_RULE = "it has letters, digits, `-`, `_` and `.`, at most 253, and is not `.` nor begins with `..`"

Name = Annotated[
    str,
    BeforeValidator(_pattern("K104", r"[A-Za-z][A-Za-z0-9_-]{0,62}", "name", _NAME_RULE)),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,62}$"}),
]
Id = Annotated[
    str,
    BeforeValidator(_pattern("K104", r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", "id", _ID_RULE)),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"}),
]
EnvName = Annotated[
    str,
    BeforeValidator(_pattern("K104", r"[A-Za-z_][A-Za-z0-9_]*", "name of a variable", _ENV_RULE)),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}),
]
Slug = Annotated[
    str,
    BeforeValidator(_pattern("K104", r"(?=.{1,63}$)[a-z][a-z0-9]*(-[a-z0-9]+)*", "slug", _SLUG_RULE)),
    WithJsonSchema({"type": "string", "pattern": "^[a-z][a-z0-9]*(-[a-z0-9]+)*$", "maxLength": 63}),
]
# A port's name: IANA_SVC_NAME, https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#ports
PortName = Annotated[
    str,
    BeforeValidator(_pattern("K104", r"(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*", "name of a port", _PORT_RULE)),
    WithJsonSchema({"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 15}),
]
# A Kubernetes object's name: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
DNS_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_DNS = BeforeValidator(_pattern("K109", DNS_NAME.pattern, "Kubernetes name", DNS_RULE))
DnsName = Annotated[str, Takes.RUN, _DNS]
FixedDnsName = Annotated[str, _DNS]
# Kubernetes: apimachinery/pkg/util/validation, IsConfigMapKey
_KEY = r"(?!\.$|\.\.)[-._a-zA-Z0-9]{1,253}"
DataKey = Annotated[str, BeforeValidator(_pattern("K109", _KEY, "key", _KEY_RULE))]
Duration = Annotated[
    str,
    Takes.COMPILE,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "examples": ["90s", "30m", "8h", "7d"]}),
]
_QUANTITY_SCHEMA = WithJsonSchema({"type": ["string", "number"], "examples": ["500m", "2", "1Gi"]})
Quantity = Annotated[str, Takes.RUN, BeforeValidator(_quantity), _QUANTITY_SCHEMA]
CompileQuantity = Annotated[str, Takes.COMPILE, BeforeValidator(_quantity), _QUANTITY_SCHEMA]
AbsolutePath = Annotated[str, BeforeValidator(_absolute)]
RelativePath = Annotated[str, BeforeValidator(_relative)]
SubPath = Annotated[str, BeforeValidator(_sub_path)]
AnyPath = Annotated[
    str,
    BeforeValidator(
        lambda value: _absolute(value) if isinstance(value, str) and value.startswith("/") else _relative(value)
    ),
]


def _integer(value: Any) -> Any:
    if has_reference(value) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise _error(
        "K102",
        "expected a whole number, found {found}",
        found=kind_of(value),
        help="write a number, or one reference to a parameter of type integer",
    )


CompileInteger = Annotated[int | str, Takes.COMPILE, BeforeValidator(_integer)]


def integer_schema(least: int) -> WithJsonSchema:
    """The schema of a CompileInteger: a whole number from `least` on, or a reference."""
    reference = {"type": "string", "pattern": "\\{\\{"}
    return WithJsonSchema({"anyOf": [{"type": "integer", "minimum": least}, reference]})
