"""Which KFP is meant: by options, else environment variables, else the configuration's current context, else the one around us."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kade2kfp.cluster.kfp import login
from kade2kfp.cluster.kfp.config import Config, read
from kade2kfp.cluster.kfp.login import Token
from kade2kfp.diagnostics.cannot import CannotDoError

# KFP's command line reads its options from KFP_..., its library reads KF_PIPELINES_... (kfp/cli/__main__.py, client.py).
ENDPOINTS = ("KFP_ENDPOINT", "KF_PIPELINES_ENDPOINT")
UI = "KF_PIPELINES_UI_ENDPOINT"
NAMESPACE = "KFP_NAMESPACE"
TOKEN = "KFP_EXISTING_TOKEN"
COOKIE = "KADE2KFP_COOKIE"
CONTEXT = "KADE2KFP_CONTEXT"
AUTHORITIES = ("KADE2KFP_CA", "SSL_CERT_FILE")
IN_CLUSTER = "http://ml-pipeline.kubeflow:8888"
DEFAULT_NAMESPACE = "kubeflow"
_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Forward:
    """KFP's service in a cluster that only the kubeconfig leads to."""

    namespace: str = DEFAULT_NAMESPACE
    service: str = "ml-pipeline"
    port: int = 8888


@dataclass(frozen=True, slots=True)
class Target:
    """A KFP that can be asked.

    `endpoint` is a URL without a slash at its end; while `forward` is set it is where the service will be once its port
    is carried here. `namespace` is empty where none was named. `ui` is the URL before `/#/runs/details/...`, empty where
    nobody said it. `context` is the configuration's name for all this, `kube_context` the kubeconfig's for the cluster
    below. `connect` and `read` are seconds that are waited for a connection and for an answer's next part, `pause` those
    before a request is repeated for the first time.
    """

    endpoint: str
    namespace: str = ""
    token: Token | None = field(default=None, repr=False)
    cookies: str = field(default="", repr=False)
    ca: str | None = None
    verify: bool = True
    ui: str = ""
    context: str = ""
    forward: Forward | None = None
    kube_context: str | None = None
    connect: float = 10.0
    read: float = 30.0
    pause: float = 0.5

    @property
    def address(self) -> str:
        """What messages call it."""
        if self.forward is not None:
            return f"service {self.forward.service} of namespace {self.forward.namespace}"
        return self.endpoint.partition("://")[2]

    @property
    def in_the_clear(self) -> bool:
        """Whether a login is sent unencrypted through a network that may be anybody's."""
        parts = urlsplit(self.endpoint)
        host = parts.hostname or ""
        inside = _is_loopback(host) or "." not in host or host.endswith((".svc", ".svc.cluster.local", ".kubeflow"))
        return parts.scheme == "http" and not inside and (self.token is not None or bool(self.cookies))

    def run_url(self, run_id: str) -> str:
        """Where a browser shows a run; empty where no UI is known."""
        return f"{self.ui}/#/runs/details/{run_id}" if self.ui else ""


def target_of(
    *,
    endpoint: str | None = None,
    namespace: str | None = None,
    context: str | None = None,
    always: bool = False,
    forward: bool = False,
    kube_context: str | None = None,
) -> Target | None:
    """The KFP that is meant; None where none of the options says that one is.

    Args:
        endpoint: KFP's URL.
        namespace: the namespace of the runs.
        context: a context of the configuration.
        always: one is meant, whatever the options say.
        forward: KFP's service of the kubeconfig's cluster.
        kube_context: the kubeconfig's context of the cluster.

    Raises:
        CannotDoError: there is none, or it is not said right.
    """
    if not (always or forward or endpoint or namespace or context):
        return None
    if sum(map(bool, (endpoint, context, forward))) > 1:
        raise CannotDoError("--endpoint, --kfp-context and --port-forward exclude each other", "give one of them")
    found = _target(endpoint, context, forward)
    wanted = namespace or _environment(NAMESPACE) or found.namespace
    return replace(found, namespace=wanted, kube_context=kube_context or found.kube_context)


def own_namespace() -> str:
    """The namespace of the pod that we run in; empty where we run in none."""
    try:
        return _OWN_NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _target(endpoint: str | None, context: str | None, forward: bool) -> Target:
    if endpoint:
        return _by_address(endpoint, "--endpoint")
    if forward:
        return Target("http://127.0.0.1", forward=Forward(), ca=_environment(*AUTHORITIES) or None, ui=_ui())
    if name := context or _environment(CONTEXT):
        config = read()
        return _by_context(config, name)
    if address := _environment(*ENDPOINTS):
        return _by_address(address, next(one for one in ENDPOINTS if os.environ.get(one)))
    config = read()
    if config.current:
        return _by_context(config, config.current)
    if os.environ.get("KUBERNETES_SERVICE_HOST"):
        return replace(_by_address(IN_CLUSTER, "KFP's own address"), ui=_ui())
    raise CannotDoError(
        "no Kubeflow Pipelines is known",
        f"name it by --endpoint, {ENDPOINTS[0]}, or a context in {config.path}; or --port-forward through kubectl's cluster",
    )


