"""kade2kfp predict."""

from __future__ import annotations

import json
import re
import sys
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import click

from kade2kfp.cli import services as shared
from kade2kfp.cli.gates import TooLateError, Where, where_options
from kade2kfp.cli.services import owner, run_argument, task_argument, the_service
from kade2kfp.cli.streams import lost, out
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.diagnostics.escape import terminal, width

_EXAMPLES = """\b
Examples:
  kade2kfp predict iris endpoint --json '{"inputs": [[5.1, 3.5, 1.4, 0.2]]}'
  kade2kfp predict iris --json @rows.json > answer.json
"""
_COLUMNS = 72
_PIECE = 1 << 16


class _RefusedError(click.ClickException):
    """The service has answered, and not with success; or not at all."""

    exit_code = 3


@click.command("predict", epilog=_EXAMPLES)
@run_argument
@task_argument
@click.option("--json", "given", required=True, metavar="JSON|@FILE|-", help="What is posted; - is standard input.")
@click.option("--path", default="/predict", show_default=True, metavar="PATH", help="Where it is posted to.")
@click.option(
    "--timeout",
    type=click.IntRange(1, 86400),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the answer.",
)
@where_options
def command(run: str, task: str | None, given: str, path: str, timeout: int, where: Where) -> None:
    """Post JSON to a serving and print the answer.

    RUN is a run, or the pipeline's name, or the serving's own name; TASK may be left out where there is one. The exit code
    is 3 where the answer is no success.
    """
    body = _body(given)
    if not re.fullmatch(r"/[!-~]*", path):
        raise click.BadParameter("it has to begin with / and to be as URLs are, such as /predict", param_hint="--path")
    services = shared.services_of(where)
    view = the_service(services, "serving", run, task)
    if view.state in ("paused", "stopped"):
        again = where.command("serving", "resume", owner(view), view.task)
        raise CannotDoError(f"{view.task} is {view.state}", f"to start it: {again}")
    with services.reach(view) as port:
        status, reason, kind, answer = _post(port, path, body, timeout, view.task)
    if not 200 <= status < 300:
        said = _readable(answer, kind)
        raise _RefusedError(f"{view.task} answered {status} {reason}".rstrip() + (f"\n{said}" if said else ""))
    if sys.stdout.isatty():
        out(_readable(answer, kind) + "\n")
    else:
        _write(answer)


def _body(given: str) -> bytes:
    """What is to be posted, as it was given. Raises click.BadParameter where it is no JSON, with the place."""
    name = "<stdin>" if given == "-" else given[1:] if given.startswith("@") else ""
    try:
        data = _read(given, name)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "it is no file's name").lower()
        raise click.BadParameter(f"cannot read {name}: {reason}", param_hint="--json") from None
    place = f" of {name}" if name else ""
    try:
        text = data.decode("utf-8-sig")
        json.loads(text, parse_constant=_no_number, parse_int=str)
    except UnicodeDecodeError as error:
        raise click.BadParameter(f"byte {error.start + 1}{place} is no text in UTF-8", param_hint="--json") from None
    except json.JSONDecodeError as error:
        line = (text.splitlines() or [""])[error.lineno - 1 : error.lineno]
        said = f"line {error.lineno}, column {error.colno}{place}: {_plain(error.msg)}"
        raise click.BadParameter(said + _shown("".join(line), error.colno), param_hint="--json") from None
    except RecursionError:
        raise click.BadParameter(f"it is nested too deep{place}", param_hint="--json") from None
    except ValueError as error:
        raise click.BadParameter(f"{error}{place}", param_hint="--json") from None
    return text.encode()


def _read(given: str, name: str) -> bytes:
    if given == "-":
        return sys.stdin.buffer.read()
    return Path(name).read_bytes() if name else given.encode("utf-8", "surrogateescape")


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON: numbers are finite there")


def _plain(message: str) -> str:
    """What Python's reader of JSON says, beginning as our texts do."""
    return f"{message[:1].lower()}{message[1:]}"


def _shown(line: str, column: int) -> str:
    """The line with a mark below that column (counted from 1), cut on both sides where it is long."""
    start = max(0, column - 1 - _COLUMNS // 2)
    before, after = terminal(line[start : column - 1]), terminal(line[column - 1 : start + _COLUMNS])
    return f"\n  {before}{after}\n  {' ' * width(before)}^"


def _post(port: int, path: str, body: bytes, seconds: float, task: str) -> tuple[int, str, str, bytes]:
    """Status, reason, content type and body of the answer. Raises click.ClickException where none comes."""
    until = time.monotonic() + seconds
    connection = HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json", "Accept": "application/json, */*"})
        socket = connection.sock
        response = connection.getresponse()
        answer = bytearray()
        while True:
            socket.settimeout(max(0.01, until - time.monotonic()))
            piece = response.read1(_PIECE)
            if not piece:
                break
            answer += piece
        if response.length:
            raise _RefusedError(f"{task} ended the connection in the middle of its answer")
        return response.status, response.reason, response.headers.get("Content-Type", ""), bytes(answer)
    except TimeoutError:
        raise TooLateError(f"{task} has not answered after {seconds:g} s") from None
    except (OSError, HTTPException):
        raise _RefusedError(f"{task} ended the connection without an answer: is it well?") from None
    finally:
        connection.close()


def _write(answer: bytes) -> None:
    """To standard output as it came. Raises as `out` does."""
    try:
        sys.stdout.buffer.write(answer)
        sys.stdout.flush()
    except OSError as error:
        raise lost(error) from None


def _readable(answer: bytes, kind: str) -> str:
    """An answer as people read it, escaped for a terminal."""
    try:
        text = answer.decode()
    except UnicodeDecodeError:
        return f"{len(answer):,} bytes of {terminal(kind) or 'an unknown type'}: redirect them to a file"
    with suppress(ValueError, RecursionError):  # else as it came
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return "\n".join(terminal(line) for line in text.splitlines())
