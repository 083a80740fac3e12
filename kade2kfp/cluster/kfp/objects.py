"""The object store that keeps a run's artifacts: MinIO, SeaweedFS, S3, whatever speaks S3's protocol.

Where it is and who may read it say the options and the environment, else what KFP's own launcher reads: the config map
`kfp-launcher` and the secret named there (backend/src/v2/config/env.go, minio.go, s3.go).
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import yaml

from kade2kfp.cluster.errors import RefusedError
from kade2kfp.cluster.kfp.errors import broken
from kade2kfp.cluster.kfp.reach import kubernetes_of, reached
from kade2kfp.cluster.kfp.where import DEFAULT_NAMESPACE, Forward, Target, url_of
from kade2kfp.cluster.requests import call
from kade2kfp.diagnostics.cannot import CannotDoError

# As the clients of AWS read them, and KFP's own (frontend/server/configs.ts) for its MinIO.
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_KEYS = (("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"))
_TOKEN, _REGION = "AWS_SESSION_TOKEN", ("AWS_REGION", "AWS_DEFAULT_REGION")
_AMAZON = "https://s3.amazonaws.com"
_LAUNCHER, _SECRET = "kfp-launcher", "mlpipeline-minio-artifact"
_SERVICE = ("minio-service", 9000)
_PIECE = 256 * 1024
_MOST = 100_000
HELP = "name it: --store URL (or AWS_ENDPOINT_URL), with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment"


class GoneError(CannotDoError):
    """There is no such object."""


@dataclass(frozen=True, slots=True)
class Object:
    """An object below a URI: `path` behind it, empty for the URI's own, and its size in bytes."""

    path: str
    size: int
    uri: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a store is and who asks; `address` is what messages call it."""

    endpoint: str
    access: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    session: str = field(default="", repr=False)
    region: str = "us-east-1"

    @property
    def address(self) -> str:
        """Host and port."""
        return urlsplit(self.endpoint).netloc


class Objects:
    """Object stores, opened when something of them is read, and closed with `close`.

    Who makes one says which KFP the artifacts are of, and the address that the user gave for the store, or "".
    """

    def __init__(self, target: Target, endpoint: str = "") -> None:
        self._target = target
        self._endpoint = endpoint
        self._stack = ExitStack()
        self._open: dict[str, tuple[Any, Settings]] = {}

    def close(self) -> None:
        """Close what was opened."""
        self._stack.close()

    def __enter__(self) -> Objects:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_named(self) -> bool:
        """Whether the user has said where the store is, so that it can be asked without a further thought."""
        return bool(self._endpoint or any(os.environ.get(one) for one in _ENDPOINTS))

    def all(self, uri: str) -> list[Object]:
        """The objects of an artifact: the one at its URI, or those below it. Raises CannotDoError."""
        scheme, bucket, key = parts_of(uri)
        client, settings = self._client(scheme)
        found = []
        with _told(f"look at {uri}", settings):
            for one in client.list_objects(bucket, prefix=key, recursive=True):
                name = one.object_name or ""
                rest = name[len(key) :]
                if name == key or key.endswith("/") or rest.startswith("/"):
                    found.append(Object(rest.lstrip("/"), one.size or 0, f"{scheme}://{bucket}/{name}"))
                if len(found) > _MOST:
                    raise CannotDoError(f"{uri} has more than {_MOST:,} objects", "read it with a client of the store")
        own = [one for one in found if not one.path]
        return own or [one for one in found if not one.path.endswith("/")]

    def read(self, uri: str) -> Iterator[bytes]:
        """An object in pieces. Raises GoneError before the first where there is none, CannotDoError."""
        scheme, bucket, key = parts_of(uri)
        client, settings = self._client(scheme)
        with _told(f"read {uri}", settings):
            answer = client.get_object(bucket, key)
            try:
                yield from answer.stream(_PIECE)
            finally:
                answer.close()
                answer.release_conn()

    def _client(self, scheme: str) -> tuple[Any, Settings]:
        if scheme not in self._open:
            settings = self._settings(scheme)
            self._open[scheme] = (_minio(settings, self._target), settings)
        return self._open[scheme]

    def _settings(self, scheme: str) -> Settings:
        endpoint = self._endpoint or next((os.environ[one] for one in _ENDPOINTS if os.environ.get(one)), "")
        given = Settings(
            url_of(endpoint, "the object store's address") if endpoint else "",
            *_keys(),
            os.environ.get(_TOKEN, ""),
            next((os.environ[one] for one in _REGION if os.environ.get(one)), "us-east-1"),
        )
        if given.endpoint and given.access:
            return given
        if scheme == "s3" and given.access and not given.endpoint:
            return replace(given, endpoint=_AMAZON)
        try:
            found = self._by_cluster(scheme)
        except CannotDoError as error:
            if given.endpoint:
                raise CannotDoError(
                    f"the keys of the object store at {given.endpoint} are not known: {error}",
                    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                ) from None
            raise CannotDoError(
                f"the object store of the run is not known: {error}", f"{error.help}; or {HELP}" if error.help else HELP
            ) from None
        if given.access:
            found = replace(found, access=given.access, secret=given.secret, session=given.session)
        return replace(found, endpoint=given.endpoint) if given.endpoint else self._near(found)

    def _by_cluster(self, scheme: str) -> Settings:
        """What KFP's launcher has in the runs' namespace."""
        cluster = kubernetes_of(self._target)
        try:
            said = call(cluster, "get", "configmaps", _LAUNCHER)
            providers = yaml.safe_load((said.get("data") or {}).get("providers") or "") or {}
        except RefusedError as error:
            if error.status != 404:
                raise
            providers = {}
        except yaml.YAMLError:
            providers = {}
        default = _object(_object(_object(providers).get(scheme)).get("default"))
        reference = _object(_object(default.get("credentials")).get("secretRef"))
        name = str(reference.get("secretName") or _SECRET)
        data = _object(call(cluster, "get", "secrets", name).get("data"))
        access = _decoded(data.get(str(reference.get("accessKeyKey") or "accesskey")))
        secret = _decoded(data.get(str(reference.get("secretKeyKey") or "secretkey")))
        if not access or not secret:
            raise CannotDoError(f"the secret {name} in namespace `{cluster.namespace}` has no keys of a store")
        endpoint = str(default.get("endpoint") or "")
        if "://" not in endpoint:
            plain = bool(default.get("disableSSL", scheme == "minio"))
            fallback = f"{_SERVICE[0]}.{DEFAULT_NAMESPACE}:{_SERVICE[1]}" if scheme == "minio" else "s3.amazonaws.com"
            endpoint = (
                f"{'http' if plain or (not endpoint and scheme == 'minio') else 'https'}://{endpoint or fallback}"
            )
        return Settings(endpoint, access, secret, "", str(default.get("region") or "us-east-1"))

    def _near(self, settings: Settings) -> Settings:
        """The settings with an address that can be reached from here: a cluster's service by a port carried here."""
        parts = urlsplit(settings.endpoint)
        names = (parts.hostname or "").split(".")
        inside = len(names) == 2 or (len(names) > 2 and names[2] == "svc")
        if not inside or os.environ.get("KUBERNETES_SERVICE_HOST"):
            return settings
        way = Forward(names[1], names[0], parts.port or (443 if parts.scheme == "https" else 80))
        near = self._stack.enter_context(reached(replace(self._target, forward=way)))
        return replace(settings, endpoint=f"{parts.scheme}://{urlsplit(near.endpoint).netloc}")


