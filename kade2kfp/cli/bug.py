"""K900: our own bug says so."""

from __future__ import annotations

import platform
import tempfile
import traceback
from importlib.metadata import PackageNotFoundError, version

from kade2kfp import __version__
from kade2kfp.cli.streams import say

CODE = "K900"


def report(error: Exception) -> None:
    """Say that it is our bug, and write what helps to find it into a file. The document is not in it."""
    rows = [f"kade2kfp {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"]
    for package in ("kfp", "kfp-kubernetes", "pydantic", "click"):
        try:
            rows.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            rows.append(f"{package} is not installed")
    rows += ["", *traceback.format_exception(error)]
    say(f"kade2kfp: error[{CODE}]: this is a bug of kade2kfp, not a mistake of yours ({type(error).__name__})")
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="kade2kfp-bug-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write("\n".join(rows))
        say(f" = help: please file it with the report in {file.name}; the document is not in it")
    except OSError:
        say("\n".join(rows))
