"""Documents to draw: the examples, one of 60 tasks, and one whose texts want to break out of every format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kade2kfp.api import parse, validate
from kade2kfp.graph import Graph, graph_of

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*/pipeline.json"))
STARTERS = sorted((ROOT / "templates" / "new").glob("*/pipeline.json"))
MARKS = ("\x1b[31mred\x1b[0m", "\x1b]0;x\x07", "%0A::error::x", "<script>alert(1)</script>", "](http://evil)", "--> t1")
QUOTES = (
    "\"quoted\" 'q'",
    "a\nb\r\nc\td",
    "\\",
    '\\"',
    "\\N\\l\\n",
    "]]>--><!-- -->",
    "&#x1b;&#0;&amp;",
    "`code`",
    "```\nend",
)
WORDS = (
    "end",
    "subgraph x",
    "style t0 fill:#f00;",
    "classDef job fill:#f00;",
    "click t0 javascript:x",
    "%%{init: {}}%%",
)
LISTS = (
    "1. one",
    "2) two",
    "- dash",
    "+ plus",
    "* star",
    "#quot;",
    "{{}}|pipe|;",
    "@{shape: x}",
    "$$x$$",
    "**b** __i__",
)
SIGNS = (
    "\u202eabc",
    "\u2066x",
    "\x00nul",
    "\ud800",
    "\ufffe\uffff",
    "\u2028",
    "漢字" * 60,
    "﷽" * 9,
    "e\u0301" * 40,
    "😀" * 30,
)
HOSTILE = (*MARKS, *QUOTES, *WORDS, *LISTS, *SIGNS, "x" * 900, "W" * 50, " ", "m" * 30 + " " + "@" * 30)
TYPES = ("job", "loadData", "condition", "select", "notebook", "container", "viewer", "serving")


def drawn(document: dict[str, Any] | str) -> Graph:
    """The graph of a document, which may have errors."""
    analysis = validate(parse(document if isinstance(document, str) else json.dumps(document))).analysis
    assert analysis is not None
    return graph_of(analysis)


def document(*tasks: dict[str, Any], arrows: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    """A document of these tasks; jobs where they do not say a type."""
    jobs = [{"type": "job", "image": "python:3.11", "command": ["x"]} if "type" not in one else {} for one in tasks]
    whole = [job | one for job, one in zip(jobs, tasks, strict=True)]
    return {"apiVersion": "kade2kfp/v1", "name": "drawn", "tasks": whole, "arrows": arrows or []} | more


def arrow(giver: str, taker: str, from_path: str = "", to_path: str = "", **more: Any) -> dict[str, Any]:
    """An arrow, with paths or without."""
    paths = {"fromPath": from_path, "toPath": to_path or from_path} if from_path else {}
    return {"fromTask": giver, "toTask": taker} | paths | more


def hostile() -> dict[str, Any]:
    """Every text in every place that is drawn, in each type of task."""
    tasks = []
    for number, text in enumerate(HOSTILE):
        type_ = TYPES[number % len(TYPES)]
        own: dict[str, Any] = {
            "job": {"image": text, "command": ["x"], "forEach": {"items": text}},
            "loadData": {"url": text, "path": "/p"},
            "condition": {"test": {"left": text, "operator": "==", "right": text}},
            "select": {"metric": text, "path": "/p"},
            "notebook": {"image": text, "volumes": [{"id": "nas", "mountPath": f"/{text}"}]},
            "container": {"image": text},
            "viewer": {"logPath": f"/{text}"},
            "serving": {"framework": "sklearn"},
        }[type_]
        tasks.append({"id": f"t{number}", "type": type_, "name": text, "description": text} | own)
    ends = [(f"t{number}", f"t{(number + 7) % len(HOSTILE)}") for number in range(len(HOSTILE))]
    arrows = [arrow(*pair, f"/{text}", f"/x{text}") for pair, text in zip(ends, HOSTILE, strict=True)]
    return document(
        *tasks, arrows=arrows, description="</desc>\x1b]0;x\x07<script>", volumes=[{"id": "nas", "claimName": "c"}]
    )


def sixty() -> dict[str, Any]:
    """60 tasks with fan-out, joins, sweeps, branches, long arrows, volumes, a task at the end, and every type."""
    nas = {"id": "nas", "mountPath": "/scl_nas"}
    tasks: list[dict[str, Any]] = []
    arrows: list[dict[str, Any]] = []
    for one in ("orders", "clicks", "weather", "prices", "stock", "reviews"):
        url = f"https://data.example.org/exports/{one}/latest.parquet"
        tasks += [{"id": f"load-{one}", "type": "loadData", "name": f"Load {one}", "url": url, "path": "/data"}]
        tasks += [
            {"id": f"clean-{one}"},
            {"id": f"check-{one}"},
            {"id": f"features-{one}", "name": f"Features of {one}"},
        ]
        arrows += [
            arrow(f"load-{one}", f"clean-{one}", "/data", "/in"),
            arrow(f"clean-{one}", f"check-{one}", "/out", "/in"),
        ]
        arrows += [arrow(f"clean-{one}", f"features-{one}", "/out", "/in"), arrow(f"check-{one}", f"features-{one}")]
        volume = {"volume": "nas"} if one == "orders" else {}
        arrows += [arrow(f"features-{one}", "join", "/features", f"/in/{one}", **volume)]
    tasks += [{"id": "join", "name": "Join all features", "retry": {"limit": 2}}, {"id": "split"}]
    tasks += [
        {
            "id": "explore",
            "type": "notebook",
            "name": "Explore by hand",
            "gate": {"timeout": "3d", "values": [{"name": "lr", "type": "number"}]},
        }
    ]
    arrows += [arrow("join", "explore", "/joined", "/work/data"), arrow("join", "split", "/joined", "/in")]
    image = "registry.example.org/team/training/very-long-image-name:2026.11.0"
    for one in ("linear", "ridge", "lasso", "forest", "boosting", "mlp", "transformer"):
        sweep = {"forEach": {"matrix": {"a": [1, 2, 3], "b": [4, 5]}}} if one in ("forest", "mlp") else {}
        tasks += [{"id": f"train-{one}", "image": image, "command": ["t", "{{tasks.explore.values.lr}}"]} | sweep]
        tasks += [{"id": f"evaluate-{one}", "name": f"Evaluate {one}", "metrics": "/out/m.json"}]
        arrows += [arrow("split", f"train-{one}", "/train", "/in"), arrow("split", f"evaluate-{one}", "/test", "/in")]
        arrows += [arrow(f"train-{one}", f"evaluate-{one}", "/out/model", "/model")]
        arrows += [arrow(f"evaluate-{one}", "best", "/out/model", "/candidates")]
    tasks += [{"id": "board", "type": "viewer", "name": "Curves", "logPath": "/logs"}]
    tasks += [{"id": "best", "type": "select", "name": "Best model", "metric": "rmse", "mode": "min", "path": "/model"}]
    test = {"left": "{{tasks.best.metrics.rmse}}", "operator": "<=", "right": "{{params.limit}}"}
    tasks += [{"id": "good", "type": "condition", "name": "Good enough?", "test": test, "approval": {"timeout": "2d"}}]
    tasks += [{"id": "pack", "type": "container", "advance": "auto", "command": ["p"], "volumes": [nas]}]
    tasks += [{"id": "debug", "type": "container", "name": "Look for the reason", "gate": {"timeout": "2d"}}]
    tasks += [{"id": "serve", "type": "serving", "name": "Endpoint", "framework": "sklearn"}]
    arrows += [
        arrow("train-mlp", "board", "/logs", volume="nas"),
        arrow("best", "good"),
        arrow("best", "pack", "/model"),
    ]
    arrows += [
        arrow("good", "pack", branch="then"),
        arrow("good", "debug", branch="else"),
        arrow("best", "debug", "/model"),
    ]
    arrows += [
        arrow("join", "debug", "/joined", "/data"),
        arrow("pack", "serve", "/release/model.joblib", "/model/model.joblib"),
    ]
    tasks += [{"id": "canary", "command": ["c", "{{tasks.serve.outputs.url}}"]}]
    tasks += [{"id": "grid", "name": "Grid of reports", "forEach": {"items": "{{params.regions}}"}}, {"id": "archive"}]
    for one in ("emea", "apac", "amer", "latam"):
        tasks += [{"id": f"report-{one}", "name": f"Report {one}"}]
        arrows += [arrow("canary", f"report-{one}"), arrow("join", f"report-{one}", "/joined", "/data")]
        arrows += [arrow(f"report-{one}", "archive", "/report", f"/in/{one}")]
    tasks += [{"id": "publish"}, {"id": "notify", "name": "Tell the team"}]
    arrows += [arrow("canary", "grid", "/result", "/in"), arrow("archive", "publish", "/all.tar", "/in/all.tar")]
    for number in range(60 - len(tasks)):
        tasks += [{"id": f"extra-{number}"}]
        arrows += [arrow("publish", f"extra-{number}", "/site", "/in")]
    parameters = [
        {"name": "limit", "type": "number", "default": 1},
        {"name": "regions", "type": "array", "default": ["a"]},
    ]
    defaults = {"image": "python:3.11-slim"}
    volumes = [{"id": "nas", "claimName": "team-nas"}]
    return document(*tasks, arrows=arrows, parameters=parameters, defaults=defaults, volumes=volumes, onExit="notify")
