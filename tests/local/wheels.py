"""Packages made by hand, so that tests install some without a network."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

# A build backend of its own: it needs nothing from an index, and runs whatever the test wants to run.
_PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
_BACKEND = """
from wheels import wheel
from pathlib import Path
import probe

def build_wheel(folder, config_settings=None, metadata_directory=None):
    return wheel(Path(folder), "{name}", "1.0", probe.probe()).name
"""


def wheel(folder: Path, name: str, version: str, source: str, requires: str = "") -> Path:
    """A wheel of one module, in `folder`."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {
        f"{name}.py": source,
        f"{info}/METADATA": metadata + (f"Requires-Dist: {requires}\n" if requires else ""),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in files.items())
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    made = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return made


def sdist(folder: Path, name: str, probe: str) -> Path:
    """A source distribution; its build runs `probe`, which is the source of a function probe() -> source of the module."""
    files = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        "pyproject.toml": _PYPROJECT,
        "backend.py": _BACKEND.format(name=name),
        "wheels.py": Path(__file__).read_text(),
        "probe.py": probe,
    }
    made = folder / f"{name}-1.0.tar.gz"
    with tarfile.open(made, "w:gz") as archive:
        for path, text in files.items():
            data = text.encode()
            member = tarfile.TarInfo(f"{name}-1.0/{path}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return made


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
