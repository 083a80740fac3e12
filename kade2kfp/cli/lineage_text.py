"""How a lineage is written: as trees, as a Mermaid flowchart, as JSON."""

from __future__ import annotations

import json
import re
from typing import Literal

from kade2kfp.diagnostics.escape import terminal
from kade2kfp.local.lineage import Lineage, Thing, Way

_PLAIN = re.compile(r"[^A-Za-z0-9 _.,:=/-]")
_DEEPEST = 200
_NOTHING = "  nothing that is known"
_SHAPES = {"step": ('["', '"]'), "artifact": ('[("', '")]'), "parameter": ('(["', '"])')}


def label(thing: Thing, names: dict[str, str]) -> str:
    """What a thing is called in one line; `names` are labels of steps. Not escaped."""
    if thing.kind == "step":
        return f"{names.get(thing.step, thing.step)}  {thing.note}"
    if thing.kind == "parameter":
        return f"parameter {thing.name} = {thing.note}"
    return f"{names.get(thing.step, thing.step)}/{thing.name}  {thing.note}, {thing.where}"


def trees(lineage: Lineage, names: dict[str, str], start: str | None) -> str:
    """What `start` was made of, and what was made of it; without one, what each end of the run was made of. Escaped."""
    if start is not None:
        lines = [terminal(label(lineage.things[start], names))]
        lines += ["", "made of:", *(_branches(lineage, names, start, "before", set(), "", 0) or [_NOTHING])]
        lines += ["", "used by:", *(_branches(lineage, names, start, "after", set(), "", 0) or [_NOTHING])]
        return "\n".join(lines) + "\n"
    done: set[str] = set()
    lines = []
    for key, thing in lineage.things.items():
        if thing.kind == "parameter" and not lineage.after(key):
            continue
        if not lineage.after(key):
            lines += [terminal(label(thing, names)), *_branches(lineage, names, key, "before", done, "", 0)]
    return "\n".join(lines) + "\n"


def _branches(
    lineage: Lineage,
    names: dict[str, str],
    at: str,
    way: Literal["before", "after"],
    done: set[str],
    lead: str,
    depth: int,
) -> list[str]:
    lines: list[str] = []
    ways = lineage.before(at) if way == "before" else lineage.after(at)
    for number, one in enumerate(ways):
        last = number == len(ways) - 1
        other = one.start if way == "before" else one.end
        text = terminal(label(lineage.things[other], names) + (f"  ({one.value})" if one.value else ""))
        more = bool(lineage.before(other) if way == "before" else lineage.after(other))
        seen = other in done and more
        lines.append(f"{lead}{'└─ ' if last else '├─ '}{text}{'  (as above)' if seen else ''}")
        if not seen and depth < _DEEPEST:
            done.add(other)
            lines += _branches(lineage, names, other, way, done, lead + ("   " if last else "│  "), depth + 1)
    return lines


def mermaid(lineage: Lineage, names: dict[str, str]) -> str:
    """A flowchart of Mermaid's; texts cannot end their boxes."""
    ids = {key: f"n{number}" for number, key in enumerate(lineage.things)}
    used = {key for one in lineage.ways for key in (one.start, one.end)}
    rows = ["flowchart LR"]
    for key, thing in lineage.things.items():
        if thing.kind == "parameter" and key not in used:
            continue
        begin, end = _SHAPES[thing.kind]
        said = f"{names.get(thing.step, thing.step)}/{thing.name}" if thing.kind == "artifact" else label(thing, names)
        rows.append(f"  {ids[key]}{begin}{_escaped(said)}{end}")
    rows += [f"  {ids[one.start]} {_arrow(one)} {ids[one.end]}" for one in lineage.ways]
    return "\n".join(rows) + "\n"


def _arrow(way: Way) -> str:
    return f'-->|"{_escaped(way.value)}"|' if way.value else "-->"


def _escaped(text: str) -> str:
    """A text for a Mermaid label in quotes: all but plain characters by their numbers (Mermaid's entity codes)."""
    return _PLAIN.sub(lambda found: f"#{ord(found[0])};", terminal(text))


def as_json(lineage: Lineage, run: dict[str, str]) -> str:
    """The things and the ways as JSON."""
    said = {
        "run": run,
        "things": [
            {
                "id": one.id,
                "kind": one.kind,
                "task": one.task or None,
                "step": one.step or None,
                "name": one.name or None,
                "note": one.note,
                "where": one.where or None,
            }
            for one in lineage.things.values()
        ],
        "ways": [{"from": one.start, "to": one.end, "value": one.value or None} for one in lineage.ways],
    }
    return json.dumps(said, indent=2, ensure_ascii=False) + "\n"
