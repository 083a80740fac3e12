"""What the services of all frameworks share: the model that arrived, and requests that do not fit it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from bentoml.exceptions import InvalidArgument

FOLDER = Path(__file__).parent / "model"


def find_model(*endings: str) -> Path:
    """The one file below model/ whose name ends so; of several the one that is called `model`. Raises FileNotFoundError."""
    there = sorted(path for path in FOLDER.rglob("*") if path.is_file())
    found = [path for path in there if path.name.endswith(endings)]
    if len(found) > 1:
        found = [path for path in found if path.stem == "model"] or found
    if len(found) == 1:
        return found[0]
    shown = ", ".join(str(path.relative_to(FOLDER)) for path in (found or there)[:10]) or "nothing"
    many = f"there are {len(found)} models, and one has to be called `model`" if found else "no model arrived"
    raise FileNotFoundError(f"{many}: looked for {' '.join(endings)} and found {shown}")


@contextmanager
def bad_request(*more: type[Exception]) -> Iterator[None]:
    """What the model cannot take is answered by status 400 and the reason, not by 500."""
    try:
        yield
    except (TypeError, ValueError, *more) as error:
        raise InvalidArgument(str(error)[:1000]) from error


def plain(value: Any) -> Any:
    """A result as JSON has it: arrays and tensors become lists."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return np.asarray(value).tolist()
