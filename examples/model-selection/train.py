"""Train one classifier on the irises that are not held back: train.py MODEL SEED INPUT OUTPUT."""

import pickle
import sys
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier

COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
name, seed, data, output = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])

irises = pd.read_csv(next(data.rglob("iris.data")), names=COLUMNS).dropna()
train, _ = train_test_split(irises, test_size=0.3, random_state=seed, stratify=irises.species)
models = {
    "logistic-regression": LogisticRegression(max_iter=1000),
    "decision-tree": DecisionTreeClassifier(max_depth=3, random_state=seed),
}
model = models[name].fit(train[COLUMNS[:4]], train.species)
output.mkdir(parents=True, exist_ok=True)
(output / "model.pkl").write_bytes(pickle.dumps(model))
(output / "name.txt").write_text(name)
print(f"{name}: trained on {len(train)} rows")
