"""The folder that keeps all runs, by default. What asks for no more than this, as help and completion do, imports no more."""

from __future__ import annotations

import os
from pathlib import Path

HOME_VARIABLE = "KADE2KFP_HOME"


def default_home() -> Path:
    """$KADE2KFP_HOME, else kade2kfp below $XDG_DATA_HOME (XDG Base Directory Specification), ~/.local/share.

    Raises OSError or RuntimeError where there is no such folder to name.
    """
    if home := os.environ.get(HOME_VARIABLE):
        return Path(home).absolute()
    data = os.environ.get("XDG_DATA_HOME") or ""
    return (Path(data) if data.startswith("/") else Path.home() / ".local/share") / "kade2kfp"
