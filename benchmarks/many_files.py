"""What `validate` takes for many files in one process: the peak of its memory in bytes, `many_files.py COUNT`."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import graphs
from peak import peak

from kade2kfp import cli

TASKS = 20


def written(folder: Path, count: int) -> list[str]:
    """So many documents of 20 tasks in a folder, with a warning each: one parameter is not used."""
    document = json.loads(graphs.document(TASKS))
    document["parameters"] = [*document["parameters"], {"name": "unused", "type": "integer", "default": 1}]
    paths = []
    for number in range(count):
        path = folder / f"pipeline-{number:03}.json"
        path.write_text(json.dumps(document | {"name": f"pipeline-{number}"}, indent=2), encoding="utf-8")
        paths.append(str(path))
    return paths


def main(count: int) -> int:
    """The peak of the resident memory after `validate` of so many files."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            cli.main(["validate", "--max-diagnostics", "1", *written(Path(folder), count)])
        except SystemExit as end:
            if end.code:
                raise
    return peak()


if __name__ == "__main__":
    print(main(int(sys.argv[1])))
