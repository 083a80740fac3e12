"""KFP's own client: every request with time limits, repeated where that is safe, its errors told by errors.py."""

from __future__ import annotations

import ssl
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import quote

from kade2kfp.cluster.errors import RefusedError
from kade2kfp.cluster.kfp.errors import KfpError, broken, not_kfp, refused, too_old
from kade2kfp.cluster.kfp.reach import reached
from kade2kfp.cluster.kfp.where import Target, own_namespace
from kade2kfp.diagnostics.cannot import CannotDoError

Answer = TypeVar("Answer")
OLDEST = (2, 0)
"""KFP's first version that takes what is compiled here."""
_TRIES = 4
_UNTIL: ContextVar[float | None] = ContextVar("until", default=None)


@dataclass(frozen=True, slots=True)
class Kfp:
    """A KFP that is talked to.

    `client` is a kfp.Client whose generated methods return JSON objects as they were sent (`client._run_api` and so on),
    `api` its kfp_server_api.ApiClient. `version` is what KFP says it is, empty where it does not. `namespace` is what
    requests name: empty where KFP has one for all.
    """

    target: Target
    client: Any = field(repr=False)
    api: Any = field(repr=False)
    version: str = ""
    multi_user: bool = False

    @property
    def namespace(self) -> str:
        """The namespace for requests; KFP refuses one where it has no users to tell apart."""
        return self.target.namespace if self.multi_user else ""


@contextmanager
def kfp_of(target: Target) -> Iterator[Kfp]:
    """KFP, asked for its version; while the block lasts its port is carried here where the target says so.

    Raises CannotDoError: it cannot be reached, does not let us in, is no KFP, is too old, or needs a namespace.
    """
    with reached(target) as near:
        kfp = unasked(near)
        health = ask(kfp, "ask KFP for its version", lambda client: client._healthz_api.healthz_service_get_healthz())
        version = str(health.get("tag_name") or "")
        numbers = numbers_of(version)
        if numbers is not None and numbers < OLDEST:
            raise too_old(version, target.address)
        multi_user = health.get("multi_user") is True
        if multi_user and not near.namespace:
            near = replace(near, namespace=own_namespace())
            if not near.namespace:
                raise CannotDoError(
                    f"the KFP at {target.address} has several users, each with a namespace", "name yours by --namespace"
                )
        yield Kfp(near, kfp.client, kfp.api, version, multi_user)


@contextmanager
def until(moment: float | None) -> Iterator[None]:
    """No request of the block lasts, or is repeated, beyond a moment of time.monotonic (None: no limit)."""
    token = _UNTIL.set(moment)
    try:
        yield
    finally:
        _UNTIL.reset(token)


def _left(seconds: float) -> float:
    moment = _UNTIL.get()
    return seconds if moment is None else max(0.5, min(seconds, moment - time.monotonic()))


def ask(kfp: Kfp, what: str, call: Callable[[Any], Any], *, again: bool = True) -> dict[str, Any]:
    """What one of KFP's methods answers, a JSON object: `ask(kfp, "list runs", lambda c: c._run_api.run_service_list_runs())`.

    `again`: it may be done twice, so it is, up to three times more, where the answer was lost or says to come again.
    Else it is repeated only where nobody was reached. Raises CannotDoError, RefusedError for what KFP or the network says.
    """
    return repeated(kfp, lambda: _object(kfp, what, lambda: call(kfp.client)), again=again)


