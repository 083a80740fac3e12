"""Writes kade2kfp/cli/words.json, the words of all commands, which completion offers without importing the commands.

`python scripts/words.py` writes it; with --check it writes nothing and fails where it is stale.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from kade2kfp.cli import group
from kade2kfp.cli.words import described

FILE = Path(__file__).resolve().parents[1] / "kade2kfp" / "cli" / "words.json"


def text() -> str:
    """The file's text."""
    context = click.Context(group)
    found = {}
    for name in group.list_commands(context):
        if command := group.get_command(context, name):
            found[name] = described(command)
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def main(argv: list[str]) -> int:
    """Writes the file, or with --check says whether it is stale."""
    wanted = text()
    if FILE.exists() and FILE.read_text(encoding="utf-8") == wanted:
        return 0
    if "--check" in argv:
        print("kade2kfp/cli/words.json is stale: write it anew by `python scripts/words.py`", file=sys.stderr)
        return 1
    FILE.write_text(wanted, encoding="utf-8")
    print("kade2kfp/cli/words.json written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
