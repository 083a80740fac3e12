"""Where both sides of a comparison take place (tests/differential/)."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from differential.conftest import on
from ir.conftest import folder

__all__ = ["folder", "on"]
