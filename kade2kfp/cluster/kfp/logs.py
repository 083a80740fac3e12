"""What a step wrote: from its pod through KFP's API, or from the object store once the pod is gone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from kade2kfp.cluster.errors import RefusedError
from kade2kfp.cluster.kfp.client import Kfp, lost, path, stream
from kade2kfp.cluster.kfp.flow import LOGS, carried
from kade2kfp.cluster.kfp.objects import GoneError, Objects
from kade2kfp.cluster.kfp.runs import Detail
from kade2kfp.cluster.kfp.states import Placed
from kade2kfp.local.state import Attempt

PIECE = 64 * 1024
_ERROR = b'{"error'
_LONGEST_ERROR = 64 * 1024


class NoLogError(Exception):
    """There is no log to be had: its pod is not there yet or any more. The text is KFP's, cut."""


def log(kfp: Kfp, detail: Detail, placed: Placed, attempt: Attempt, store: Callable[[], Objects]) -> Iterator[bytes]:
    """What an attempt of a step has written by now, in pieces.

    Args:
        kfp: where its run is.
        detail: the run.
        placed: the step.
        attempt: one of the step's.
        store: opens the object store; called only where the pod is gone.

    Raises NoLogError before the first piece, CannotDoError.
    """
    try:
        yield from from_pod(kfp, detail.found.id, attempt.log)
        return
    except NoLogError as error:
        uri = next((one.uri for one in carried(placed, detail.nodes).left if one.key == LOGS), "")
        if attempt.ended is None or not uri:
            raise
        why = str(error)
    # The launcher puts the number of its start behind the name (backend/src/v2/component/launcher_v2.go).
    for one in (f"{uri}-{attempt.number - 1}", uri):
        try:
            yield from store().read(one)
            return
        except GoneError:
            continue
    raise NoLogError(why)


def from_pod(kfp: Kfp, run: str, pod: str) -> Iterator[bytes]:
    """What a pod has written, in pieces. Raises NoLogError before the first piece, CannotDoError."""
    from urllib3.exceptions import HTTPError

    what = f"read the log of pod {pod}"
    try:
        answer = stream(kfp, what, path("v1alpha1", "runs", run, "nodes", pod, "log"))
    except RefusedError as error:
        if error.status in (400, 404, 500):
            raise NoLogError(error.help or str(error)) from None
        raise
    try:
        pieces = answer.stream(PIECE)
        first = next(pieces, b"")
        # KFP has answered 200 before it knows whether there is a log (apiserver/server/run_log_server.go, ReadRunLogV1).
        if first.startswith(_ERROR):
            for more in pieces:
                first += more
                if len(first) > _LONGEST_ERROR:
                    break
            if why := _refusal(first):
                raise NoLogError(why)
        yield first
        yield from pieces
    except HTTPError as error:
        raise lost(kfp, what, error) from None
    finally:
        answer.release_conn()


def _refusal(body: bytes) -> str:
    """What KFP says in place of a log; empty where it is a log after all."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    message = said.get("error_message", said.get("error")) if isinstance(said, dict) else None
    if not isinstance(message, str) or "read log" not in message.lower():
        return ""
    return " ".join(message.split())[:300]
