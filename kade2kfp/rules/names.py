"""Names of images and of registries, in their normal form.

The normal form is that of https://github.com/distribution/reference (normalize.go, splitDockerDomain): `python:3.11` is
docker.io/library/python:3.11. Hosts are in lower case, since DNS makes no difference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kade2kfp.checks.images import IMAGE

HUB = "docker.io"
_HUBS = (HUB, "index.docker.io")
_REGISTRY = re.compile(
    r"(?P<host>[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\d+)?)(?P<path>(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*)"
)
_END = re.compile(r"[:@]")


@dataclass(frozen=True, slots=True)
class Name:
    """The name of an image: `place` is its normal form without tag and digest, which are `rest`."""

    place: str
    rest: str


def name_of(image: str) -> Name | None:
    """The name of an image; None where the text is none (checks/images.py, K205)."""
    if not IMAGE.fullmatch(image):
        return None
    first, slash, path = image.partition("/")
    host, path = (_host(first), path) if slash and _is_host(first) else (HUB, image)
    end = _END.search(path)
    name, rest = (path[: end.start()], path[end.start() :]) if end else (path, "")
    if host == HUB and "/" not in name:
        name = "library/" + name
    return Name(f"{host}/{name}", rest)


def _is_host(first: str) -> bool:
    return "." in first or ":" in first or first == "localhost" or first != first.lower()


def _host(text: str) -> str:
    return HUB if text.lower() in _HUBS else text.lower()


def begins(name: str, start: str) -> bool:
    """Whether a name begins with a host, or a host and the beginning of a path, at the end of a part."""
    return name == start or name.startswith(start + "/")


def registry(text: str) -> str:
    """A registry, or the beginning of names in it, in the normal form.

    Raises:
        ValueError: it is none; the text says why.
    """
    if "://" in text:
        raise ValueError("it has no scheme: write `registry.example.org` in place of `https://registry.example.org`")
    if text != text.strip() or " " in text:
        raise ValueError("it has no spaces")
    match = _REGISTRY.fullmatch(text.removesuffix("/"))
    if match is None:
        raise ValueError("it is a host such as `ghcr.io`, or a host and the beginning of a path such as `ghcr.io/team`")
    if not _is_host(match["host"]):
        raise ValueError(f"it begins with a host: write `{HUB}/{text[:60]}` for what is on Docker Hub")
    return _host(match["host"]) + match["path"]
