"""YAML that Go reads as it is meant.

KFP's API server reads a pipeline with Go's yaml.v3 (backend/src/apiserver/template/v2_template.go, NewV2SpecTemplate),
kubectl reads manifests with yaml.v2. Both take for numbers, dates and booleans some texts that PyYAML writes without
quotes: `1e-3`, `08`, `0o17`, `2026-1-2`. KFP would fail where a run is made, or hand on another text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:not-str"
# go-yaml's resolve.go and its formats of timestamps; rather too much than too little, as quotes change nothing.
_NO_TEXT = re.compile(
    r"""(?: [-+]?0[bBoOxX][0-9a-fA-F_]+
        | [-+]?(?:\.[0-9_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9_]+)?
        | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt\ ].*)?
        )\Z""",
    re.VERBOSE,
)


class _Dumper(yaml.Dumper):
    """PyYAML's own, which puts a text into quotes where one of its resolvers makes anything but a text of it."""


class _ForKubectl(_Dumper):
    """The same for yaml.v2, to which a single letter may be a boolean."""


_Dumper.add_implicit_resolver(_TAG, _NO_TEXT, list("-+.0123456789"))
_ForKubectl.add_implicit_resolver(_TAG, _NO_TEXT, list("-+.0123456789"))
_ForKubectl.add_implicit_resolver(_TAG, re.compile(r"[yYnN]\Z"), list("yYnN"))


def dumped(documents: Iterable[Any], *, kubectl: bool = False) -> str:
    """JSON values as the documents of one YAML file, keys sorted; `kubectl` for manifests, which that may read."""
    return str(yaml.dump_all(documents, Dumper=_ForKubectl if kubectl else _Dumper, sort_keys=True))
