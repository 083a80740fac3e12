"""What a cluster runs besides a plan's own steps, and which nodes of a plan it has no task for.

Who describes a plan must not load KFP, so this is known here; tests/description/ compares it with what is compiled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kade2kfp.steps.model import Choice, Claim, Loop, Node, Plan, Step
from kade2kfp.steps.parts import Branch, ClaimMount, Within
from kade2kfp.steps.texts import around
from kade2kfp.tasks.condition import PASS_END
from kade2kfp.tasks.job import COLLECT_END, LOOP_END, NOTHING_END

_PREPARE = "prepare-volumes"
_SIDES: tuple[Literal["then", "else"], ...] = ("then", "else")


@dataclass(frozen=True, slots=True)
class Added:
    """A step in the toolbox that a cluster runs besides those of the plan.

    `task` is the id of the task that it belongs to, empty for the one that prepares volumes. `pass` does nothing, where a
    branch is empty that is joined; `collect` brings together what a loop's items gave, or stands for that of no item.
    """

    kind: Literal["prepare", "pass", "collect"]
    name: str
    task: str = ""
    display_name: str = ""
    within: Within = ()


def added(plan: Plan) -> tuple[Added, ...]:
    """All of them, in the order of the plan."""
    found: list[Added] = []
    if any(_prepared(plan, claim) for claim in plan.claims):
        found.append(Added("prepare", prepare_name(plan), "", "Prepare volumes"))
    for node in plan.nodes:
        if isinstance(node, Choice) and has_task(node, plan) and joined_again(node.within, plan):
            empty = [side for side in _SIDES if not _has_nodes(node, side, plan)]
            found += (
                Added("pass", node.name + PASS_END, node.task, "nothing", (*node.within, Branch(node.name, side)))
                for side in empty
            )
        elif isinstance(node, Loop) and node.collects:
            base = node.name.removesuffix(LOOP_END)
            found += (
                Added("collect", base + end, node.task, node.display_name, node.within)
                for end in (COLLECT_END, NOTHING_END)
            )
    return tuple(found)


def has_task(node: Node, plan: Plan) -> bool:
    """Whether a node has a task of its own on a cluster: a choice where something stands behind it, a loop that collects."""
    if isinstance(node, Choice):
        return any(node.name in around(one) for one in plan.nodes if not isinstance(one, Choice))
    return not isinstance(node, Loop) or bool(node.collects)


def joined_again(within: Within, plan: Plan) -> bool:
    """Whether what is in these branches and loops must end by a launcher: a branch is joined with another side, a loop collects.

    Nothing in it comes from the cache then. KFP's driver takes the output of the branch whose DAG is COMPLETE
    (backend/src/v2/driver/resolve.go, GetProducerTask), and only a launcher makes it that (component/launcher_v2.go;
    metadata/client.go, UpdateDAGExecutionsState).
    """
    names = {one.choice if isinstance(one, Branch) else one.loop for one in within}
    outer = [node for node in plan.nodes if isinstance(node, Choice | Loop) and node.name in names]
    return any(node.joins if isinstance(node, Choice) else node.collects for node in outer)


def _has_nodes(choice: Choice, side: Literal["then", "else"], plan: Plan) -> bool:
    branch = Branch(choice.name, side)
    return any(branch in node.within and not isinstance(node, Choice) for node in plan.nodes)


def _prepared(plan: Plan, claim: Claim) -> bool:
    mounted = (mount for node in plan.nodes if isinstance(node, Step) for mount in node.mounts)
    made = claim.create and any(isinstance(one, ClaimMount) and one.claim == claim.id for one in mounted)
    return claim.prepare and bool(made or claim.run_folders or claim.kept_folders)


def prepare_name(plan: Plan) -> str:
    """The name of the step that prepares volumes: one that no node has."""
    names = {node.name for node in plan.nodes}
    name, number = _PREPARE, 1
    while name in names or f"{name}-driver" in names:
        number += 1
        name = f"{_PREPARE}-{number}"
    return name
