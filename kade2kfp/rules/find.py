"""Where a team's rules are: the nearest kade2kfp.toml, or pyproject.toml with [tool.kade2kfp], and no other."""

from __future__ import annotations

import codecs
import os
import re
from pathlib import Path
from typing import Any

from kade2kfp.rules.text import UnreadableError, data_of, read_toml

OWN = "kade2kfp.toml"
SHARED = "pyproject.toml"
TABLE = ("tool", "kade2kfp")
_TOOL, _OURS = rb"[ \t]*[\"']?tool[\"']?[ \t]*", rb"[ \t]*[\"']?kade2kfp(?![\w-])"
_TABLE = b"|".join(
    (
        rb"^[ \t]*\[{0,2}" + _TOOL + rb"\." + _OURS,  # [tool.kade2kfp], tool.kade2kfp.werror = true
        rb"^[ \t]*\[" + _TOOL + rb"\][^\n]*(?:\n(?![ \t]*\[)[^\n]*)*?\n" + _OURS,  # kade2kfp.werror below [tool]
        rb"^" + _TOOL + rb"=[ \t]*\{[^\n]*\bkade2kfp(?![\w-])",  # tool = {kade2kfp = {werror = true}}
    )
)
"""Where our table begins, in a text that is no TOML."""


_MOST = 64 * 2**20
"""So many bytes of a pyproject.toml are looked through: also in one that is too long to be read, our table is meant."""


def rules_file(folder: str | Path) -> Path | None:
    """The file that holds for documents in a folder: of the folder itself, else of the nearest one above it.

    Links are not resolved: a document is where it is said to be. None where there is no such file.
    """
    here = os.path.abspath(folder)
    while True:
        # Whatever is called so is meant, also where it cannot be read: that is said then, not passed over.
        own, shared = os.path.join(here, OWN), os.path.join(here, SHARED)
        if os.path.lexists(own):
            return Path(own)
        if os.path.lexists(shared) and _is_ours(shared):
            return Path(shared)
        above = os.path.dirname(here)
        if above == here:
            return None
        here = above


def _is_ours(path: str) -> bool:
    """Whether a pyproject.toml has our table. One that cannot be read is somebody else's."""
    try:
        data = data_of(path, _MOST)
    except UnreadableError:
        return False
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # as an editor of Windows may save it
        data = data.decode("utf-16", "replace").encode("utf-8", "replace")
        return re.search(_TABLE, data, re.MULTILINE) is not None
    if b"kade2kfp" not in data:
        return False
    toml = read_toml(data, path)
    if toml.problem:
        return re.search(_TABLE, data.removeprefix(codecs.BOM_UTF8), re.MULTILINE) is not None
    return ours(toml.table) is not None


def ours(table: dict[str, Any]) -> object:
    """What a pyproject.toml has as `tool.kade2kfp`; None where it has nothing."""
    tool = table.get("tool")
    return tool.get("kade2kfp") if isinstance(tool, dict) else None
