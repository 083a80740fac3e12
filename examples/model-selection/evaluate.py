"""Evaluate a classifier on the irises that were held back: evaluate.py SEED MODEL INPUT OUTPUT."""

import json
import pickle
import shutil
import sys
from pathlib import Path

import pandas as pd
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
seed, source, data, output = int(sys.argv[1]), *(Path(one) for one in sys.argv[2:])

irises = pd.read_csv(next(data.rglob("iris.data")), names=COLUMNS).dropna()
_, test = train_test_split(irises, test_size=0.3, random_state=seed, stratify=irises.species)
model = pickle.loads((source / "model.pkl").read_bytes())
accuracy = accuracy_score(test.species, model.predict(test[COLUMNS[:4]]))

shutil.copytree(source, output / "model", dirs_exist_ok=True)
(output / "metrics.json").write_text(json.dumps({"accuracy": accuracy, "rows": len(test)}))
print(f"accuracy {accuracy:.3f} on {len(test)} rows")
