"""Serves a scikit-learn model: POST /predict {"inputs": [[5.1, 3.5, 1.4, 0.2]]} answers with model.predict of the rows.

The model is the file below model/ that ends in .joblib, .pkl or .pickle: what joblib.dump or pickle.dump has written.
Such a file runs code of whoever wrote it, and wants the version of scikit-learn that it was written by: put that into
`packagesToInstall`. A row may be an object too, {"age": 30, "city": "Bonn"}, for models that know columns by name; add
pandas for that. A pipeline or a model of another library with scikit-learn's interface needs that library there.
"""

from __future__ import annotations

import bentoml
import joblib
from starter import bad_request, find_model, plain

MODEL = find_model(".joblib", ".pkl", ".pickle")


def table(inputs: list) -> list:
    """The rows as the model takes them."""
    if inputs and isinstance(inputs[0], dict):
        import pandas

        return pandas.DataFrame(inputs)
    return inputs


@bentoml.service
class Predictor:
    """The endpoint."""

    def __init__(self) -> None:
        self.model = joblib.load(MODEL)

    @bentoml.api
    def predict(self, inputs: list) -> list:
        """What model.predict gives for the rows."""
        with bad_request(ImportError):
            return plain(self.model.predict(table(inputs)))

    @bentoml.api
    def predict_proba(self, inputs: list) -> list:
        """What model.predict_proba gives for the rows, if the model has it."""
        with bad_request(ImportError, AttributeError):
            return plain(self.model.predict_proba(table(inputs)))