def parts_of(uri: str) -> tuple[str, str, str]:
    """Scheme, bucket and key of an artifact's URI. Raises CannotDoError where no store of S3's kind is meant."""
    scheme, found, rest = uri.partition("://")
    bucket, _, key = rest.partition("?")[0].partition("/")
    if not found or scheme not in ("minio", "s3") or not bucket or not key:
        help_ = f"gcloud storage cp -r {uri} ." if scheme == "gs" else "artifacts of s3:// and minio:// can"
        raise CannotDoError(f"{uri} cannot be read from here", help_)
    return scheme, bucket, key


def _keys() -> tuple[str, str]:
    for access, secret in _KEYS:
        if os.environ.get(access) and os.environ.get(secret):
            return os.environ[access], os.environ[secret]
    return "", ""


def _minio(settings: Settings, target: Target) -> Any:
    import urllib3
    from minio import Minio

    parts = urlsplit(settings.endpoint)
    if parts.path not in ("", "/"):
        raise CannotDoError(f"the object store's address has a path: {parts.path}", "give scheme, host and port only")
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=target.connect, read=target.read),
        retries=urllib3.Retry(total=3, backoff_factor=0.3, status_forcelist=[500, 502, 503, 504], redirect=0),
        ca_certs=target.ca or os.environ.get("SSL_CERT_FILE"),
        cert_reqs="CERT_REQUIRED" if target.verify else "CERT_NONE",
    )
    return Minio(
        endpoint=parts.netloc,
        access_key=settings.access or None,
        secret_key=settings.secret or None,
        session_token=settings.session or None,
        secure=parts.scheme == "https",
        region=settings.region,
        http_client=pool,
    )


@contextmanager
def _told(what: str, settings: Settings) -> Iterator[None]:
    """What the store's client raises, as errors for the user: no text of it, which may hold a signed request."""
    from xml.etree.ElementTree import ParseError

    from minio.error import MinioException, S3Error
    from urllib3.exceptions import HTTPError

    address = settings.address
    try:
        yield
    except S3Error as error:
        code = str(error.code)[:60]
        if code in ("NoSuchKey", "NoSuchBucket", "NoSuchObject"):
            raise GoneError(f"could not {what}: it is not there ({code})", f"the store is {address}") from None
        if code in ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"):
            raise RefusedError(f"could not {what}: {address} refuses the key ({code})", HELP, status=403) from None
        raise RefusedError(f"could not {what}: {address} says {code}") from None
    except (MinioException, ParseError, UnicodeDecodeError):
        raise RefusedError(f"{address} does not answer as an object store does", HELP) from None
    except (HTTPError, OSError) as error:
        raise broken(error, what, address) from None


def _decoded(value: object) -> str:
    try:
        return base64.b64decode(str(value or ""), validate=True).decode().strip()
    except (ValueError, UnicodeDecodeError):
        return ""


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
