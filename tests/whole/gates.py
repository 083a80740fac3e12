"""Valid tasks that wait for a person, and notebooks that are executed, made at random."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from . import values as v
from .pool import Pool
from .texts import SHOWN

Json = dict[str, Any]


def gated(pool: Pool, task: Json) -> list[tuple[str, str]]:
    """Makes a container or notebook wait: a gate, SSH, a port. Returns the references to what a person says."""
    draw = pool.draw
    if draw(st.booleans()):
        task["advance"] = "manual"
    gate = {"timeout": draw(st.sampled_from(["1s", "90s", "2d", pool.known("patience", "1h")]))}
    optional = {
        "onTimeout": st.sampled_from(["reject", "resume"]),
        "onExit": st.sampled_from(["wait", "advance", "fail"]),
        "onReject": st.sampled_from(["fail", "route"]),
        "message": pool.text(),
    }
    for name in draw(st.lists(st.sampled_from(sorted(optional)), unique=True)):
        gate[name] = draw(optional[name])
    asks = (gate.get("onTimeout"), gate.get("onExit"), gate.get("onReject")) in _ALWAYS_ASKED
    names = draw(st.lists(v.NAMES, max_size=3, unique=True))
    gate["values"] = [_value(draw, name, required=asks and draw(st.booleans())) for name in names]
    task["gate"] = gate
    if task["type"] == "notebook":
        _server(pool, task)
    elif draw(st.booleans()):
        task["ssh"] = {"authorizedKeysFrom": {"secretKeyRef": {"name": draw(_secret(pool)), "key": "authorized_keys"}}}
        task["ssh"] |= draw(st.sampled_from([{}, {"port": 1024}]))
    said = [(f"{{{{tasks.{task['id']}.values.{one['name']}}}}}", one["type"]) for one in gate["values"]]
    return [*said, (f"{{{{ tasks.{task['id']}.decision }}}}", "string")]


_ALWAYS_ASKED = {
    (end, exit_, reject) for end in (None, "reject") for exit_ in (None, "wait", "fail") for reject in (None, "fail")
}


def _value(draw: st.DrawFn, name: str, *, required: bool) -> Json:
    kind = draw(st.sampled_from(v.TYPES))
    value: Json = {"name": name, "type": kind}
    if not required:
        value["default"] = draw(v.of_type(kind))
        if draw(st.booleans()):
            value["enum"] = [value["default"], *draw(st.lists(v.of_type(kind), max_size=2))]
    if draw(st.booleans()):
        value["description"] = draw(SHOWN)
    return value


def _secret(pool: Pool) -> st.SearchStrategy[str]:
    return st.sampled_from(["ssh-keys", pool.known("keys", "secret-8")])


def _server(pool: Pool, task: Json) -> None:
    if pool.draw(st.booleans()):
        task["startPath"] = pool.path(kind="directory")[0]
    if pool.draw(st.booleans()):
        task["port"] = 8765


def executed(pool: Pool, task: Json) -> None:
    """Makes a notebook one that is executed, with parameters of any kind."""
    draw = pool.draw
    task["advance"] = "auto"
    if draw(st.booleans()):
        task |= {"startPath": pool.path(kind="directory")[0], "notebook": "a b/train.ipynb"}
    else:
        task["notebook"] = "/work/it's.ipynb"
    names = st.sampled_from(["rate", "_x", "größe", "Path"])
    values = pool.text() | st.sampled_from([1, 0.5, True, None, [1, ["{{{{"]], {"a": {"$(x)": "é"}}])
    if draw(st.booleans()):
        task["parameters"] = draw(st.dictionaries(names, values, max_size=3))
