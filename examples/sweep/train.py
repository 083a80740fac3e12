"""Train a decision tree on the irises: train.py DEPTH LEAF INPUT OUTPUT."""

import json
import pickle
import sys
from pathlib import Path

import pandas as pd
from sklearn.model_selection import cross_val_score
from sklearn.tree import DecisionTreeClassifier

COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
depth, leaf, data, output = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])

irises = pd.read_csv(next(data.rglob("iris.data")), names=COLUMNS).dropna()
model = DecisionTreeClassifier(max_depth=depth, min_samples_leaf=leaf, random_state=7)
accuracy = cross_val_score(model, irises[COLUMNS[:4]], irises.species, cv=5).mean()
model.fit(irises[COLUMNS[:4]], irises.species)

(output / "model").mkdir(parents=True, exist_ok=True)
(output / "model" / "model.pkl").write_bytes(pickle.dumps(model))
(output / "metrics.json").write_text(json.dumps({"accuracy": accuracy, "leaves": int(model.get_n_leaves())}))
print(f"depth {depth}, leaf {leaf}: accuracy {accuracy:.4f}")
