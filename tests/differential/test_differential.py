"""The compiled pipeline and the local run agree: the same tasks, values, metrics, artifacts, files on volumes, and logs.

Each random document is made from a number, so a failure's name is all that is needed to see it again. A long hunt:
KADE2KFP_DIFFERENTIAL=2000 pytest -n 2 tests/differential (so many documents, new ones: they begin at
KADE2KFP_DIFFERENTIAL_FROM, else where those of every day end). What differs is made small before it is shown.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from differential import documents
from differential.compare import Ground, Json, compare, shrunk

_DAILY = 60
_HUNT = int(os.environ.get("KADE2KFP_DIFFERENTIAL", "0"))
_FROM = int(os.environ.get("KADE2KFP_DIFFERENTIAL_FROM", str(_DAILY if _HUNT else 0)))


@pytest.mark.parametrize("seed", range(_FROM, _FROM + (_HUNT or _DAILY)))
def test_a_random_document_does_the_same_compiled_and_on_this_machine(on: Ground, seed: int) -> None:
    document = documents.document(seed)
    found = compare(on, document)
    assert found is not None, "not valid: the maker of documents is wrong"
    if found:
        document = shrunk(document, lambda one: bool(compare(on, one)))
        pytest.fail("\n".join([*(compare(on, document) or found), json.dumps(document, indent=1)]))
    given = documents.varied(document, seed)
    if given and (_HUNT or seed % 3 == 0):
        # With the cache of earlier runs, this one's among them: what is taken from it must be what would have been made.
        assert compare(on, document, read_cache=True) == []
        assert compare(on, document, given, read_cache=True) == [], (given, document)


def test_documents_do_something() -> None:
    """The documents of every day hold what is to be compared: else the comparison says nothing."""
    texts = [json.dumps(documents.document(seed)) for seed in range(_DAILY)]
    for what in (
        *('"volume": "nas"', '"volume": "work"', '"kind": "file"', '"loadData"', '"container"', '"retry"', '"metrics"'),
        *("secretKeyRef", '"configMap"', '"emptyDir"', '"runAsUser": 1000', '"workingDir"', '"files"', "mkfifo"),
        *(
            ".outputs.",
            ".metrics.",
            "{{params.p_array}}",
            "{{params.p_string}}",
            "exit 3",
            "chmod +x",
            '"prepare": false',
            '"onExit": "advance"',
            '"onTimeout": "resume"',
            '"onReject": "route"',
            ".values.",
            ".decision",
        ),
    ):
        assert sum(what in text for text in texts) > 0, what
    kinds = {out["type"] for text in texts for task in json.loads(text)["tasks"] for out in task.get("outputs", [])}
    assert kinds == {"string", "integer", "number", "boolean", "array", "object"}


def _document(*tasks: Json, arrows: list[Json] | None = None) -> Json:
    defaults = {"image": "python:3.11-slim"}
    return {
        "apiVersion": "kade2kfp/v1",
        "name": "flow",
        "defaults": defaults,
        "tasks": [*tasks],
        "arrows": arrows or [],
    }


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("array", "[465531617843731628032, 1e21, 1e-7, -0.0]"),
        ("number", "465531617843731628032"),
        ("number", "-9223372036854775808"),
        ("number", "1e300"),
        ("object", '{"b": 1.0, "a": "<&>\\u2028"}'),
        ("object", '{"a": 1, "a": 2}'),
        ("array", '["\\ud800"]'),
        ("array", "[1e400]"),
        ("string", "\ufeffa\r\n\n"),
    ],
)
def test_a_value_arrives_as_the_same_text(on: Ground, kind: str, text: str) -> None:
    output = {"name": "o", "type": kind, "path": "/tmp/o.txt"}
    make = {"id": "make", "type": "job", "command": ["sh", "-c", 'printf %s "$1" > /tmp/o.txt', "sh", text]}
    use = {"id": "use", "type": "job", "command": ["printf", "<%s>", "{{tasks.make.outputs.o}}"]}
    assert compare(on, _document(make | {"outputs": [output]}, use)) == []


def test_a_difference_is_seen_and_made_small(on: Ground) -> None:
    """The comparison itself: what really differs is told, by the task's name, and the rest is taken away."""
    odd = {"id": "odd", "type": "job", "script": "echo one\necho $KFP_POD_NAME\necho two"}
    even = {"id": "even", "type": "job", "script": "echo same"}
    document = _document(even, odd, arrows=[{"fromTask": "even", "toTask": "odd"}])
    (found,) = compare(on, document) or []
    assert found.startswith("odd.log: ")
    small = shrunk(document, lambda one: bool(compare(on, one)))
    assert [task["id"] for task in small["tasks"]] == ["odd"]
    assert small["tasks"][0]["script"] == "echo $KFP_POD_NAME"
