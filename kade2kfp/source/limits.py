"""What a document may not exceed, and what stands for a number that cannot be used."""

from __future__ import annotations

import sys

MAX_BYTES = 16 * 1024 * 1024
"""A document of 1,000 tasks has about 1 MiB; KFP takes none that compiles to more than 1.5."""
MAX_DEPTH = 100
"""Levels of objects and arrays; the format itself has fewer than ten."""
MAX_INTEGER = int(sys.float_info.max)
MAX_DIGITS = len(str(MAX_INTEGER))
UNUSABLE_NUMBER = 1
"""Read in place of a number that was refused, so that the fields around it can be checked: it fits nearly any limit."""
