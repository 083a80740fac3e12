"""loadData: downloads data, verifies and unpacks it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from kade2kfp.document.base import CompileText, Model, RunText
from kade2kfp.document.shared import Task
from kade2kfp.document.types import AbsolutePath, DnsName, has_reference, kind_of_path
from kade2kfp.steps.frame import Frame, Nodes
from kade2kfp.steps.model import Import
from kade2kfp.steps.parts import ArtifactInput, SecretMount
from kade2kfp.steps.python_text import embed_python
from kade2kfp.steps.sources import Arrived, Text

IMPORT_END = "-import"
"""What the name of a store's import has behind the name of the step that unpacks it."""
_HEADERS = "/kade/headers"

Decompress = Literal["auto", "none", "zip", "tar", "tar.gz", "tar.bz2", "tar.xz", "tar.zst", "gz", "bz2", "xz", "zst"]


class HeadersFrom(Model):
    """A secret whose keys are the names of HTTP headers."""

    secret_name: DnsName = Field(description="The secret's name.")


def _digest(value: Any) -> Any:
    if isinstance(value, str) and not has_reference(value):
        if len(value) != 64 or any(char not in "0123456789abcdefABCDEF" for char in value):
            raise PydanticCustomError(
                "K104",
                "this is not a SHA-256 digest",
                {"help": "it has 64 hexadecimal digits, as `sha256sum` prints them"},
            )
        return value.lower()
    return value


_DIGEST_SCHEMA = WithJsonSchema({"type": "string", "pattern": r"^[0-9a-fA-F]{64}$|\{\{"})


class LoadData(Task):
    """Downloads data, verifies it, and unpacks it."""

    type: Literal["loadData"] = Field(description="What the task is.")
    url: RunText = Field(
        min_length=1,
        description="Where the data is: http(s)://, s3://, gs://, minio://, and in local runs file://.",
    )
    source: Literal["http", "store"] | None = Field(
        default=None,
        description="`http` or `store` (s3, gs, minio); needed only where the URL's scheme is not literal.",
    )
    path: AbsolutePath = Field(description="The folder, or the file, that the data becomes.")
    sha256: Annotated[CompileText, BeforeValidator(_digest), _DIGEST_SCHEMA] | None = Field(
        default=None, description="The digest of what is downloaded."
    )
    decompress: Decompress | None = Field(
        default=None, description="What to unpack; by content with `auto`, the default."
    )
    headers_from: HeadersFrom | None = Field(default=None, description="HTTP headers, from a secret.")
    max_bytes: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="The most bytes that may be downloaded, and unpacked."
    )

    @property
    def scheme(self) -> str:
        """`http`, `store` or `file`; empty where the URL does not tell and `source` does not either."""
        if self.source:
            return self.source
        scheme = self.url.partition("://")[0].lower()
        return {
            "http": "http",
            "https": "http",
            "s3": "store",
            "gs": "store",
            "minio": "store",
            "file": "file",
        }.get(scheme, "")

    def nodes(self, frame: Frame) -> Nodes:
        """A step in the toolbox that downloads and unpacks; behind an import where an object store holds the data."""
        url = frame.text(self.place("url"), self.url)
        words: list[Text] = [("python3",), ("-c",), (embed_python("load_data.py"),), ("--to",), (self.path,)]
        if kind_of_path(self.path) == "file":
            words.append(("--file",))
        if self.sha256:
            words += [("--sha256",), (frame.compile_text(self.place("sha256"), self.sha256).lower(),)]
        if self.decompress:
            words += [("--decompress",), (self.decompress,)]
        if self.max_bytes:
            words += [("--max-bytes",), (str(self.max_bytes),)]
        step = replace(frame.step, image=(frame.toolbox_image,))
        if self.headers_from:
            headers = SecretMount(
                "secret",
                frame.text(self.headers_from.place("secret_name"), self.headers_from.secret_name),
                _HEADERS,
            )
            step = replace(step, mounts=(*step.mounts, headers))
            words += [("--headers",), (_HEADERS,)]
        if self.scheme == "store":
            imported = Import(self.id, step.name + IMPORT_END, f"{step.display_name} (import)", url)
            arrived = ArtifactInput("data", imported.name, "artifact", "", "directory")
            words += [("--from-file",), (Arrived("data"),)]
            return imported, replace(step, command=tuple(words), inputs=(arrived,))
        if self.scheme == "file":
            words.append(("--allow-file",))
        return (replace(step, command=(*words, ("--",), url)),)
