"""Values to text and back as KFP writes them. Standard library alone, and little of it: the launcher inside the pod uses
it too, and has no numbers to write in most steps."""

from __future__ import annotations

import json
import math


def plain(number: float) -> str:
    """Go's FormatFloat(n, 'f', -1): never an exponent (metadata/converter.go, PbValueToText)."""
    from decimal import Decimal

    return f"{Decimal(repr(float(number))).normalize():f}"


def short(number: float) -> str:
    """The driver's own text of a number: "%d" of an int64, else Go's "%g" (driver/util.go, pbValueToString)."""
    from decimal import Decimal

    number = float(number)
    if number.is_integer() and -(2**63) <= number < 2**63:
        return str(int(number))
    exact = Decimal(repr(number)).normalize()
    if -4 <= exact.adjusted() < 6:
        return plain(number)
    first, *rest = exact.as_tuple().digits
    tail = "." + "".join(map(str, rest)) if rest else ""
    return f"{'-' if number < 0 else ''}{first}{tail}e{exact.adjusted():+03d}"


def to_json(value, html: bool = True) -> str:
    """Go's JSON: sorted keys, no spaces, whole numbers without a point; `html` writes <, > and & as escapes."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{to_json(key, html)}:{to_json(value[key], html)}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(to_json(one, html) for one in value) + "]"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return plain(value) if value == 0 or 1e-6 <= abs(value) < 1e21 else repr(float(value)).replace("e-0", "e-")
    text = json.dumps(value, ensure_ascii=False)
    if html:
        for sign in "<>&\u2028\u2029":
            text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def to_text(value: object, number=plain) -> str:
    """What a value is as a string parameter, or in a command (component/launcher_v2.go, getPlaceholders)."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(number(value))
    return value if isinstance(value, str) else to_json(value)


_BOOLEANS = {"1": True, "t": True, "T": True, "TRUE": True, "true": True, "True": True}
_BOOLEANS |= {"0": False, "f": False, "F": False, "FALSE": False, "false": False, "False": False}


def from_text(text: str, kind: str) -> object:
    """The value of an output parameter's file (metadata/converter.go, TextToPbValue); ValueError if it has none."""
    if kind == "STRING":
        return text
    if kind == "NUMBER_INTEGER":
        word = text.strip()
        if not word.lstrip("+-").isascii() or not word.lstrip("+-").isdigit():
            raise ValueError(f"{text!r} is no integer")
        return int(word)
    if kind == "NUMBER_DOUBLE":
        return _finite(text.strip())
    if kind == "BOOLEAN":
        if text.strip() not in _BOOLEANS:
            raise ValueError(f"{text!r} is no boolean")
        return _BOOLEANS[text.strip()]
    value = json.loads(text, parse_float=_finite, parse_constant=_no_number, object_pairs_hook=_once)
    json.dumps(value, ensure_ascii=False).encode()  # half a character is a ValueError, and protojson's error
    if not isinstance(value, {"LIST": list, "STRUCT": dict}[kind]):
        raise ValueError(f"{text!r} is no {kind}")
    return value


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _no_number(text: str) -> float:
    raise ValueError(f"{text!r} is out of range, or no JSON")


def _once(pairs: list[tuple[str, object]]) -> dict:
    """An object as protojson reads it, which refuses a key that stands twice."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("duplicate map key")
    return made


_SCHEMES = {"gs": "/gcs", "minio": "/minio", "s3": "/s3"}


def local_path(uri: str) -> str:
    """Where an artifact lies in a pod (component/launcher_v2.go, LocalPathForURI); ValueError for other schemes."""
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme not in _SCHEMES:
        raise ValueError(f"no local path for {uri}: unsupported storage scheme")
    return f"{_SCHEMES[scheme]}/{rest}"


def workspace_path(uri: str) -> str:
    """Where an importer puts an artifact that goes into the workspace (LocalWorkspacePathForURI)."""
    return f"/kfp-workspace/.artifacts{local_path(uri)}"
