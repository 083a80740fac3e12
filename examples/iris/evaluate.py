"""Compare the trained classifiers: evaluate.py MODELS INPUT REPORT."""

import json
import os
import pickle
import sys
from pathlib import Path

import pandas as pd

models, data, report = (Path(arg) for arg in sys.argv[1:])
columns = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
irises = pd.read_csv(next(data.rglob("iris.data")), names=columns).dropna()

accuracies = {}
for folder in sorted(models.iterdir()):
    model = pickle.loads((folder / "model.pkl").read_bytes())
    on_all = float((model.predict(irises[columns[:4]]) == irises.species).mean())
    held_back = float(os.environ["ACCURACY_" + folder.name.upper().replace("-", "_")])
    accuracies[folder.name] = {"held_back": held_back, "all": on_all}
    print(f"{folder.name}: accuracy {held_back:.3f} held back, {on_all:.3f} on all rows")

report.mkdir(parents=True, exist_ok=True)
(report / "accuracies.json").write_text(json.dumps(accuracies, indent=2))
(report / "best.txt").write_text(max(accuracies, key=lambda name: accuracies[name]["held_back"]))
