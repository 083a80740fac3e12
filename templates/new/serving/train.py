"""A decision tree that tells Fisher's irises apart."""

import argparse

import joblib
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_score
from sklearn.tree import DecisionTreeClassifier

parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int)
parser.add_argument("--model")
args = parser.parse_args()

flowers, species = load_iris(return_X_y=True)
model = DecisionTreeClassifier(max_depth=args.depth, random_state=0)
print(f"accuracy {cross_val_score(model, flowers, species).mean():.4f}")
joblib.dump(model.fit(flowers, species), args.model)
