"""Images pulled from elsewhere: the plan with other names of images, each by the longest beginning that is mirrored."""

from __future__ import annotations

from dataclasses import replace

from kade2kfp.rules.model import Policy
from kade2kfp.rules.names import begins, name_of
from kade2kfp.steps.model import Plan, Step
from kade2kfp.steps.sources import Text, literal


def mirrored(plan: Plan, policy: Policy) -> Plan:
    """The plan in which every image has the name by which it is pulled, also those of services and of steps to be added.

    A name that only a run can tell stays as it is (K256 refuses it). What is mirrored once stays
    so: mirrored(mirrored(plan)) is mirrored(plan).
    """
    if not policy.mirror:
        return plan
    toolbox = literal(pulled((plan.toolbox_image,), policy) or ()) or plan.toolbox_image
    nodes = tuple(_step(node, policy) if isinstance(node, Step) else node for node in plan.nodes)
    return replace(plan, toolbox_image=toolbox, nodes=nodes)


def _step(step: Step, policy: Policy) -> Step:
    service = step.service and replace(step.service, server=_step(step.service.server, policy))
    return replace(step, image=pulled(step.image, policy) or step.image, service=service)


def pulled(image: Text, policy: Policy) -> Text | None:
    """The name by which an image is pulled: its own where nothing of it is mirrored; None where only a run can tell."""
    if not policy.mirror or not image:
        return image
    text = literal(image)
    if text is None:
        return None
    name = name_of(text)
    if name is None:
        return image
    # A host alone would be no name: Docker takes `mirror.example.org:5000` for a repository of Docker Hub with a tag.
    taken = [
        (start, target)
        for start, target in policy.mirror
        if begins(name.place, start) and (name.place != start or "/" in target)
    ]
    if not taken:
        return image
    start, target = max(taken, key=lambda one: len(one[0]))
    if begins(name.place, target):  # it is there already
        return image
    return (target + name.place[len(start) :] + name.rest,)


def overlap(mirror: tuple[tuple[str, str], ...]) -> tuple[str, str, str] | None:
    """An entry, its target, and another beginning that is mirrored where the target begins with it, or it with that.

    Names would be rewritten once more each time, so no such pair may be.
    """
    for start, target in mirror:
        for other, _ in mirror:
            if other != start and start != target and (begins(target, other) or begins(other, target)):
                return start, target, other
    return None
