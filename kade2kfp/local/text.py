"""Values as the text that a step gets, as KFP's driver writes it (backend/src/v2/driver/util.go, pbValueToString)."""

from __future__ import annotations

import json
from decimal import Decimal

from kade2kfp.steps.sources import Json, Type

_HTML = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def value_text(value: Json) -> str:
    """A value as text: numbers as Go's %d and %g, booleans in lower case, lists and objects as compact JSON."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            number = float(value)  # KFP carries all numbers as doubles
            if number.is_integer() and -(2**63) <= number < 2**63:  # n == float64(int64(n))
                return str(int(number))
            return _number(number, 6, "+03")
        case str():
            return value
    return _json(value)


def item_text(item: Json, key: str | None) -> str:
    """An item of a loop, or one key of it, as the text that KFP's driver makes of it (metadata/converter.go, PbValueToText).

    Raises KeyError where the item is no object, or one without the key.
    """
    if key is None:
        match item:
            case bool() | str() | None:
                return value_text(item)
            case int() | float():
                return format(Decimal(repr(float(item))).normalize(), "f")
        return _json(item)
    # The driver reads the item's text (expression/expression.go, Select).
    try:
        found = json.loads(item_text(item, None))
    except ValueError:
        raise KeyError(key) from None
    if not isinstance(found, dict):
        raise KeyError(key)
    return item_text(found[key], None)


def _json(value: Json) -> str:
    """JSON as Go's encoding/json writes it: keys sorted, and escaped what HTML and JavaScript would take for their own."""
    match value:
        case bool() | None:
            return json.dumps(value)
        case int() | float():
            return _number(float(value), 21, "+")
        case str():
            return json.dumps(value, ensure_ascii=False).translate(_HTML)
        case list():
            return f"[{','.join(map(_json, value))}]"
    return "{" + ",".join(f"{_json(key)}:{_json(value[key])}" for key in sorted(value)) + "}"


def _number(value: float, most: int, exponent: str) -> str:
    """A number, with an exponent where it has more than `most` digits before its point, or begins far behind it.

    Go: fmt's %g, and encoding/json's floatEncoder, which begins at 1e21 and 1e-6; both take the fewest digits that
    mean the number, and write zeros behind them.
    """
    exact = Decimal(repr(value)).normalize()
    power = exact.adjusted()
    if (-4 if most == 6 else -6) <= power < most:
        return format(exact, "f")
    first, *rest = exact.as_tuple().digits
    digits = f"{first}.{''.join(map(str, rest))}" if rest else str(first)
    return f"{'-' if value < 0 else ''}{digits}e{power:{exponent}}"


def text_value(text: str, type_: Type) -> Json:
    """The value that a step wrote as text; step.sh has checked all but the JSON of lists and objects.

    Raises ValueError where it is not of the type, or where KFP's launcher could not read it: protojson refuses a key
    that stands twice, and half a character (backend/src/v2/metadata/converter.go, TextToPbValue).
    """
    if type_ == "string":
        return text
    bare = text.strip()
    if type_ == "boolean":
        return bare.lower() == "true"
    if type_ == "integer":
        return int(bare)
    if type_ == "number":
        return float(bare)
    value: Json = json.loads(bare, object_pairs_hook=_once)
    if not isinstance(value, list if type_ == "array" else dict):
        raise ValueError(f"not of type {type_}")
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("half a character (a surrogate without the other) is in its JSON") from None
    return value


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    made: dict[str, Json] = {}
    for key, value in pairs:
        if key in made:
            raise ValueError(f"the key {json.dumps(key)} stands twice in one object")
        made[key] = value
    return made
