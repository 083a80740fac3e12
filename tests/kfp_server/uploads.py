"""Uploads: multipart forms, answered by KFP's own HTTP handlers and not by the gateway, so their errors look otherwise
(server/pipeline_upload_server.go, server/util.go)."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING, Any

from . import pipelines, specs
from .calls import Answer, Call, Route, may, namespace_of, route
from .errors import ApiError, invalid

if TYPE_CHECKING:
    from .kfp import Kfp

_LARGEST = 32 << 20


def upload(kfp: Kfp, call: Call) -> Answer:
    failed = "Failed to create a pipeline and a pipeline version"
    try:
        name, content = _file(call)
    except (KeyError, ValueError):
        return _refused(400, "Failed to read pipeline from file")
    try:
        text = _unpacked(name, content)
    except (ApiError, UnicodeDecodeError, OSError, tarfile.TarError, zipfile.BadZipFile):
        return _refused(400, "Failed to read a pipeline spec file")
    namespace = namespace_of(kfp, call.query.get("namespace"))
    if len(namespace) > 63:
        return _plain("Invalid input error: Pipeline.Namespace length cannot exceed 63")
    try:
        may(kfp, call, "create", "pipelines", namespace)
    except ApiError:
        return _refused(400, "Failed to create a pipeline")
    display = call.query.get("display_name", "")
    title = call.query.get("name") or display or name
    if len(title.encode()) > 128:
        return _plain("Invalid input error: Pipeline.Name length cannot exceed 128")
    try:
        spec = specs.read(text)
        specs.check_name(spec)
        made = pipelines.add(kfp, title, display or title, call.query.get("description", ""), namespace, spec)
    except ApiError as error:
        return _failed(error, failed)
    return _made(made.api())


def upload_version(kfp: Kfp, call: Call) -> Answer:
    failed = "Failed to create a pipeline version"
    try:
        name, content = _file(call)
        text = _unpacked(name, content)
        pipeline = kfp.pipeline(call.query["pipelineid"])
        display = call.query.get("display_name", "")
        title = call.query.get("name") or display or name
        if len(title.encode()) > 127:
            return _plain("Invalid input error: PipelineVersion.Name length cannot exceed 127")
        may(kfp, call, "create", "pipelines", pipeline.namespace)
    except (KeyError, ValueError, ApiError, OSError, tarfile.TarError, zipfile.BadZipFile):
        return _refused(400, failed)
    try:
        spec = specs.read(text)
        specs.check_name(spec)
        made = pipelines.add_version(kfp, pipeline.id, title, display or title, call.query.get("description", ""), spec)
    except ApiError as error:
        return _failed(error, failed)
    return _made(made.api())


def _file(call: Call) -> tuple[str, bytes]:
    """The name and content of the form's file; KeyError or ValueError where there is none."""
    kind = call.headers.get("Content-Type", "")
    if not kind.startswith("multipart/form-data"):
        raise ValueError("request Content-Type isn't multipart/form-data")
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + call.raw)
    for part in message.iter_parts():
        disposition = part["content-disposition"]
        if (
            disposition is not None
            and disposition.params.get("name") == "uploadfile"
            and "filename" in disposition.params
        ):
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            return str(disposition.params["filename"]), content
    raise KeyError("http: no such file")


def _unpacked(name: str, content: bytes) -> str:
    if len(content) > _LARGEST:
        raise invalid(f"File size too large ({len(content)} bytes). Maximum supported size: {_LARGEST}.")
    if name.endswith((".yaml", ".yml", ".json")):
        return content.decode()
    if content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            return packed.read(_inside(packed.namelist())).decode()
    if content[:2] == b"\x1f\x8b":
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(content))) as packed_tar:
            found = packed_tar.extractfile(_inside(packed_tar.getnames()))
            assert found is not None
            return found.read().decode()
    raise invalid("Unexpected pipeline file format. Support .zip, .tar.gz, .json or YAML")


def _inside(names: list[str]) -> str:
    first = "pipeline.yaml" if "pipeline.yaml" in names else (names or [""])[0]
    if not first.endswith((".yaml", ".yml")):
        raise invalid(f"Expecting a pipeline.yaml file. Got: {first}")
    return first


def _made(body: dict[str, Any]) -> Answer:
    return Answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})


def _failed(error: ApiError, words: str) -> Answer:
    if error.code == 6:
        return _refused(409, words)
    return _refused(400, error.external) if error.code == 3 else _refused(500, words)


def _refused(status: int, text: str) -> Answer:
    body = json.dumps({"error_message": text, "error_details": text}).encode()
    return Answer(status, body, {"Content-Type": "application/json"})


def _plain(text: str) -> Answer:
    """http.Error."""
    return Answer(400, text.encode() + b"\n", {"Content-Type": "text/plain; charset=utf-8"})


_BASE = "/apis/v2beta1/pipelines"
ROUTES: list[Route] = [
    route("POST", _BASE + "/upload", upload),
    route("POST", _BASE + "/upload_version", upload_version),
]
