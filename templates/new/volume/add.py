"""Adds up the numbers of all files of a folder: `add.py FOLDER OUTPUT`."""

import sys
from pathlib import Path

files = sorted(Path(sys.argv[1]).glob("*.txt"))
total = sum(int(line) for file in files for line in file.read_text().splitlines())
Path(sys.argv[2]).write_text(f"{total}\n")
print(f"{len(files)} files")
