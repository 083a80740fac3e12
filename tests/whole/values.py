"""Small values that are right in their field: names, quantities, durations, and values of a type."""

from __future__ import annotations

import string
from typing import Any

from hypothesis import strategies as st

from .texts import TEXTS, unchanged

IDS = st.one_of(
    st.sampled_from(
        ["train", "Train", "con1", "1", "0-0", "x" * 63, "prepare-volumes", "metrics", "root", "for-loop-1"]
    ),
    st.uuids(version=4).map(str),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", fullmatch=True),
)
NAMES = st.one_of(
    st.sampled_from(
        ["who", "seed", "class", "base_image", "cpu_request", "cache-key", "run-id", "metrics", "a_b", "a-b"]
    ),
    st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,62}", fullmatch=True),
)
ENV_NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True).filter(
    lambda name: not name.startswith(("KFP_", "ARGO_", "KADE2KFP_"))
)
LABEL_KEYS = st.sampled_from(["team", "app.kubernetes.io/name", "example.org/a_b.C", "x" * 63, "0", "a.b"])
LABEL_VALUES = st.sampled_from(["", "a", "A_b.c-d", "0", "x" * 63])
DURATIONS = st.sampled_from(["1s", "90s", "30m", "8h", "7d", "1h30m", "1d1h1m1s"])
IMAGES = st.sampled_from(
    [
        "python:3.11-slim",
        "busybox",
        "ghcr.io/org/app:v1.2_3",
        "localhost:5000/a/b@sha256:" + "0f" * 32,
        "a__b/c.d:latest",
    ]
)
SIZES = st.sampled_from(["1Gi", "10Gi", "1.5Gi", "0.5Ti", "1e9", 2000000000, "1000000k", "1500M"])
# Requests and limits: any of the first is at most any of the second.
CPUS = (st.sampled_from(["100m", "0.5", 1, "1e0", ".5", 0, "100u"]), st.sampled_from(["2", 2.5, "1500m", "1k", "2e1"]))
MEMORIES = (
    st.sampled_from(["64Mi", "65.5Mi", 134217728, "1e8", "100000k", "128974848000m"]),
    st.sampled_from(["1Gi", "2G", 4e9, "0.5Ti"]),
)
DEVICES = st.sampled_from([1, 0, "2", "1e0", "3000m"])
# Some of the kinds that a path's last segment decides about: files, and what only looks like one.
FILES = st.sampled_from(["model.pkl", "a.csv", "데이터.json", "x y.tar", ".env", "it's.txt", '"q".z', "$a{b.md"])
FOLDERS = st.sampled_from(
    ["data", "llama-3.1", "v1.2", "데이터", "a b", "it's", "-x", "$x", "{y}", "😀", "d/e", "a.longsuffix"]
)
_JSON: st.SearchStrategy[Any] = st.recursive(
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS.filter(unchanged),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(TEXTS.filter(unchanged), inside, max_size=3),
    max_leaves=4,
)
EDITOR = st.none() | st.just({"x": 1, "y": -0.5}) | st.just([None, {"a": None}]) | _JSON
TYPES = ("string", "integer", "number", "boolean", "array", "object")


def of_type(kind: str) -> st.SearchStrategy[Any]:
    """Values that a parameter of this type may have."""
    match kind:
        case "string":
            return TEXTS.filter(unchanged)
        case "integer":
            return st.integers(-(2**53), 2**53)
        case "number":
            return st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(_JSON, max_size=3)
        case _:
            return st.dictionaries(TEXTS.filter(unchanged), _JSON, max_size=3)


METRICS = st.sampled_from(
    ["accuracy", "val.f1", "top 5", "AUC/ROC", "한글", "a-b_c", "a$b", "'q'", "metrics", "x" * 90]
)
DIGEST = "".join(string.hexdigits[i % 16] for i in range(64))
