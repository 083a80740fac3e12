"""Fit a line to points.csv, from the weights in MODEL/weights.json on: train.py --lr N --momentum N MODEL OUTPUT."""

import argparse
import csv
import json
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, required=True)
parser.add_argument("--momentum", type=float, required=True)
parser.add_argument("model", type=Path)
parser.add_argument("output", type=Path)
args = parser.parse_args()

with open(Path(__file__).with_name("points.csv"), newline="") as file:
    points = [(float(row["x"]), float(row["y"])) for row in csv.DictReader(file)]
weights = json.loads((args.model / "weights.json").read_text())
slope, offset = weights["slope"], weights["offset"]

step = (0.0, 0.0)
for _ in range(weights["epochs"]):
    errors = [(slope * x + offset - y, x) for x, y in points]
    by_slope = 2 * sum(error * x for error, x in errors) / len(points)
    by_offset = 2 * sum(error for error, _ in errors) / len(points)
    step = (args.momentum * step[0] - args.lr * by_slope, args.momentum * step[1] - args.lr * by_offset)
    slope, offset = slope + step[0], offset + step[1]
loss = sum((slope * x + offset - y) ** 2 for x, y in points) / len(points)

args.output.mkdir(parents=True, exist_ok=True)
(args.output / "weights.json").write_text(json.dumps({"slope": slope, "offset": offset, "lr": args.lr}))
(args.output / "metrics.json").write_text(json.dumps({"loss": loss}))
print(f"lr {args.lr}, momentum {args.momentum}: y = {slope:.3f} x {offset:+.3f}, loss {loss:.4f}")
