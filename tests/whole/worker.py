"""Compiles the documents that come in, a JSON text a line, with the network shut off; answers with a JSON text a line.

Started as a program of its own, in surroundings of the test's choice.
"""

from __future__ import annotations

import json
import socket
import sys
from typing import Any, NoReturn


def _shut(*_: Any, **__: Any) -> NoReturn:
    raise AssertionError("kade2kfp called the network")


def main() -> None:
    """Answer until standard input ends."""
    socket.socket.connect = socket.socket.connect_ex = _shut
    socket.getaddrinfo = socket.gethostbyname = socket.create_connection = _shut
    from kade2kfp import api

    for line in sys.stdin.buffer:
        found = api.compile(api.parse(json.loads(line), "pipeline.json"))
        answer = json.dumps([found.yaml, [repr(one) for one in found.diagnostics]])
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
