"""The files beside the code: templates/ and schemas/, wherever the package was installed.

In a wheel or a zip they lie in `kade2kfp/_resources` (pyproject.toml, force-include); in a checkout, which an editable
install points to, at the top.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


def resource(name: str) -> Traversable:
    """The file or folder `name`, a path with slashes such as `templates/step.sh`.

    Raises:
        FileNotFoundError: there is none of that name.
    """
    packed = Path(__file__).with_name("_resources")
    top = packed if packed.is_dir() else Path(__file__).parent.parent
    on_disk = top.joinpath(*name.split("/"))
    if on_disk.exists():
        return on_disk
    from importlib import resources  # for a zip; the import takes longer than reading all the files

    found = resources.files("kade2kfp").joinpath("_resources", *name.split("/"))
    if not (found.is_file() or found.is_dir()):
        raise FileNotFoundError(f"no file {name} was installed with kade2kfp")
    return found


def read_text(name: str) -> str:
    """The text of the file `name`.

    Raises:
        FileNotFoundError: there is none of that name.
    """
    return resource(name).read_text(encoding="utf-8")
