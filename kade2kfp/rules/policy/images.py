"""All images that a pipeline runs, each with the place where the document says it and the name by which it is pulled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kade2kfp.diagnostics.model import Diagnostic, Pointer
from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.build import TOOLBOX_IMAGE
from kade2kfp.rules.mirror import pulled
from kade2kfp.rules.model import Policy, Rules
from kade2kfp.rules.names import Name, name_of
from kade2kfp.rules.values import shown
from kade2kfp.steps.model import Choice, Loop, Plan, Step
from kade2kfp.steps.sources import Item, Text, literal

OUT = "write the image out, or have it as an item of `forEach`: what a run is given cannot be checked before"


@dataclass(frozen=True, slots=True)
class Image:
    """An image: where it is said, as it is written, and as it is pulled; `pulled` is None where a run could have it mirrored."""

    at: Pointer
    written: Text
    pulled: Text | None
    toolbox: bool = False
    """Whether it is the one of the steps that are added, which the document does not name."""

    @property
    def name(self) -> Name | None:
        """The name by which it is pulled; None where only a run can tell."""
        text = literal(self.pulled or self.written)
        return name_of(text) if text is not None else None

    @property
    def what(self) -> str:
        """The image for a message, with the name by which it is pulled where that is another."""
        what = f"the image `{shown(literal(self.written) or '')}`" if self.name else "the image"
        if self.toolbox:
            what = f"the image of steps that are added, `{TOOLBOX_IMAGE}`,"
        now = literal(self.pulled or ())
        if self.pulled == self.written or not now:
            return what
        return f"{what.rstrip(',')}, pulled as `{shown(now)}`,"

    def wrong(self, code: str, message: str, help_: str) -> Diagnostic:
        """A diagnostic at the place of the image."""
        if self.toolbox:
            help_ = f"name another in `defaults.toolboxImage`; {help_}"
        return Diagnostic(code, f"{self.what} {message}", self.at, help_)


def said(analysis: Analysis, rules: Rules) -> Iterator[Image]:
    """The images that the document names, without those that an item of a list fills in.

    Known items the plan has; one that only a run knows cannot stand there (K516).
    """
    document = analysis.document
    given = [(model.place("image"), model.image) for model in document.owners if model.image]
    if document.defaults.toolbox_image:
        given.append((document.defaults.place("toolbox_image"), document.defaults.toolbox_image))
    for at, raw in given:
        text = analysis.resolution.text(at, raw)
        doubtful = "{{" in raw and at not in analysis.resolution.settled
        if not doubtful and not of_item(text):
            yield from _image(at, text, rules.policy)


def planned(plan: Plan, analysis: Analysis, rules: Rules) -> Iterator[Image]:
    """The images that `said` does not give: those of items, and the toolbox's where the document does not name it."""
    for node in plan.nodes:
        if isinstance(node, Step) and node.task in analysis.sweeps.turns:
            setting = analysis.settings[node.task].fields.get("image")
            varies = setting and of_item(analysis.resolution.text(setting.at, setting.value))
            if setting and varies and node.image != (plan.toolbox_image,):
                yield from _image(setting.at, node.image, rules.policy)
    defaults = analysis.document.defaults
    if not defaults.toolbox_image and _has_added(plan):
        text: Text = (plan.toolbox_image,)
        yield Image(defaults.at or ("tasks",), text, pulled(text, rules.policy), toolbox=True)


def _image(at: Pointer, text: Text, policy: Policy) -> Iterator[Image]:
    whole = literal(text)
    # What is no name is K205's to tell, a reference that is a part of one K313's.
    if len(text) == 1 if whole is None else name_of(whole) is not None:
        yield Image(at, text, pulled(text, policy))


def of_item(text: Text) -> bool:
    """Whether an item of a list stands in a text."""
    return any(isinstance(part, Item) for part in text)


def _has_added(plan: Plan) -> bool:
    """Whether a step may run in the toolbox; for what lowering adds to branches and loops it is enough that there are any."""
    toolbox = (plan.toolbox_image,)
    return any(
        isinstance(node, Choice | Loop)
        or (isinstance(node, Step) and (node.image == toolbox or node.service is not None))
        for node in plan.nodes
    ) or any(claim.prepare and (claim.create or claim.run_folders or claim.kept_folders) for claim in plan.claims)
