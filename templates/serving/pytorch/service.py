"""Serves a PyTorch model: POST /predict {"inputs": [[5.1, 3.5, 1.4, 0.2]]} answers with the model's output, as lists.

The model is the file below model/ that ends in .pt, .pth or .pt2, one of these:
- TorchScript, torch.jit.script(model).save("model.pt"): needs no code of yours, and reading it runs none but the model.
- An exported program, torch.export.save(torch.export.export(model, examples), "model.pt2"): the same.
- A pickled module, torch.save(model, "model.pt"): needs the module's class, so add the file that has it to `files`.
  Reading it runs code of whoever wrote it.
A state_dict has weights alone, and nothing to run them with.
Inputs become the model's own kind of float; say "dtype": "int64" beside "inputs" for a model of indices, such as tokens.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bentoml
import torch
from starter import bad_request, find_model

MODEL = find_model(".pt", ".pth", ".pt2")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def load(path: Path) -> torch.nn.Module:
    """The module that is in a file."""
    if path.suffix == ".pt2":
        return torch.export.load(path).module().to(DEVICE)
    try:
        return torch.jit.load(str(path), map_location=DEVICE).eval()
    except RuntimeError:  # no TorchScript
        model = torch.load(path, map_location=DEVICE, weights_only=False)
    if not isinstance(model, torch.nn.Module):
        raise TypeError(
            f"{path.name} holds {type(model).__name__} and no module, perhaps weights alone: "
            'save the whole model, by torch.jit.script(model).save("model.pt")'
        )
    return model.eval()


def numbers(value: Any) -> Any:
    """The output as JSON has it: tensors become lists."""
    if isinstance(value, torch.Tensor):
        return value.cpu().tolist()
    if isinstance(value, dict):
        return {str(key): numbers(one) for key, one in value.items()}
    return [numbers(one) for one in value] if isinstance(value, (list, tuple)) else value


@bentoml.service
class Predictor:
    """The endpoint."""

    def __init__(self) -> None:
        self.model = load(MODEL)
        kinds = [one.dtype for one in self.model.parameters() if one.is_floating_point()]
        self.dtype = kinds[0] if kinds else torch.get_default_dtype()

    @bentoml.api
    def predict(self, inputs: list, dtype: str = "") -> Any:
        """What the model makes of one batch."""
        with bad_request(RuntimeError, AttributeError), torch.inference_mode():
            kind = getattr(torch, dtype) if dtype else self.dtype
            return numbers(self.model(torch.tensor(inputs, dtype=kind, device=DEVICE)))
