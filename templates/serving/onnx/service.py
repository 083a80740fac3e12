"""Serves an ONNX model: POST /predict {"inputs": [[5.1, 3.5, 1.4, 0.2]]} answers with its output, as lists.

The model is the file below model/ that ends in .onnx; weights that it keeps in files of their own lie beside it. A model of
several inputs takes an object, {"inputs": {"age": [[30]], "city": [["Bonn"]]}}; one of several outputs answers with one.
For a GPU put onnxruntime-gpu into `packagesToInstall`.
"""

from __future__ import annotations

from typing import Any

import bentoml
import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument, RuntimeException
from starter import bad_request, find_model, plain

MODEL = find_model(".onnx")
KINDS = {
    "float": np.float32,
    "double": np.float64,
    "float16": np.float16,
    "string": object,
    "bool": bool,
    **{name: np.dtype(name) for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")},
}


@bentoml.service
class Predictor:
    """The endpoint."""

    def __init__(self) -> None:
        self.session = onnxruntime.InferenceSession(str(MODEL), providers=onnxruntime.get_available_providers())
        self.kinds = {one.name: KINDS[one.type[7:-1]] for one in self.session.get_inputs()}  # tensor(float)

    @bentoml.api
    def predict(self, inputs: Any) -> Any:
        """What the model makes of one batch."""
        given = inputs if isinstance(inputs, dict) else dict.fromkeys(list(self.kinds)[:1], inputs)
        with bad_request(InvalidArgument, RuntimeException):
            if set(given) != set(self.kinds):
                raise ValueError(f"the model takes the inputs {sorted(self.kinds)}")
            found = self.session.run(None, {name: np.array(value, self.kinds[name]) for name, value in given.items()})
        names = [one.name for one in self.session.get_outputs()]
        return plain({name: found[i] for i, name in enumerate(names)} if len(names) > 1 else found[0])
