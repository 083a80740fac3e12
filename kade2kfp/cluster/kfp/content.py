"""A compiled pipeline's text, read and changed as KFP's own client does; and when two are the same but for values."""

from __future__ import annotations

from typing import Any

import yaml

from kade2kfp.lowering.yaml_text import dumped

# libyaml's, which is ten times as fast, where it is there.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def documents(ir: str) -> list[Any]:
    """The pipeline's spec, and the platform's where there is one."""
    loader = _LOADER(ir)
    found = []
    try:
        while loader.check_data():
            found.append(loader.get_data())
    finally:
        loader.dispose()
    return found


def without_cache(ir: str) -> str:
    """The pipeline with every step run anew. There is no way back: what the document keeps off the cache has its reasons."""
    specs = documents(ir)
    for holder in (specs[0].get("root") or {}, *(specs[0].get("components") or {}).values()):
        for task in (holder.get("dag") or {}).get("tasks", {}).values():
            task["cachingOptions"] = {}
    return dumped(specs)


def same_but_defaults(one: str, other: str) -> bool:
    """Whether two pipelines differ in the defaults of their parameters at most, so that a run's values make up for it."""
    return _undefaulted(one) == _undefaulted(other)


def _undefaulted(ir: str) -> list[Any]:
    specs = documents(ir)
    parameters = (specs[0].get("root", {}).get("inputDefinitions") or {}).get("parameters") or {}
    for definition in parameters.values():
        definition.pop("defaultValue", None)
        definition.pop("isOptional", None)
    return specs
