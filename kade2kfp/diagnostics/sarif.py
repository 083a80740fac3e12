"""Diagnostics as SARIF 2.1.0 (OASIS), which code scanning services and editors read.

What GitHub takes of it: docs.github.com, "SARIF support for code scanning". Sections (§) are those of the standard.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from kade2kfp import __version__
from kade2kfp.diagnostics.escape import brief
from kade2kfp.diagnostics.model import STDIN, Diagnostic, Pointer, Severity, Span, pointer_text
from kade2kfp.diagnostics.pages import page
from kade2kfp.diagnostics.severity import severity

MAX_RESULTS = 25_000
"""GitHub refuses a file with more results in a run."""
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "%SRCROOT%"
_FINGERPRINT = "kade2kfp/v1"
_PROBLEM = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "recommendation"}
_MAX_TEXT = 1024  # of a rule's descriptions, for GitHub


def as_sarif(diagnostics: Iterable[Diagnostic], left_out: int = 0) -> str:
    """A log with one run, as text that ends in a newline. It is ASCII only.

    `left_out` is how many diagnostics there are besides; the run says so. Places are relative to GITHUB_WORKSPACE, else to
    the working directory, and absolute outside of it.
    """
    rows = list(diagnostics)
    codes = sorted({one.code for one in rows})
    invocation: dict[str, Any] = {"executionSuccessful": True}
    if left_out:
        said = f"{left_out:,} more diagnostics were left out."
        invocation["toolExecutionNotifications"] = [{"level": "warning", "message": {"text": said}}]
    run = {
        "tool": {"driver": {"name": "kade2kfp", "version": __version__, "rules": [_rule(code) for code in codes]}},
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        # Without its address: the log is the same on every machine, and viewers know where they have the sources.
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The root of the checkout, or the working directory."}}},
        "results": list(_results(rows, codes)),
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(code: str) -> dict[str, Any]:
    """A code as a rule: all of its text is our own."""
    about, level = page(code), severity(code)
    return {
        "id": code,
        "shortDescription": {"text": about.title[:_MAX_TEXT]},
        "fullDescription": {"text": about.what[:_MAX_TEXT]},
        "help": {"text": about.body, "markdown": about.body},
        "defaultConfiguration": {"level": level.value},
        "properties": {"problem.severity": _PROBLEM[level]},
    }


def _results(rows: Iterable[Diagnostic], codes: list[str]) -> Iterator[dict[str, Any]]:
    seen: Counter[str] = Counter()
    places: dict[str, dict[str, str]] = {}
    for one in rows:
        place = places.get(one.file) or places.setdefault(one.file, _artifact(one.file))
        mark = _fingerprint(one)
        seen[place["uri"] + mark] += 1
        yield {
            "ruleId": one.code,
            "ruleIndex": codes.index(one.code),
            "level": severity(one.code).value,
            "message": {"text": _text(one.message, one.help)},
            "locations": [_location(place, one.span, one.pointer)],
            # Not primaryLocationLineHash: GitHub's upload action computes that of the text, and warns of any other.
            "partialFingerprints": {_FINGERPRINT: f"{mark}:{seen[place['uri'] + mark]}"},
            **(
                {
                    "relatedLocations": [
                        {"id": number} | _location(place, other.span, other.pointer, other.message)
                        for number, other in enumerate(one.related)
                    ]
                }
                if one.related
                else {}
            ),
        }


def _text(message: str, *more: str) -> str:
    r"""Sentences in which nothing is a link: `](` makes one (§3.11.6), so a backslash parts the two, for any reader.

    Braces stay single, though §3.11.5 would have them doubled, whether there are `arguments` or not: viewers show the text of a
    message without arguments as it is (microsoft/sarif-vscode-extension, src/shared/index.ts, format), and a reference would
    be shown as what nobody has written. Clang does the same (llvm/llvm-project#128024).
    """
    whole = " ".join(_sentence(brief(text.strip())) for text in (message, *more) if text.strip())
    return whole.replace("](", "]\\(")


def _sentence(text: str) -> str:
    begun = text[0].upper() + text[1:] if re.match(r"[a-z]+[ ,]", text) else text
    return begun if text.endswith((".", "?", "!")) else f"{begun}."


def _location(place: dict[str, str], span: Span | None, pointer: Pointer, message: str = "") -> dict[str, Any]:
    # GitHub shows nothing without a line: what is about a file as a whole stands at its beginning.
    span = span or Span(1, 1, 1, 1)
    region = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
    location: dict[str, Any] = {"physicalLocation": {"artifactLocation": place, "region": region}}
    if pointer:
        location["logicalLocations"] = [{"fullyQualifiedName": brief(pointer_text(pointer))}]
    return location | ({"message": {"text": _text(message)}} if message else {})


def _artifact(file: str) -> dict[str, str]:
    """Where a file is (§3.4): links are followed, because GitHub shows nothing at them."""
    if file == STDIN:  # there is no file
        return {"uri": quote(file)}
    root = os.path.realpath(os.environ.get("GITHUB_WORKSPACE") or os.getcwd())
    path = os.path.realpath(file)
    if path.startswith(root.rstrip("/") + "/"):
        return {"uri": quote(os.fsencode(os.path.relpath(path, root))), "uriBaseId": _ROOT}
    return {"uri": "file://" + quote(os.fsencode(PurePosixPath(path)))}


def _fingerprint(one: Diagnostic) -> str:
    """The same for the same mistake when lines shift, or tasks before it come and go: indices do not count."""
    names = [part for part in one.pointer if isinstance(part, str)]
    text = json.dumps([one.code, names, one.message])
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]
