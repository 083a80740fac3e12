"""A real HTTP server that gives KFP 2.17's answers, for tests. See tests/README.md."""

from __future__ import annotations

from .kfp import TOKEN, Kfp, serve
from .made import many_tasks
from .proxy import Proxy, between

__all__ = ["TOKEN", "Kfp", "Proxy", "between", "many_tasks", "serve"]
