"""Serves a TensorFlow model: POST /predict {"inputs": [[5.1, 3.5, 1.4, 0.2]]} answers with its output, as lists.

The model is what lies below model/: a SavedModel (the folder that tf.saved_model.save or model.export has written; its
signature `serving_default` is called), or a file that ends in .keras or .h5. A signature of several inputs takes an object:
{"inputs": {"age": [[30]], "city": [["Bonn"]]}}.
"""

from __future__ import annotations

from typing import Any

import bentoml
import numpy as np
import tensorflow as tf
from starter import bad_request, find_model, plain

MODEL = find_model("saved_model.pb", ".keras", ".h5")


def arrays(inputs: Any) -> Any:
    """The inputs as a Keras model takes them: one array, or several by name."""
    if isinstance(inputs, dict):
        return {name: np.array(value) for name, value in inputs.items()}
    return np.array(inputs)


@bentoml.service
class Predictor:
    """The endpoint."""

    def __init__(self) -> None:
        if MODEL.name != "saved_model.pb":
            self.keras = tf.keras.models.load_model(MODEL)
            return
        self.keras = None
        self.model = tf.saved_model.load(str(MODEL.parent))  # kept: the signature lives no longer than it
        if "serving_default" not in self.model.signatures:
            raise ValueError(f"the SavedModel has no signature serving_default, but {list(self.model.signatures)}")
        self.signature = self.model.signatures["serving_default"]

    @bentoml.api
    def predict(self, inputs: Any) -> Any:
        """What the model makes of one batch."""
        with bad_request(tf.errors.InvalidArgumentError):
            if self.keras is not None:
                return plain(self.keras.predict_on_batch(arrays(inputs)))
            return self.by_signature(inputs)

    def by_signature(self, inputs: Any) -> Any:
        """What the signature makes of one batch."""
        kinds = self.signature.structured_input_signature[1]
        given = inputs if isinstance(inputs, dict) else dict.fromkeys(list(kinds)[:1], inputs)
        if set(given) != set(kinds):
            raise ValueError(f"the model takes the inputs {sorted(kinds)}")
        found = self.signature(**{name: tf.constant(value, kinds[name].dtype) for name, value in given.items()})
        return plain(found if len(found) > 1 else next(iter(found.values())))
