"""Serves a LightGBM model: POST /predict {"inputs": [[5.1, 3.5, 1.4, 0.2]]} answers with Booster.predict of the rows.

The model is the file below model/ that ends in .txt, as Booster.save_model has written it (of an LGBMClassifier:
model.booster_.save_model). A classifier gives probabilities. For a pickled LGBMClassifier take the framework sklearn, and add
lightgbm to `packagesToInstall`.
"""

from __future__ import annotations

import bentoml
import lightgbm
import numpy as np
from starter import bad_request, find_model, plain

MODEL = find_model(".txt")


@bentoml.service
class Predictor:
    """The endpoint."""

    def __init__(self) -> None:
        self.model = lightgbm.Booster(model_file=str(MODEL))

    @bentoml.api
    def predict(self, inputs: list) -> list:
        """The predictions for the rows; null is a value that is missing."""
        with bad_request(lightgbm.basic.LightGBMError):
            return plain(self.model.predict(np.array(inputs, dtype=float)))
