"""Trigger conditions: CEL over the executor input (KFP's expression/expression.go, Condition)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .state import DriverError


def holds(condition: str, parameters: Mapping[str, Any]) -> bool:
    """Whether a task is triggered; DriverError where KFP's driver would fail on the condition."""
    # Imported here: only pipelines with conditions need the library.
    from cel_expr_python import cel

    environment = cel.NewEnv(variables={"inputs": cel.Type.DYN, "outputs": cel.Type.DYN})
    environment_data = {"inputs": {"parameter_values": _doubles(parameters), "artifacts": {}}, "outputs": {}}
    try:
        result = environment.compile(condition).eval(data=environment_data).value()
    except RuntimeError as error:
        raise DriverError(f"condition {condition!r}: {error}") from error
    if not isinstance(result, bool):
        raise DriverError(f"condition {condition!r}: {result}")
    return result


def _doubles(value: Any) -> Any:
    """Numbers of protobuf's Value are doubles, whatever the parameter's type is."""
    return json.loads(json.dumps(value), parse_int=float)
