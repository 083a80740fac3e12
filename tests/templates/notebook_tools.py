"""Notebooks, and environments to execute them in, which are made once and kept below .cache."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kade2kfp.local.environments import environment

ENVIRONMENTS: Mapping[str, tuple[str, ...]] = {
    "papermill": ("papermill==2.6.0", "ipykernel==6.29.5"),
    "nbconvert": ("nbconvert==7.16.6", "ipykernel==6.29.5"),
    "jupyterlab": ("jupyterlab==4.4.9",),
    "neither": (),
}


def made(name: str, home: Path) -> Path:
    """The environment of that name; `home` is an empty folder, as which the environments are reached."""
    shared = Path(__file__).parents[2] / ".cache" / "test-environments"
    shared.mkdir(parents=True, exist_ok=True)
    (home / "environments").symlink_to(shared)
    return environment(home, ENVIRONMENTS[name], log=None, cancelled=threading.Event())


def code(text: str, *tags: str) -> dict[str, Any]:
    """A cell of code."""
    return {
        "cell_type": "code",
        "source": text,
        "metadata": {"tags": list(tags)} if tags else {},
        "outputs": [],
        "execution_count": None,
    }


def notebook(cells: Iterable[str | dict[str, Any]], **metadata: Any) -> str:
    """A notebook of these cells; texts are code."""
    whole = {
        "nbformat": 4,
        "nbformat_minor": 4,
        "metadata": metadata,
        "cells": [code(cell) if isinstance(cell, str) else cell for cell in cells],
    }
    return json.dumps(whole)
