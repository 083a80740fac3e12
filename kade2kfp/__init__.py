"""Checks a drawn machine-learning pipeline and lowers it into Kubeflow Pipelines v2.

The functions below are loaded when they are first used: `import kade2kfp` itself costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kade2kfp.api import (
        Checked,
        Compiled,
        DocumentError,
        Picture,
        compile,
        describe,
        draw,
        load,
        load_rules,
        parse,
        validate,
    )
    from kade2kfp.diagnostics.model import Diagnostic, Severity, Span

__version__ = "0.1.0"
__all__ = [
    "Checked",
    "Compiled",
    "Diagnostic",
    "DocumentError",
    "Picture",
    "Severity",
    "Span",
    "__version__",
    "compile",
    "describe",
    "draw",
    "load",
    "load_rules",
    "parse",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'kade2kfp' has no attribute {name!r}")
    of_diagnostics = name in ("Diagnostic", "Severity", "Span")
    module = importlib.import_module("kade2kfp.diagnostics.model" if of_diagnostics else "kade2kfp.api")
    return getattr(module, name)


def __dir__() -> list[str]:
    return __all__
