"""What the network and Kubernetes' API answer, as errors for the user. No text of an exception is ever quoted:
those of http.client and of the kubeconfig's loader hold tokens, those of urllib3 whole URLs.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator, Mapping

from kade2kfp.diagnostics.cannot import CannotDoError

PASSING = frozenset({429, 500, 502, 503, 504})
"""Answers that may be others a moment later."""
_LOGIN = "is a proxy with a login in between? The kubeconfig's `server` has to be the API itself"


class RefusedError(CannotDoError):
    """A request that did not do its work.

    `status` is HTTP's, 0 where none came. `passing`: it may work a moment later, `after` says in how many seconds at
    the least.
    """

    def __init__(
        self, message: str, help: str = "", *, status: int = 0, passing: bool = False, after: float = 0.0
    ) -> None:
        super().__init__(message, help)
        self.status = status
        self.passing = passing
        self.after = after


def refused(
    status: int, body: bytes | str | None, headers: Mapping[str, str], what: str, missing: str, address: str
) -> RefusedError:
    """The error for an answer that is none of success.

    `what` is what was asked, such as `read pod x`; `missing` the permission it takes; `address` the cluster's.
    """
    said = message_of(body)
    if status == 401:
        help_ = "log in again: the token or certificate in the kubeconfig is missing, wrong or has expired"
        return RefusedError(f"the cluster at {address} does not accept who you are (401)", help_, status=401)
    if status == 403:
        help_ = f"somebody who may has to grant you: {missing}"
        return RefusedError(f"you may not {what} (403)", help_, status=403)
    if said is None and not 500 <= status < 600 and status != 429:
        return not_kubernetes(address, status)
    if status == 404:
        return RefusedError(f"could not {what}: it is not there (404)", said or "", status=404)
    if status == 409:
        return RefusedError(f"could not {what}: it was changed at the same time (409)", said or "", status=409)
    if status in PASSING:
        state = "is asked too much" if status == 429 else "has failed"
        return RefusedError(
            f"could not {what}: the cluster at {address} {state} ({status})",
            said or "try again later",
            status=status,
            passing=True,
            after=seconds_of(headers.get("Retry-After") or headers.get("retry-after")),
        )
    return RefusedError(f"could not {what} ({status})", said or "", status=status)


def not_kubernetes(address: str, status: int) -> RefusedError:
    """The error for an answer in another language: a page, or a way to one."""
    return RefusedError(f"{address} does not answer as Kubernetes does ({status}, not JSON)", _LOGIN, status=status)


def broken(error: BaseException, what: str, address: str) -> RefusedError:
    """The error for a request that got no answer, by the reasons behind the exception."""
    causes = list(causes_of(error))
    names = {kind.__name__ for one in causes for kind in type(one).__mro__}
    for one in causes:
        if isinstance(one, ssl.SSLCertVerificationError):
            return RefusedError(
                f"could not {what}: the certificate of {address} is not trusted ({one.verify_message})",
                "the kubeconfig's `certificate-authority` names who is trusted",
            )
    if "SSLError" in names:
        return RefusedError(
            f"could not {what}: {address} does not speak TLS with us", "is it `http://` or another port?"
        )
    if any(isinstance(one, socket.gaierror) for one in causes) or names & {
        "NameResolutionError",
        "WebSocketAddressException",
    }:
        return RefusedError(
            f"could not {what}: the name of {address} is not known", "is the VPN up, the kubeconfig right?"
        )
    if "ConnectionRefusedError" in names:
        return RefusedError(
            f"could not {what}: nothing listens at {address}", "is the cluster up, the kubeconfig right?"
        )
    if names & {"TimeoutError", "WebSocketTimeoutException", "ConnectTimeoutError", "ReadTimeoutError"}:
        # Not asked again: the user has waited long enough.
        return RefusedError(f"could not {what}: {address} does not answer", "is the VPN up?")
    if "ValueError" in names and not names & {"ProtocolError", "OSError"}:
        # http.client refuses a header; its text quotes the token.
        return RefusedError(f"could not {what}: the kubeconfig's token or server cannot be sent", "log in again")
    return RefusedError(f"could not {what}: the connection to {address} broke", "try again", passing=True)


def message_of(body: bytes | str | None) -> str | None:
    """What Kubernetes says in a Status object, cut; None where the body is none."""
    try:
        status = json.loads(body or b"")
    except (ValueError, RecursionError):
        return None
    said = status.get("message") if isinstance(status, dict) else None
    return said[:300] if isinstance(said, str) else None


def seconds_of(text: str | None) -> float:
    """The seconds of a Retry-After, at most ten; 0 where it says none."""
    return min(float(text), 10.0) if text and text.isdecimal() and len(text) < 9 else 0.0


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """The exception and all behind it; urllib3 keeps some in `reason`."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
