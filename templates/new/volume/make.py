"""Writes four files of numbers: `make.py FOLDER`."""

import sys
from pathlib import Path

for part in range(4):
    numbers = range(part * 1000, (part + 1) * 1000)
    Path(sys.argv[1], f"part-{part}.txt").write_text("".join(f"{number}\n" for number in numbers))
