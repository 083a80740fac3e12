"""Which cluster: by the kubeconfig, or from inside of one. `kubernetes` is imported when it is needed: it takes a second."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.document.suggest import did_you_mean

_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_NAMESPACE = "kubeflow"  # where KFP's own manifests run pipelines, and what its command line takes


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that is talked to. `api` is a kubernetes.client.ApiClient, `address` its host for messages.

    `user` is what the kubeconfig calls its user. `connect` and `read` are seconds that are waited for a connection and
    for an answer's next part, `pause` those before a request is repeated for the first time.
    """

    api: Any
    namespace: str
    address: str
    user: str = ""
    connect: float = 10.0
    read: float = 30.0
    pause: float = 0.5
    patience: float = 10.0


def connect(context: str | None = None, namespace: str | None = None) -> Cluster:
    """The cluster of the kubeconfig's context (files of KUBECONFIG, else ~/.kube/config), or the one we run in.

    The namespace is the given one, else the context's, else the pod's own, else `kubeflow`. Nothing is sent, though
    the kubeconfig may name a program that gets a token. Raises CannotDoError.
    """
    paths = os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())
    files = [path for path in paths.split(os.pathsep) if path and Path(path).expanduser().exists()]
    if files:
        return _by_kubeconfig(os.pathsep.join(files), context, namespace)
    if context is not None or "KUBERNETES_SERVICE_HOST" not in os.environ:
        raise CannotDoError(
            "there is no kubeconfig, so no cluster is known",
            f"looked for {paths}: set KUBECONFIG, or get the file from who runs the cluster",
        )
    return _from_inside(namespace)


def _by_kubeconfig(files: str, context: str | None, namespace: str | None) -> Cluster:
    from kubernetes.config import kube_config

    contexts, current = _contexts(files)
    name = context or current
    if not name:
        raise CannotDoError(
            "the kubeconfig has no current context", "name one by --kube-context, or: kubectl config use-context"
        )
    if name not in contexts:
        known = did_you_mean(name, contexts, noun="contexts")
        raise CannotDoError(f"the kubeconfig has no context `{name}`", known)
    chosen = contexts[name]
    said: list[str] = []
    configuration = _configuration()
    try:
        with _overheard(said):
            # The user's file is not written to: a refreshed token stays with this process.
            kube_config.load_kube_config(
                config_file=files, context=name, client_configuration=configuration, persist_config=False
            )
    except Exception as error:  # of any kind, by what stands in the file; the text may quote a token
        missing = str(error).removeprefix("File does not exist: ")
        help_ = f"there is no file {missing}" if missing != str(error) else f"look at it: {files}"
        raise CannotDoError(f"the kubeconfig's context `{name}` cannot be used", help_) from None
    if said and not configuration.api_key and not configuration.cert_file:
        raise CannotDoError(f"the kubeconfig's login for context `{name}` failed", said[-1][:300])
    return _cluster(configuration, namespace or _text(chosen, "namespace") or _NAMESPACE, _text(chosen, "user"))


def _from_inside(namespace: str | None) -> Cluster:
    from kubernetes.config import ConfigException, load_incluster_config

    configuration = _configuration()
    try:
        load_incluster_config(client_configuration=configuration)
    except (ConfigException, OSError):
        raise CannotDoError(
            "this pod has no service account that may talk to the cluster",
            "let `automountServiceAccountToken` be true, or set KUBECONFIG",
        ) from None
    try:
        own = _OWN_NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:
        own = ""
    return _cluster(configuration, namespace or own or _NAMESPACE, "")


def _configuration() -> Any:
    from kubernetes.client import Configuration

    configuration = Configuration()
    configuration.retries = False  # ours know what may be repeated (requests.py), and follow nobody to a login page
    return configuration


def _cluster(configuration: Any, namespace: str, user: str) -> Cluster:
    from kubernetes.client import ApiClient

    if not configuration.verify_ssl:  # the kubeconfig says so; kubectl does not warn either
        import urllib3

        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    _trim(configuration)
    address = urlsplit(configuration.host)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise CannotDoError(
            "the kubeconfig's `server` is no http:// or https:// address", "such as https://10.0.0.1:6443"
        )
    host = f"[{address.hostname}]" if ":" in address.hostname else address.hostname
    try:
        port = f":{address.port}" if address.port else ""
    except ValueError:
        raise CannotDoError(
            "the kubeconfig's `server` has a port that is none", "such as https://10.0.0.1:6443"
        ) from None
    api = ApiClient(configuration)
    if configuration.verify_ssl:
        api.rest_client.pool_manager.connection_pool_kw["ssl_context"] = _trusting(configuration.ssl_ca_cert)
    return Cluster(api, namespace, host + port, user)


def _trusting(authority: str | None) -> ssl.SSLContext:
    """Verifies chain and host, but asks no more of a certificate: from Python 3.13 on those of many clusters, such as EKS's, would
    be refused for lacking an Authority Key Identifier (kubernetes-client/python#2394).
    """
    context = ssl.create_default_context(cafile=authority)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _trim(configuration: Any) -> None:
    """Take the line's end off a token: one read from a file has it, and no header may."""
    refresh = configuration.refresh_api_key_hook

    def trimmed(fresh: Any) -> None:
        if refresh is not None:
            refresh(fresh)
        if token := fresh.api_key.get("authorization"):
            fresh.api_key["authorization"] = token.strip()

    configuration.refresh_api_key_hook = trimmed


def _contexts(files: str) -> tuple[dict[str, Mapping[str, Any]], str]:
    """The contexts by name, and the current one's name."""
    import yaml

    found: dict[str, Mapping[str, Any]] = {}
    current = ""
    for file in files.split(os.pathsep):
        try:
            value = yaml.safe_load(Path(file).expanduser().read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            mark = getattr(error, "problem_mark", None)  # the error's text quotes the line
            where = f" (line {mark.line + 1})" if mark else ""
            raise CannotDoError(f"the kubeconfig {file}{where} cannot be read", type(error).__name__) from None
        if not isinstance(value, dict):
            raise CannotDoError(
                f"the kubeconfig {file} is none", "it has to be YAML with `clusters`, `users` and `contexts`"
            )
        rows = value.get("contexts")
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, dict) and isinstance(row.get("context"), dict):
                found.setdefault(str(row.get("name")), row["context"])
        # As the loader has it, the last file's counts.
        current = str(value.get("current-context") or current)
    return found, current


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) else ""


@contextmanager
def _overheard(said: list[str]) -> Iterator[None]:
    """Collects what the loader logs: that the kubeconfig's login program failed, it says nowhere else."""

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    handler = Collect(logging.ERROR)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
