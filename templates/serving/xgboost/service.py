"""Serves an XGBoost model: POST /predict {"inputs": [[5.1, 3.5, 1.4, 0.2]]} answers with its predictions for the rows.

The model is the file below model/ that ends in .json, .ubj or .bst, as save_model has written it. A classifier of the
scikit-learn interface (XGBClassifier) gives classes as its own predict does; of what xgboost.train has made, the answer is
that of Booster.predict: for a classifier probabilities.
"""

from __future__ import annotations

import bentoml
import numpy as np
import xgboost
from starter import bad_request, find_model, plain

MODEL = find_model(".json", ".ubj", ".bst")


@bentoml.service
class Predictor:
    """The endpoint."""

    def __init__(self) -> None:
        self.model = xgboost.Booster(model_file=str(MODEL))
        # What the scikit-learn interface leaves in the file.
        self.gives_classes = '"classifier"' in (self.model.attr("scikit_learn") or "")

    @bentoml.api
    def predict(self, inputs: list) -> list:
        """The predictions for the rows; null is a value that is missing."""
        with bad_request(xgboost.core.XGBoostError):
            rows = np.array(inputs, dtype=float)
            if rows.ndim != 2 or rows.shape[1] != self.model.num_features():
                raise ValueError(f"the model takes rows of {self.model.num_features()} numbers")
            found = self.model.inplace_predict(rows)
        if self.gives_classes:
            found = found.argmax(axis=1) if found.ndim > 1 else (found > 0.5).astype(int)
        return plain(found)
