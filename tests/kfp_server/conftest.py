"""The fixture of the server's own tests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from kfp_server.fixtures import kfp

__all__ = ["kfp"]
