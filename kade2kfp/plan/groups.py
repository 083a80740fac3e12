"""The pass that says in which branches a task is, in which order, and what of two branches comes together again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kade2kfp.plan.analysis import Analysis
from kade2kfp.plan.flows import Flow
from kade2kfp.plan.names import slug, unique
from kade2kfp.plan.regions import Branch
from kade2kfp.plan.turns import Turn
from kade2kfp.steps.model import Join
from kade2kfp.steps.parts import ArtifactType, Within
from kade2kfp.steps.parts import Branch as BranchOf
from kade2kfp.tasks.condition import Condition

Chain = tuple[Branch, ...]
"""The branches that a task is in, the outermost first."""
End = tuple[str, str]
"""A node of the plan and an output of it."""
ArtifactNames = Mapping[str, Mapping[tuple[str, ArtifactType], str]]
"""The names of the artifacts that leave each task, by its id, and then by path and type."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Where the tasks are, and what comes out of conditions.

    `chains` by the task's id; `choices` are names of the plan by the condition's id; `ends` are the nodes that hand on what
    both branches bring, by the id of the taker and the path there; `made` are the joins of a condition, by its id.
    """

    chains: Mapping[str, Chain]
    choices: Mapping[str, str]
    ends: Mapping[tuple[str, str], End]
    made: Mapping[str, tuple[Join, ...]]

    def within(self, task: str) -> Within:
        """The branches that a task's nodes are in."""
        return tuple(
            BranchOf(self.choices[condition], "then" if side == "then" else "else")
            for condition, side in self.chains[task]
        )

    def waited_for(self, giver: str, taker: str, branch: str | None, turn: Turn | None = None) -> str | None:
        """What a task has to wait for because of an arrow without data: the name of a choice where the giver is in a branch
        that the taker is not in, else None. `turn` is the item for which the giver runs.
        """
        theirs = (*self.chains[giver], *(((giver, branch),) if branch else ()))
        mine = self.chains[taker]
        for number, one in enumerate(theirs):
            if mine[number : number + 1] != (one,):
                return self._choice(one[0], turn)
        return None

    def before(self, task: str, turn: Turn) -> str:
        """What a task has to wait for that begins when its step for another item has ended."""
        repeated = (condition for condition, _ in self.chains[task] if condition in turn.choices)
        return turn.choices.get(next(repeated, task)) or turn.steps[task]

    def _choice(self, condition: str, turn: Turn | None) -> str:
        return (turn.choices.get(condition) if turn else None) or self.choices[condition]


def chain(id_: str, found: Mapping[str, frozenset[Branch]]) -> Chain:
    """The branches of one task; `found` is what `regions` gives."""
    return tuple(sorted(found[id_], key=lambda branch: (len(found.get(branch[0], ())), branch)))


def is_nested(branches: Chain, found: Mapping[str, frozenset[Branch]]) -> bool:
    """Whether each branch lies in the one before it, so that they are groups in groups."""
    return all(found.get(branch[0], frozenset()) == frozenset(branches[:i]) for i, branch in enumerate(branches))


def covers(givers: Sequence[Chain], around: Chain) -> bool:
    """Whether exactly one of the tasks in these branches runs, whatever is taken, for who is in the branches `around`."""
    if any(giver == around for giver in givers):
        return len(givers) == 1
    deeper = {giver[len(around)] for giver in givers if giver[: len(around)] == around}
    if len({condition for condition, _ in deeper}) != 1 or any(giver[: len(around)] != around for giver in givers):
        return False
    condition = next(iter(deeper))[0]
    return all(
        covers([giver for giver in givers if giver[len(around)] == (condition, side)], (*around, (condition, side)))
        for side in ("then", "else")
    )


def groups_of(analysis: Analysis, artifacts: ArtifactNames, found: Mapping[str, frozenset[Branch]]) -> Groups:
    """The groups of a document without errors.

    `artifacts` are names, as plan.connect.artifact_names gives them; `found` is what `regions` gives.
    """
    where = {id_: chain(id_, found) for id_ in found}
    choices = {
        task.id: task.choice(analysis.names[task.id]) for task in analysis.document.tasks if isinstance(task, Condition)
    }
    ends: dict[tuple[str, str], End] = {}
    made: dict[str, list[Join]] = {}
    for task in analysis.document.tasks:
        meeting: dict[str, list[Flow]] = {}
        for flow in analysis.to_task.get(task.id, ()) if task.type != "select" else ():
            if not flow.order_only and not flow.volume:
                meeting.setdefault(flow.to_path, []).append(flow)
        for path, several in meeting.items():
            if len(several) > 1:
                givers = [(where[flow.giver.id], _end(analysis, flow, artifacts)) for flow in several]
                ends[task.id, path] = _joined(givers, where[task.id], several[0].type, made, choices)
    return Groups(where, choices, ends, {condition: tuple(joins) for condition, joins in made.items()})


def _end(analysis: Analysis, flow: Flow, artifacts: ArtifactNames) -> End:
    return analysis.giver_of(flow), artifacts[flow.giver.id][flow.from_path, flow.type]


def _joined(
    givers: Iterable[tuple[Chain, End]],
    around: Chain,
    type_: ArtifactType,
    made: dict[str, list[Join]],
    choices: Mapping[str, str],
) -> End:
    """What hands on the one artifact that exists, seen from within the branches `around`."""
    given = list(givers)
    if len(given) == 1 and given[0][0] == around:
        return given[0][1]
    condition = given[0][0][len(around)][0]
    sides = [
        _joined(
            [one for one in given if one[0][len(around)] == (condition, side)],
            (*around, (condition, side)),
            type_,
            made,
            choices,
        )
        for side in ("then", "else")
    ]
    there = made.setdefault(condition, [])
    for join in there:
        if [join.then, join.otherwise] == sides:
            return choices[condition], join.name
    (name,) = unique([slug(sides[0][1]) or "data"], [join.name for join in there])
    there.append(Join(name, sides[0], sides[1], type_))
    return choices[condition], name
