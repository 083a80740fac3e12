"""Counts the rows whose y is above a threshold: `count.py THRESHOLD TABLE OUTPUT`."""

import csv
import sys
from pathlib import Path

threshold, table, output = float(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
with open(table, newline="") as file:
    count = sum(float(row["y"]) > threshold for row in csv.DictReader(file))
output.write_text(str(count))
print(f"{count} rows are above {threshold:g}")
