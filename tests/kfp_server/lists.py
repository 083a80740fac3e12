"""Lists: filters, order and page tokens as KFP has them (apiserver/list/list.go, filter/filter.go)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import unquote_plus

from .errors import ApiError, invalid, invalid_because

R = TypeVar("R")
Columns = Mapping[str, Any]

_OPERATIONS = ("", "EQUALS", "NOT_EQUALS", "GREATER_THAN", "GREATER_THAN_EQUALS", "LESS_THAN", "LESS_THAN_EQUALS", "IN")
_OPERATIONS += ("IS_SUBSTRING",)
_SHORT = dict(zip(_OPERATIONS[1:], ("EQ", "NEQ", "GT", "GTE", "LT", "LTE", "IN", "SUBSTRING"), strict=True))
_VALUES = ("int_value", "long_value", "string_value", "timestamp_value", "int_values", "long_values", "string_values")
_CAMEL = {"".join([one.split("_")[0], one.split("_")[1].title()]): one for one in _VALUES}

# The model's columns by the API's names (apiserver/model/*.go, APIToModelFieldMap).
FIELDS: dict[str, dict[str, str]] = {
    "Run": {
        "run_id": "UUID", "id": "UUID", "display_name": "DisplayName", "name": "DisplayName",
        "created_at": "CreatedAtInSec", "finished_at": "FinishedAtInSec", "description": "Description",
        "scheduled_at": "ScheduledAtInSec", "storage_state": "StorageState", "status": "Conditions",
        "namespace": "Namespace", "experiment_id": "ExperimentUUID", "state": "State", "state_history": "StateHistory",
        "runtime_details": "PipelineRuntimeManifest", "recurring_run_id": "JobUUID",
    },
    "Experiment": {
        "id": "UUID", "experiment_id": "UUID", "name": "Name", "display_name": "Name", "created_at": "CreatedAtInSec",
        "last_run_created_at": "LastRunCreatedAtInSec", "description": "Description", "namespace": "Namespace",
        "storage_state": "StorageState",
    },
    "Job": {
        "id": "UUID", "recurring_run_id": "UUID", "name": "DisplayName", "display_name": "DisplayName",
        "created_at": "CreatedAtInSec", "updated_at": "UpdatedAtInSec", "description": "Description",
    },
    "Pipeline": {
        "id": "UUID", "pipeline_id": "UUID", "name": "Name", "display_name": "DisplayName",
        "created_at": "CreatedAtInSec", "description": "Description", "namespace": "Namespace",
    },
    "PipelineVersion": {
        "id": "UUID", "pipeline_version_id": "UUID", "name": "Name", "display_name": "DisplayName",
        "created_at": "CreatedAtInSec", "status": "Status", "description": "Description",
        "pipeline_spec": "PipelineSpec",
    },
}  # fmt: skip
_TABLES = {"Run": "", "Experiment": "experiments", "Job": "jobs", "Pipeline": "pipelines"}
_TABLES["PipelineVersion"] = "pipeline_versions"
# GetFieldValue knows fewer names than the map: a run sorted by these has no next page.
_WITHOUT_VALUE = ("ExperimentUUID", "JobUUID", "StateHistory")


def page(
    kind: str, rows: Sequence[R], columns: Callable[[R], Columns], query: Mapping[str, str], limit: int = 200
) -> tuple[list[R], int, str]:
    """The rows of one page, how many there are on all pages, and the token of the next page.

    `query` has page_token, page_size, sort_by and filter, as texts; ApiError for what KFP refuses of them. A page has
    `limit` rows at most: KFP's is 200.
    """
    size = min(_size(query.get("page_size", "")), limit)
    given = query.get("page_token", "")
    options = _options(kind, query.get("sort_by", ""), query.get("filter", "")) if not given else _of_token(given)
    if given and (query.get("sort_by") or query.get("filter")):
        wanted = _options(kind, query.get("sort_by", ""), query.get("filter", ""))
        if any(wanted[key] != options.get(key) for key in ("SortByFieldName", "IsDesc", "Filter")):
            raise invalid(
                "page token does not match the supplied sort by and/or filtering criteria. Either specify the same "
                "criteria or leave the latter empty if page token is specified"
            )
    prefix = f"{_TABLES[kind]}." if _TABLES[kind] else ""
    found = [one for one in rows if _holds(options["Filter"], columns(one), prefix)]
    key = options["SortByFieldName"]

    def order(one: R) -> tuple[Any, Any]:
        return columns(one).get(key, ""), columns(one)["UUID"]

    found.sort(key=order, reverse=options["IsDesc"])
    total = len(found)
    if given and options["SortByFieldValue"] is not None:
        start = (options["SortByFieldValue"], options["KeyFieldValue"])
        found = [one for one in found if (order(one) <= start if options["IsDesc"] else order(one) >= start)]
    token = ""
    if len(found) > size:
        if key in _WITHOUT_VALUE:
            raise invalid(f'cannot sort by field "{key}" on type "{kind}"')
        next_value, next_key = order(found[size])
        token = _token({**options, "SortByFieldValue": next_value, "KeyFieldValue": next_key})
    return found[:size], total, token


def _size(text: str) -> int:
    try:
        size = int(text or 0)
    except ValueError:
        raise ApiError(
            3, f'type mismatch, parameter: page_size, error: strconv.ParseInt: parsing "{text}": invalid syntax', ""
        ) from None
    if size < 0:
        raise invalid(f"The page size should be greater than 0. Got {size}")
    return min(size, 200) or 20


def _token(options: Mapping[str, Any]) -> str:
    return base64.b64encode(json.dumps(options, separators=(",", ":")).encode()).decode()


def _of_token(text: str) -> dict[str, Any]:
    try:
        found = json.loads(base64.b64decode(text, validate=True))
    except ValueError as error:
        raise invalid_because(str(error), "Invalid page token") from error
    if not isinstance(found, dict) or "SortByFieldName" not in found:
        raise invalid_because("json: cannot unmarshal into Go value of type list.token", "Invalid page token")
    return found


def _options(kind: str, sort_by: str, text: str) -> dict[str, Any]:
    words = sort_by.lower().split()
    if len(words) > 2 or (len(words) == 2 and words[1] not in ("asc", "desc")):
        known = '"field_name", "field_name desc", or "field_name asc"'
        raise invalid(f"Received invalid sort by format {json.dumps(sort_by)}. Supported format: {known}")
    filtered = _filter(kind, text)
    column = "CreatedAtInSec"
    if words:
        if words[0] not in FIELDS[kind]:
            raise invalid(f'Invalid sorting field: "{words[0]}" on listable type {kind}')
        column = FIELDS[kind][words[0]]
    prefix = f"{_TABLES[kind]}." if _TABLES[kind] else ""
    return {
        "SortByFieldName": column,
        "SortBySQLColumn": column,
        "SortByFieldValue": None,
        "SortByFieldPrefix": prefix,
        "KeyFieldName": "UUID",
        "KeyFieldValue": None,
        "KeyFieldPrefix": prefix,
        "IsDesc": len(words) == 2 and words[1] == "desc",
        "ModelName": _TABLES[kind],
        "Filter": filtered,
    }


def _filter(kind: str, text: str) -> dict[str, dict[str, list[Any]]] | None:
    """A filter as page tokens keep it: by operation, then column, the values."""
    if not text:
        return None
    decoded = unquote_plus(text)
    try:
        predicates = json.loads(decoded).get("predicates", [])
        wanted = [_predicate(one) for one in predicates]
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise invalid(f"failed to parse valid filter from {json.dumps(text)}: proto: {error}") from error
    if not wanted:
        return None
    made: dict[str, dict[str, list[Any]]] = {short: {} for short in _SHORT.values()}
    prefix = f"{_TABLES[kind]}." if _TABLES[kind] else ""
    for operation, key, value in wanted:
        _check(operation, value)
        if key not in FIELDS[kind]:
            raise invalid(f'no support for filtering on unrecognized field "{key}"')
        made[_SHORT[operation]].setdefault(prefix + FIELDS[kind][key], []).append(value)
    return made


def _predicate(one: Mapping[str, Any]) -> tuple[str, str, Any]:
    operation = one.get("operation", 0)
    name = _OPERATIONS[operation] if isinstance(operation, int) else str(operation)
    if name not in _SHORT:
        raise invalid("Error using Filter.Predicate.Operation with v2beta1.Predicate_Operation")
    if unknown := set(one) - {"operation", "key", *_VALUES, *_CAMEL}:
        raise ValueError(f'unknown field "{sorted(unknown)[0]}"')
    if not one.get("key"):
        raise invalid(f"Predicate key cannot be empty for operation {name} and value")
    values = [(_CAMEL.get(key, key), value) for key, value in one.items() if key not in ("operation", "key")]
    if not values:
        raise invalid("Error using Filter.Predicate.Value with <nil>")
    kind, value = values[0]
    if kind.endswith("_values"):
        value = list(value.get("values", []))
    if kind == "timestamp_value":
        value = int(datetime.fromisoformat(value).timestamp())
    elif kind.startswith(("int", "long")):
        value = [int(one) for one in value] if isinstance(value, list) else int(value)
    return name, one["key"], value


def _check(operation: str, value: Any) -> None:
    if operation == "IN" and not isinstance(value, list):
        raise invalid(f"cannot use IN operator with scalar type {'string' if isinstance(value, str) else 'int64'}")
    if operation == "IS_SUBSTRING" and not isinstance(value, str):
        raise invalid("cannot use non string value type IS_SUBSTRING with operator int64")
    if operation not in ("IN", "IS_SUBSTRING") and isinstance(value, list):
        raise invalid(f"cannot use scalar operator {operation} on array type []string")


def _holds(filtered: Mapping[str, Any] | None, row: Columns, prefix: str) -> bool:
    tests: dict[str, Callable[[Any, Any], bool]] = {
        "EQ": lambda a, b: a == b,
        "NEQ": lambda a, b: a != b,
        "GT": lambda a, b: a > b,
        "GTE": lambda a, b: a >= b,
        "LT": lambda a, b: a < b,
        "LTE": lambda a, b: a <= b,
        "IN": lambda a, b: a in b,
        "SUBSTRING": _like,
    }
    return all(
        tests[short](row.get(column.removeprefix(prefix), ""), value)
        for short, columns in (filtered or {}).items()
        for column, values in (columns or {}).items()
        for value in values
    )


def _like(text: Any, part: str) -> bool:
    """SQL's LIKE with `%` around: no matter of case, `%` and `_` of the part are wildcards."""
    words = {"%": ".*", "_": "."}
    pattern = "".join(words.get(one, re.escape(one)) for one in part)
    return re.search(pattern, str(text), re.IGNORECASE | re.DOTALL) is not None
