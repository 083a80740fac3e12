"""What the network, a proxy and KFP's API answer, as errors for the user. No exception's text and no address of a login is
ever quoted: they hold tokens.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from kade2kfp.cluster.errors import PASSING, RefusedError, causes_of, seconds_of

_LOG_IN = (
    "a proxy with a login stands before it: log in with a browser and give that session's cookie (`cookieFile` of a "
    "context, or KADE2KFP_COOKIE), or a token (`tokenFile`, `exec`)"
)
_MOST = 300


class KfpError(RefusedError):
    """A request that did not do its work.

    `sent`: KFP may have had it. `told`: KFP itself says what is wrong.
    """

    def __init__(
        self,
        message: str,
        help: str = "",
        *,
        status: int = 0,
        passing: bool = False,
        after: float = 0.0,
        sent: bool = True,
        told: bool = False,
    ) -> None:
        super().__init__(message, help, status=status, passing=passing, after=after)
        self.sent = sent
        self.told = told

    @property
    def undone(self) -> bool:
        """Whether the request has certainly done nothing. KFP answers 500 before it has made anything of what it then refuses."""
        return not self.sent or 300 <= self.status < 500 or (self.status == 500 and self.told)


def refused(
    status: int, body: bytes | str | None, headers: Mapping[str, str], what: str, address: str, endpoint: str
) -> KfpError:
    """The error for an answer that is none of success.

    `what` is what was asked, such as `list runs`; `address` what messages call this KFP; `endpoint` its URL.
    """
    said = message_of(body)
    if 300 <= status < 400:
        return _led_away(status, headers.get("Location") or headers.get("location") or "", address, endpoint)
    if status == 401:
        help_ = "log in again: the token or cookie is missing, wrong or has expired"
        return KfpError(f"{address} does not accept who you are (401)", help_, status=401)
    if status == 403:
        return KfpError(
            f"you may not {what} (403)", said or "is it another namespace? Else ask who runs it", status=403
        )
    if status == 413:
        help_ = "a proxy before it has a limit (nginx: proxy-body-size); embed fewer files"
        return KfpError(f"could not {what}: it is too big for {address} (413)", help_, status=413)
    if status in PASSING:
        state = "is asked too much" if status == 429 else "has failed"
        return KfpError(
            f"could not {what}: {address} {state} ({status})",
            said or ("try again later" if status == 429 else "is KFP up? A proxy answers for it"),
            status=status,
            passing=True,
            told=said is not None,
            after=seconds_of(headers.get("Retry-After") or headers.get("retry-after")),
        )
    if said is None:
        return not_kfp(address, status)
    if status == 404:
        return KfpError(f"could not {what}: it is not there (404)", said, status=404)
    if status == 409:
        return KfpError(f"could not {what}: it is there already (409)", said, status=409)
    return KfpError(f"could not {what} ({status})", said, status=status)


def not_kfp(address: str, status: int, *, page: bool = False) -> KfpError:
    """The error for an answer in another language: a page, garbage, or nothing."""
    if page:
        help_ = f"{_LOG_IN}; or the path is missing in the address, such as /pipeline"
        return KfpError(f"{address} answers with a web page, not as KFP does ({status})", help_, status=status)
    help_ = "is the address that of Kubeflow Pipelines, with its path, such as /pipeline?"
    passing = status == 200  # half an answer may be a whole one next time
    return KfpError(
        f"{address} does not answer as KFP does ({status}, not JSON)", help_, status=status, passing=passing
    )


def too_old(version: str, address: str) -> KfpError:
    """The error for a KFP that cannot run what is compiled here."""
    return KfpError(
        f"{address} is KFP {version[:40]}, which cannot run these pipelines", "they take KFP 2.0 or later, best 2.17"
    )


def broken(error: BaseException, what: str, address: str) -> KfpError:
    """The error for a request that got no answer, by the reasons behind the exception."""
    causes = list(causes_of(error))
    names = {kind.__name__ for one in causes for kind in type(one).__mro__}
    for one in causes:
        if isinstance(one, ssl.SSLCertVerificationError):
            return KfpError(
                f"could not {what}: the certificate of {address} is not trusted ({one.verify_message})",
                "name who signed it: `ca` of a context, or KADE2KFP_CA",
                sent=False,
            )
    if "SSLError" in names:
        return KfpError(
            f"could not {what}: {address} does not speak TLS with us", "is it http://, or another port?", sent=False
        )
    if any(isinstance(one, socket.gaierror) for one in causes) or "NameResolutionError" in names:
        return KfpError(
            f"could not {what}: the name of {address} is not known", "is the VPN up, the address right?", sent=False
        )
    if "ConnectionRefusedError" in names:
        return KfpError(
            f"could not {what}: nothing listens at {address}",
            "is KFP up, the address right?",
            passing=True,
            sent=False,
        )
    if "ConnectTimeoutError" in names:
        return KfpError(f"could not {what}: {address} does not answer", "is the VPN up, the address right?", sent=False)
    if names & {"TimeoutError", "ReadTimeoutError"}:
        # Not asked again: the user has waited long enough.
        return KfpError(f"could not {what}: {address} took the request, and does not answer", "try again later")
    if "NewConnectionError" in names:
        return KfpError(
            f"could not {what}: there is no way to {address}", "is the network up, the address right?", sent=False
        )
    if "ValueError" in names and not names & {"ProtocolError", "OSError"}:
        # http.client refuses a header; its text quotes the token.
        return KfpError(f"could not {what}: the token or address cannot be sent", "log in again", sent=False)
    return KfpError(f"could not {what}: the connection to {address} broke", "try again", passing=True)


def message_of(body: bytes | str | None) -> str | None:
    """What KFP says is wrong, on one line, its middle cut out where it is long; None where the body is not KFP's."""
    try:
        answer = json.loads(body or b"")
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    said = next((answer[key] for key in ("error_details", "error_message", "message", "error") if answer.get(key)), "")
    text = " ".join(said.split()) if isinstance(said, str) else ""
    # The first words say what was tried, the last ones why it failed.
    return text if len(text) <= _MOST else f"{text[: _MOST // 3]} ... {text[-_MOST * 2 // 3 :]}"


def _led_away(status: int, location: str, address: str, endpoint: str) -> KfpError:
    try:
        there, here = urlsplit(location), urlsplit(endpoint)
        secure = here.scheme == "http" and there.scheme == "https" and there.hostname == here.hostname
    except ValueError:
        secure = False
    if secure:
        return KfpError(f"{address} leads to its https address ({status})", "write https://", status=status)
    return KfpError(f"{address} leads to another page, as to log in ({status})", _LOG_IN, status=status)
