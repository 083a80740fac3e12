"""The command as a process, and what SARIF asks of a log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import warm

# The standard's own schema (OASIS, SARIF 2.1.0 with errata 01), as it is published.
_SCHEMA = json.loads(Path(__file__).with_name("sarif-2.1.0.json").read_text(encoding="utf-8"))
_LOG = jsonschema.Draft4Validator(_SCHEMA)
_KEPT = ("PATH", "HOME", "LANG", "PYTHONPATH", "TMPDIR")


def kade2kfp(*words: str | bytes, cwd: Path, stdin: bytes = b"", **env: str) -> subprocess.CompletedProcess[bytes]:
    """Run it to its end, which must come within a minute and be no bug."""
    kept = {name: value for name, value in os.environ.items() if name in _KEPT}
    command = [sys.executable, "-m", "kade2kfp", *words]
    ran = warm.run(
        command, cwd=cwd, input=stdin, env=kept | env, timeout=60, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert ran.returncode in (0, 1), ran.stderr
    return ran


def sarif_run(text: str) -> dict[str, Any]:
    """The run of a log: it has the standard's shape, and what GitHub asks for besides."""
    assert text.isascii()
    log = json.loads(text)
    _LOG.validate(log)
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert rule["fullDescription"]["text"]
        assert rule["help"]["text"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        assert result["partialFingerprints"]
        (location,) = result["locations"]
        region = location["physicalLocation"]["region"]
        assert set(region) == {"startLine", "startColumn", "endLine", "endColumn"}
        for one in (location, *result.get("relatedLocations", ())):
            base = one["physicalLocation"]["artifactLocation"].get("uriBaseId")
            assert base is None or base in run["originalUriBaseIds"]
    return run


def uris(run: dict[str, Any]) -> list[str]:
    """Where the results are."""
    return [one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]]
