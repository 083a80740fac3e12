"""What stands around both sides of a comparison: secrets, config maps, a claim with files on it, a store of objects."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from kade2kfp.local.secrets import Objects

SECRETS = {"keys": {"token": "s3cr3t-value-1", "pem": "line one\nline two\n"}}
CONFIG_MAPS = {"settings": {"level": "debug", "mode": "x  y 'z'", "empty": ""}}
CLAIM = "nas-claim"
STORE = "s3://data"


def objects() -> Objects:
    def encoded(of: dict[str, dict[str, str]]) -> dict[str, dict[str, bytes]]:
        return {name: {key: value.encode() for key, value in values.items()} for name, values in of.items()}

    return Objects(encoded(SECRETS), encoded(CONFIG_MAPS))


def fill_claim(folder: Path) -> None:
    """What is on the claim before a run: open to every user, as the volume of a team is."""
    (folder / "base").mkdir(parents=True)
    (folder / "base/one.txt").write_text("one\n")
    for one in (folder, folder / "base"):
        one.chmod(0o777)


def fill_store(folder: Path) -> None:
    """What loadData tasks find, by http or in the object store."""
    (folder / "set/sub").mkdir(parents=True)
    (folder / "set/a.txt").write_text("of the set\n")
    (folder / "set/sub/b.csv").write_bytes(b"1,2\r\n\xff")
    with zipfile.ZipFile(folder / "set.zip", "w") as archive:
        archive.writestr("zipped.txt", "packed\n")
        archive.writestr("deep/er/c", "")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A folder served by http on this machine: its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
