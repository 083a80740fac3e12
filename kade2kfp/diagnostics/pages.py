"""The codes and their pages: what `explain` prints, and what a report for machines takes along."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

FAMILIES = {
    "K0": "Reading the file",
    "K1": "The shape of the document",
    "K2": "Tasks and parameters",
    "K3": "Arrows and references",
    "K4": "Volumes",
    "K5": "Control flow",
    "K6": "What Kubeflow Pipelines cannot do",
    "K7": "Local runs",
    "K9": "A bug of kade2kfp",
}
"""What the codes that begin so are about."""


@dataclass(frozen=True, slots=True)
class Page:
    """A code's title, the first paragraph of its page, and the whole of it as Markdown."""

    title: str
    what: str
    body: str


@cache
def page(code: str) -> Page:
    """The page of a code; of a code without one, the code itself."""
    try:
        text = files("kade2kfp.diagnostics").joinpath("codes", f"{code}.md").read_text(encoding="utf-8")
    except OSError:
        return Page(code, code, code)
    _, head, body = text.split("---\n", 2)
    rows = dict(row.split(": ", 1) for row in head.splitlines())
    what = body.split("## What\n", 1)[-1].strip().split("\n\n", 1)[0]
    return Page(rows["title"].strip(), what, body.strip())


def all_codes() -> list[str]:
    """All codes, in their order: each has a page."""
    folder = files("kade2kfp.diagnostics").joinpath("codes")
    return sorted(one.name.removesuffix(".md") for one in folder.iterdir() if one.name.endswith(".md"))
