"""Fits a line by gradient descent: `train.py RATE MOMENTUM FOLDER`.

Writes FOLDER/model/model.json, and FOLDER/metrics.json with the loss after 40 steps.
"""

import json
import sys
from pathlib import Path

rate, momentum, folder = float(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
points = [(x / 10, 3 * x / 10 - 1) for x in range(-10, 11)]
slope = start = moving_slope = moving_start = 0.0
for _ in range(40):
    errors = [(slope * x + start - y, x) for x, y in points]
    moving_slope = momentum * moving_slope - rate * 2 * sum(error * x for error, x in errors) / len(points)
    moving_start = momentum * moving_start - rate * 2 * sum(error for error, _ in errors) / len(points)
    slope, start = slope + moving_slope, start + moving_start
loss = sum((slope * x + start - y) ** 2 for x, y in points) / len(points)

(folder / "model").mkdir(parents=True, exist_ok=True)
(folder / "model" / "model.json").write_text(json.dumps({"slope": slope, "start": start}) + "\n")
(folder / "metrics.json").write_text(json.dumps({"loss": loss}))
print(f"rate {rate}, momentum {momentum}: loss {loss:.6f}")
