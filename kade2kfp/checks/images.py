"""Every task that needs an image has one, and one that stays the same."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic, Pointer, Related
from kade2kfp.document.shared import CommandTask
from kade2kfp.plan.analysis import Analysis
from kade2kfp.steps.sources import literal

# https://github.com/distribution/reference/blob/main/regexp.go, shortened
IMAGE = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\d+)?/)?[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>[a-z0-9]+:[0-9a-fA-F]{32,}))?"
)
# https://github.com/opencontainers/go-digest/blob/master/algorithm.go, anchoredEncodedRegexps
_DIGESTS = {"sha256": 64, "sha384": 96, "sha512": 128}


def images(analysis: Analysis) -> Iterator[Diagnostic]:
    """K204: no image. K205: not an image's name. K206 (warning): an image that may change from day to day."""
    document = analysis.document
    for task in document.tasks:
        settings = analysis.settings[task.id]
        if (
            isinstance(task, CommandTask)
            and "image" not in settings.fields
            and not document.is_torn(task.place("image"), ("defaults",))
        ):
            yield _missing(analysis, task)
    said = [(model.place("image"), model.image) for model in document.owners if model.image]
    if document.defaults.toolbox_image:
        said.append((document.defaults.place("toolbox_image"), document.defaults.toolbox_image))
    for at, image in said:
        yield from _name(analysis, at, image)


def _missing(analysis: Analysis, task: CommandTask) -> Diagnostic:
    disputed = analysis.settings[task.id].disputed.get("image", ())
    related = tuple(
        Related(f"the image of `{one.id}`", one.place("image")) for one in analysis.document.tasks if one.id in disputed
    )
    if disputed:
        message = f"the task `{task.id}` has no image, and the tasks before it disagree about one"
        return Diagnostic("K204", message, task.at, "say which in its `image`", related)
    return Diagnostic(
        "K204",
        f"the task `{task.id}` has no image",
        task.at,
        'add "image": "python:3.11-slim", or an image to the `defaults`',
    )


def _name(analysis: Analysis, at: Pointer, image: str) -> Iterator[Diagnostic]:
    text = literal(analysis.resolution.text(at, image))
    if text is None or ("{{" in image and at not in analysis.resolution.settled):
        return
    match = IMAGE.fullmatch(text)
    if match is None:
        help_ = "write it as registry/name:tag or registry/name@sha256:..., without spaces; the name itself is in lower case"
        yield Diagnostic("K205", f"`{text[:60]}` is not the name of an image", at, help_)
    elif match["digest"] and (help_ := _digest_problem(match["digest"])):
        yield Diagnostic("K205", f"the digest of `{text.partition('@')[0][:60]}` is none", at, help_)
    elif not match["digest"] and match["tag"] in (None, "latest"):
        what = "has no tag" if match["tag"] is None else "has the tag `latest`"
        yield Diagnostic(
            "K206",
            f"the image `{text[:60]}` {what}: it may be another one tomorrow",
            at,
            "name a version, or better a digest",
        )


def _digest_problem(digest: str) -> str:
    """What is wrong with the digest of an image, as a help text: kubelet starts no pod with such a name (InvalidImageName)."""
    algorithm, _, encoded = digest.partition(":")
    size = _DIGESTS.get(algorithm)
    if size is None:
        *others, last = _DIGESTS
        return f"a digest is made with {', '.join(others)} or {last}, and this one with {algorithm[:60]}: copy the image's own"
    if len(encoded) != size:
        return f"{algorithm} has {size} hexadecimal digits, and here are {len(encoded)}: copy it anew"
    return "write its hexadecimal digits in lower case" if encoded != encoded.lower() else ""
