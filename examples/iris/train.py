"""Train one classifier on the irises: train.py --model NAME --seed N INPUT OUTPUT."""

import argparse
import json
import pickle
from pathlib import Path

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier

COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]

parser = argparse.ArgumentParser()
parser.add_argument("--model", choices=["logistic-regression", "decision-tree"], required=True)
parser.add_argument("--seed", type=int, required=True)
parser.add_argument("input", type=Path)
parser.add_argument("output", type=Path)
args = parser.parse_args()

irises = pd.read_csv(next(args.input.rglob("iris.data")), names=COLUMNS).dropna()
train, test = train_test_split(irises, test_size=0.3, random_state=args.seed, stratify=irises.species)
if args.model == "logistic-regression":
    model = LogisticRegression(max_iter=1000)
else:
    model = DecisionTreeClassifier(max_depth=3, random_state=args.seed)
model.fit(train[COLUMNS[:4]], train.species)
accuracy = accuracy_score(test.species, model.predict(test[COLUMNS[:4]]))

(args.output / "model").mkdir(parents=True, exist_ok=True)
(args.output / "model" / "model.pkl").write_bytes(pickle.dumps(model))
(args.output / "metrics.json").write_text(json.dumps({"accuracy": accuracy, "rows": len(test)}))
print(f"{args.model}: accuracy {accuracy:.3f} on {len(test)} rows")
