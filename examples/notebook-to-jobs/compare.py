"""Say which of the trained models is best: compare.py MODELS REPORT."""

import json
import sys
from pathlib import Path

models, report = (Path(arg) for arg in sys.argv[1:])
losses = {}
for folder in sorted(models.iterdir()):
    losses[folder.name] = json.loads((folder / "metrics.json").read_text())["loss"]
    print(f"{folder.name}: loss {losses[folder.name]:.4f}")

report.mkdir(parents=True, exist_ok=True)
(report / "best.txt").write_text(min(losses, key=losses.__getitem__))
