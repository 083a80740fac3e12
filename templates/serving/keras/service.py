"""Serves a Keras model: POST /predict {"inputs": [[5.1, 3.5, 1.4, 0.2]]} answers with model.predict of the batch.

The model is the file below model/ that ends in .keras or .h5, as model.save has written it. For a model of several inputs
they come by name: {"inputs": {"age": [[30]], "income": [[2000]]}}. Layers of your own: add the file that has them to
`files`, and import it here. Keras runs on TensorFlow; for another backend set KERAS_BACKEND in `env`, and give its package.
"""

from __future__ import annotations

from typing import Any

import bentoml
import keras
import numpy as np
from starter import bad_request, find_model, plain

MODEL = find_model(".keras", ".h5")


def arrays(inputs: Any) -> Any:
    """The inputs as the model takes them: one array, or several by name."""
    if isinstance(inputs, dict):
        return {name: np.array(value) for name, value in inputs.items()}
    return np.array(inputs)


@bentoml.service
class Predictor:
    """The endpoint."""

    def __init__(self) -> None:
        self.model = keras.saving.load_model(MODEL)

    @bentoml.api
    def predict(self, inputs: Any) -> Any:
        """What the model makes of one batch."""
        with bad_request():
            return plain(self.model.predict_on_batch(arrays(inputs)))
