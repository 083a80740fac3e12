"""Trains one of two models on a table of x and y: `train.py line|neighbours TABLE FOLDER`.

Writes FOLDER/model/model.json, and FOLDER/metrics.json with the mean error on the rows that were held back.
"""

import csv
import json
import sys
from pathlib import Path


def line(rows):
    """The line of least squares through the points."""
    mean_x = sum(x for x, _ in rows) / len(rows)
    mean_y = sum(y for _, y in rows) / len(rows)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in rows) / sum((x - mean_x) ** 2 for x, _ in rows)
    model = {"kind": "line", "slope": slope, "start": mean_y - slope * mean_x}
    return model, lambda x: model["slope"] * x + model["start"]


def neighbours(rows, count=3):
    """The mean of the nearest points."""

    def predict(x):
        nearest = sorted(rows, key=lambda row: abs(row[0] - x))[:count]
        return sum(y for _, y in nearest) / count

    return {"kind": "neighbours", "count": count, "rows": rows}, predict


kind, table, folder = sys.argv[1:]
with open(table, newline="") as file:
    points = [(float(row["x"]), float(row["y"])) for row in csv.DictReader(file)]
training = [row for number, row in enumerate(points) if number % 4]
held_back = points[::4]
made, predict = {"line": line, "neighbours": neighbours}[kind](training)
error = sum(abs(predict(x) - y) for x, y in held_back) / len(held_back)

output = Path(folder)
(output / "model").mkdir(parents=True, exist_ok=True)
(output / "model" / "model.json").write_text(json.dumps(made))
(output / "metrics.json").write_text(json.dumps({"error": error, "rows": len(held_back)}))
print(f"{kind}: mean error {error:.2f} on {len(held_back)} rows")
