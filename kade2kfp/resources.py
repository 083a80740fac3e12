"""The files beside the code: templates/ and schemas/, wherever the package was installed.

In a wheel or a zip they lie in `kade2kfp/_resources` (pyproject.toml, force-include); in a checkout, which an editable
install points to, at the top.
"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path


def resource(name: str) -> Traversable:
    """The file or folder `name`, a path with slashes such as `templates/step.sh`.

    Raises:
        FileNotFoundError: there is none of that name.
    """
    packed = resources.files("kade2kfp") / "_resources"
    top: Traversable = packed if packed.is_dir() else Path(__file__).parent.parent
    found = top.joinpath(*name.split("/"))
    if not (found.is_file() or found.is_dir()):
        raise FileNotFoundError(f"no file {name} was installed with kade2kfp")
    return found


def read_text(name: str) -> str:
    """The text of the file `name`.

    Raises:
        FileNotFoundError: there is none of that name.
    """
    return resource(name).read_text(encoding="utf-8")
