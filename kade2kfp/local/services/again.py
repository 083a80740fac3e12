"""A viewer that is kept once more, after its run: by a keeper that is a child of the command's."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.local.environments.errors import EnvironmentFailedError
from kade2kfp.local.services.client import KeeperError, NoKeeperError, ask, kept
from kade2kfp.local.services.folders import is_kept, read_record
from kade2kfp.local.services.serve import deploy_command
from kade2kfp.local.services.view import ready
from kade2kfp.services.model import ServiceView

_ENDS = 5.0


@contextmanager
def viewed(home: Path, view: ServiceView) -> Iterator[int]:
    """Keep a stopped viewer while the block lasts; its port. It ends with this process too, however that ends.

    Raises CannotDoError.
    """
    folder = Path(view.handle)
    record = read_record(folder)
    if record is None or not folder.exists():
        raise CannotDoError(
            f"the viewer of '{view.task}' is not there any more", "run the pipeline again for a new one"
        )
    version = record.version
    if version.lost:
        raise CannotDoError(
            f"'{view.task}' needs secrets or config maps, which are not kept on disk: {', '.join(version.withheld)}",
            "run the pipeline again, with --secrets FILE, and open it while that runs",
        )
    if is_kept(folder):
        raise CannotDoError(f"'{view.task}' is kept already", f"it is at http://127.0.0.1:{record.port}")
    read, write = os.pipe()
    keeper = None
    try:
        try:
            with tempfile.TemporaryDirectory(prefix="kade2kfp-") as logs:
                version = ready(version, home, Path(logs) / "packages.log", threading.Event())
            keeper = kept(folder, read)
            port = ask(folder, deploy_command(version, None)).port
        except (KeeperError, NoKeeperError, EnvironmentFailedError, OSError) as error:
            help_ = getattr(error, "help", "")
            raise CannotDoError(f"'{view.task}' cannot be opened: {error or 'its keeper has ended'}", help_) from None
        yield port
    finally:
        os.close(write)
        os.close(read)
        if keeper is not None:
            with suppress(subprocess.TimeoutExpired):
                keeper.wait(_ENDS)