def _by_address(text: str, what: str) -> Target:
    """A KFP by its URL, with the login of the environment."""
    endpoint = url_of(text, what)
    token: Token | None = None
    if given := _environment(TOKEN):
        token = login.from_text(given, TOKEN)
    elif (endpoint == IN_CLUSTER or os.environ.get(login.SERVICE_ACCOUNT_VARIABLE)) and (
        path := login.service_account()
    ):
        token = login.from_file(path, private=False)
    cookie = _environment(COOKIE)
    return Target(
        endpoint,
        token=token,
        cookies=login.cookie_of(cookie, COOKIE) if cookie else "",
        ca=_environment(*AUTHORITIES) or None,
        ui=_ui() or endpoint,
    )


def _by_context(config: Config, name: str) -> Target:
    """A KFP by its context. No other login than the context's is used: it is not for this server."""
    context = config.context(name)
    where = f"{config.path}, context `{name}`"
    ui = context.get("uiUrl") and url_of(context["uiUrl"], f"`uiUrl` of {where}")
    forward = _forward(context)
    endpoint = "http://127.0.0.1" if forward else url_of(context["endpoint"], f"`endpoint` of {where}")
    inner = context["portForward"] if isinstance(context.get("portForward"), dict) else {}
    return Target(
        endpoint,
        namespace=context.get("namespace", ""),
        token=_token(context, where),
        cookies=_cookie(context, where),
        ca=context.get("ca") and str(Path(context["ca"]).expanduser()),
        verify=not context.get("insecureSkipTlsVerify", False),
        ui=ui or ("" if forward else endpoint),
        context=name,
        forward=forward,
        kube_context=inner.get("kubeContext") or context.get("kubeContext"),
    )


def _forward(context: Mapping[str, Any]) -> Forward | None:
    given = context.get("portForward")
    if not given:
        return None
    fields = {} if given is True else {name: one for name, one in given.items() if name != "kubeContext" and one}
    return Forward(**fields)


def _token(context: Mapping[str, Any], where: str) -> Token | None:
    if path := context.get("tokenFile"):
        return login.from_file(path)
    if name := context.get("tokenEnv"):
        return login.from_text(os.environ.get(name, ""), f"the variable {name}")
    if text := context.get("token"):
        return login.from_text(text, f"`token` of {where}")
    if command := context.get("exec"):
        return login.from_program(command, f"the login program {command[0]}")
    if account := context.get("serviceAccountToken"):
        path = account if isinstance(account, str) else login.service_account() or login.SERVICE_ACCOUNT
        return login.from_file(path, private=False)
    return None


def _cookie(context: Mapping[str, Any], where: str) -> str:
    if path := context.get("cookieFile"):
        return login.cookie_of(login.read_secret(path), path)
    text = context.get("cookie")
    return login.cookie_of(text, f"`cookie` of {where}") if text else ""


def url_of(text: str, what: str) -> str:
    """An http or https URL without what a browser adds. Without a scheme it is https, or http on this machine.

    Raises CannotDoError; no text of it is quoted, for it may hold a password.
    """
    text = text.strip()
    example = "such as https://kubeflow.example.com/pipeline"
    if "://" not in text:
        host = text.partition("/")[0].rpartition(":")[0] or text
        text = f"{'http' if _is_loopback(host) else 'https'}://{text}"
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises where it is none
    except ValueError:
        raise CannotDoError(f"{what} is no address", example) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not text.isascii() or not text.isprintable():
        raise CannotDoError(f"{what} is no http:// or https:// address", example)
    if parts.username is not None or parts.password is not None or parts.query:
        raise CannotDoError(
            f"{what} holds more than an address",
            "a login in a URL is seen by everybody on the way: use a token's file or a context",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _is_loopback(host: str) -> bool:
    return host.strip("[]") in ("localhost", "::1") or host.startswith("127.")


def _ui() -> str:
    address = _environment(UI)
    return url_of(address, UI) if address.startswith(("http://", "https://")) else ""


def _environment(*names: str) -> str:
    """The first of the variables that is set and not empty; empty where none is."""
    return next((os.environ[name] for name in names if os.environ.get(name)), "")
