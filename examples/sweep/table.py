"""Write the results of all items as a table: table.py MODELS ACCURACIES TABLE."""

import csv
import json
import sys
from pathlib import Path

models, accuracies, table = Path(sys.argv[1]), json.loads(sys.argv[2]), Path(sys.argv[3])
index = json.loads((models / "index.json").read_text())
table.mkdir(parents=True, exist_ok=True)
with open(table / "results.csv", "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["depth", "leaf", "accuracy", "bytes"])
    for entry, accuracy in zip(index, accuracies, strict=True):
        size = (models / entry["path"] / "model.pkl").stat().st_size
        writer.writerow([entry["item"]["depth"], entry["item"]["leaf"], round(accuracy, 4), size])
print((table / "results.csv").read_text(), end="")