def get(kfp: Kfp, what: str, path: str, query: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """What KFP answers at a path, such as `/apis/v1beta1/runs/ID`, for which its client has no method. Raises CannotDoError."""
    return repeated(kfp, lambda: _object(kfp, what, lambda: _get(kfp, path, query)), again=True)


def stream(kfp: Kfp, what: str, path: str, query: Sequence[tuple[str, str]] = ()) -> Any:
    """The answer at a path as a urllib3 response whose body was not read yet: logs and files. Raises CannotDoError.

    Who reads it catches urllib3.exceptions.HTTPError and hands it to `lost`.
    """
    return repeated(kfp, lambda: _told(kfp, what, lambda: _get(kfp, path, query, whole=False)), again=True)


def lost(kfp: Kfp, what: str, error: BaseException) -> RefusedError:
    """The error for a body that broke off while it was read."""
    return broken(error, what, kfp.target.address)


def path(*parts: str) -> str:
    """A path of quoted parts below `/apis/`: `path("v1beta1", "runs", run)`."""
    return "/apis/" + "/".join(quote(part, safe="") for part in parts)


def numbers_of(version: str) -> tuple[int, int] | None:
    """The first two numbers of a version, such as (2, 17) of `2.17.0`; None where it has none."""
    first, dot, rest = version.removeprefix("v").partition(".")
    second = rest.partition(".")[0].partition("-")[0]
    return (int(first), int(second)) if dot and first.isdecimal() and second.isdecimal() else None


def repeated(kfp: Kfp, once: Callable[[], Answer], *, again: bool) -> Answer:
    """What `once` returns; it is called again, later each time, while it fails for a reason that passes.

    Without `again` only where nobody was reached. Raises what `once` raises at last.
    """
    for attempt in range(_TRIES - 1):
        try:
            return once()
        except RefusedError as error:
            if not error.passing or not (again or is_unsent(error)):
                raise
            pause = max(error.after, kfp.target.pause * 2**attempt)
            moment = _UNTIL.get()
            if moment is not None and time.monotonic() + pause > moment:
                raise
            time.sleep(pause)
    return once()


def is_unsent(error: RefusedError) -> bool:
    """Whether a request that failed has certainly done nothing: nobody was reached, or KFP was asked too much."""
    return error.status == 429 or (isinstance(error, KfpError) and not error.sent)


def unasked(target: Target) -> Kfp:
    """KFP's client, made without a request. Imports kfp, which takes a second."""
    from kfp import Client
    from kfp.client.client import kfp_server_api

    _check_trust(target)
    configuration = kfp_server_api.Configuration()
    configuration.host = target.endpoint
    configuration.verify_ssl = target.verify
    configuration.ssl_ca_cert = target.ca
    configuration.retries = False  # ours know what may be repeated, and follow nobody to a login page
    if target.token is not None:
        token = target.token

        def fresh(one: Any) -> None:
            one.api_key["authorization"] = token()

        configuration.api_key["authorization"] = ""
        configuration.api_key_prefix["authorization"] = "Bearer"
        configuration.refresh_api_key_hook = fresh

    # Without what kfp.Client does unasked: other logins, ~/.config/kfp, health requests (sdk/python/kfp/client/client.py).
    plain: Any = type(
        "Plain",
        (Client,),
        {
            "_load_config": lambda *_: configuration,
            "_load_context_setting_or_default": lambda self: setattr(self, "_context_setting", {"namespace": "-"}),
        },
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is for KFP 2.0 and later
        client = plain(host=target.endpoint, cookies=target.cookies)
    api = client._run_api.api_client
    _limit(api, target)
    return Kfp(target, client, api)


def _check_trust(target: Target) -> None:
    if not target.verify:  # the configuration says so; kubectl does not warn either
        import urllib3

        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    if target.ca is not None:
        try:
            ssl.create_default_context(cafile=target.ca)
        except OSError as error:
            reason = "it holds none" if isinstance(error, ssl.SSLError) else (error.strerror or "failed").lower()
            raise CannotDoError(
                f"cannot read the certificates of {target.ca}: {reason}", "look at `ca` of the context, or KADE2KFP_CA"
            ) from None


def _limit(api: Any, target: Target) -> None:
    """Let every request have time limits, and its answer be the JSON that came.

    KFP's models would take a login page for an empty answer, and refuse states that a later KFP has.
    """
    once = api.call_api

    def call_api(*args: Any, **kwargs: Any) -> Any:
        kwargs["_request_timeout"] = kwargs.get("_request_timeout") or (_left(target.connect), _left(target.read))
        if kwargs.get("response_type"):
            kwargs["response_type"] = "object"
        return once(*args, **kwargs)

    api.call_api = call_api


def _get(kfp: Kfp, path: str, query: Sequence[tuple[str, str]], *, whole: bool = True) -> Any:
    return kfp.api.call_api(
        path,
        "GET",
        query_params=list(query),
        header_params={"Accept": "application/json" if whole else "*/*"},
        response_type="object" if whole else None,
        auth_settings=["Bearer"],
        _return_http_data_only=True,
        _preload_content=whole,
    )


def _object(kfp: Kfp, what: str, call: Callable[[], Any]) -> dict[str, Any]:
    answer = _told(kfp, what, call)
    if isinstance(answer, dict):
        return answer
    page = isinstance(answer, str) and answer.lstrip()[:1] == "<"
    raise not_kfp(kfp.target.address, kfp.api.last_response.status, page=page)


def _told(kfp: Kfp, what: str, call: Callable[[], Answer]) -> Answer:
    """What `call` returns, and RefusedError for all that KFP and the network may do instead."""
    from kfp.client.client import kfp_server_api
    from urllib3.exceptions import HTTPError

    address = kfp.target.address
    try:
        return call()
    except kfp_server_api.ApiException as error:
        if error.status:
            raise refused(error.status, error.body, error.headers or {}, what, address, kfp.target.endpoint) from None
        raise broken(error, what, address) from None
    except UnicodeDecodeError as error:
        raise not_kfp(address, getattr(error.__context__, "status", None) or 200) from None
    except AttributeError as error:  # KFP's client decodes the body of an error that has none
        if not isinstance(error.__context__, kfp_server_api.ApiException):
            raise
        raise broken(error, what, address) from None
    except (HTTPError, OSError, ValueError) as error:
        raise broken(error, what, address) from None
