"""Tasks that wait for a person, as KFP and Kubernetes would run them: who decides, what is handed on, how a gate ends."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kade2kfp.api import compile, parse

sys.path.insert(0, str(Path(__file__).parents[1]))
from ir.expand import RUN_ID
from ir.machine import Bound, execute
from ir.people import Way, decide, opened, until, with_people
from ir.pod import main_of

WAYS: tuple[Way, ...] = ("config map", "claim", "pod")
ON_NAS = [{"id": "nas", "mountPath": "/nas"}]


def text_of(*tasks: dict[str, Any], **more: Any) -> str:
    whole = {
        "apiVersion": "kade2kfp/v1",
        "name": "flow",
        "tasks": tasks,
        "volumes": [{"id": "nas", "claimName": "nas"}],
    }
    compiled = compile(parse(json.dumps(whole | {"defaults": {"image": "python:3.11-slim"}} | more)))
    assert compiled.yaml is not None, compiled.diagnostics
    return compiled.yaml


def ask(script: str = "", gate: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    task = {"id": "ask", "type": "container", "gate": {"timeout": "30s"} | (gate or {})} | more
    return task | ({"script": script} if script else {})


def job(id_: str, script: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "type": "job", "script": script} | more


def arrow(to_path: str, **more: Any) -> list[dict[str, Any]]:
    return [{"fromTask": "ask", "fromPath": "/out", "toTask": "use", "toPath": to_path, **more}]


VALUES = [
    {"name": "lr", "type": "number", "minimum": 0},
    {"name": "rows", "type": "integer", "default": 2.0},
    {"name": "dry", "type": "boolean", "default": False},
    {"name": "models", "type": "array", "default": ["tree", {"b": 1, "a": "한"}]},
    {"name": "note", "type": "string", "default": 'it\'s "fine"\n$HOME'},
]
SHOW = (
    "printf '%s|' '{{tasks.ask.decision}}' {{tasks.ask.values.lr}} {{tasks.ask.values.rows}} {{tasks.ask.values.dry}}"
)


@pytest.mark.parametrize(("user", "read_only"), [(0, False), (1000, True)], ids=["root", "user"])
@pytest.mark.parametrize("way", WAYS)
def test_what_a_person_says_reaches_the_next_task_by_each_way(
    folder: Path, way: Way, user: int, read_only: bool
) -> None:
    use = job("use", SHOW + "; cat /in/note", env=[{"name": "M", "value": "{{tasks.ask.values.models}}"}])
    # KFP's launcher keeps output parameters in /tmp.
    volumes = [*ON_NAS, {"emptyDir": {}, "mountPath": "/tmp"}]
    gated = ask("echo kept > /out/note; sleep 60", {"values": VALUES}, volumes=volumes)
    text = text_of(gated, use, arrows=arrow("/in"))
    done = with_people(
        lambda: execute(text, folder, user=user, read_only=read_only, claims={"nas": 0o777}),
        partial(decide, folder, "ask", "resume", way, values={"lr": "0.25", "dry": "true"}),
    )
    assert done.state == "succeeded", done.logs
    said = dict(done.tasks["ask"].parameters)
    by = "ada" if way == "config map" else "ada (unverified)"
    assert said == {
        "decision": "resume",
        "by": by,
        "value-lr": 0.25,
        "value-rows": 2,
        "value-dry": True,
        "value-models": ["tree", {"a": "한", "b": 1}],
        "value-note": 'it\'s "fine"\n$HOME',
    }
    assert done.logs["use"] == "resume|0.25|2|true|kept\n"
    assert done.logs["ask"] == f"kade2kfp: waiting for a person\nkade2kfp: resumed by {by}\n"


@pytest.mark.parametrize("shell", ["busybox", "bash"])
def test_a_gate_needs_nothing_but_the_images_own_shell(folder: Path, shell: str) -> None:
    image = folder / "image/bin"
    image.mkdir(parents=True)
    (image / "sh").symlink_to(f"/usr/bin/{shell}")
    text = text_of(ask("sleep 60", {"values": VALUES}), job("use", SHOW))
    done = with_people(
        lambda: execute(text, folder / "run", programs=[Bound(folder / "image", "/image", read_only=True)]),
        partial(decide, folder / "run", "ask", values={"lr": "1e-3"}),
    )
    assert done.logs["use"] == "resume|0.001|2|false|"


def test_a_container_without_a_command_just_waits(folder: Path) -> None:
    done = with_people(lambda: execute(text_of(ask()), folder), partial(decide, folder, "ask"))
    assert done.codes == {"ask": 0}


def test_a_rejected_gate_fails_the_run_and_is_asked_once(folder: Path) -> None:
    text = text_of(
        ask(),
        job("use", "echo {{tasks.ask.decision}}"),
        defaults={"image": "a:1", "retry": {"limit": 2, "on": "pod"}},
    )
    done = with_people(
        lambda: execute(text, folder, retry_policy="OnFailure"),
        partial(decide, folder, "ask", "reject", reason="too few rows"),
    )
    assert done.states() == {"ask": "failed", "use": "not-run"}
    assert done.codes == {"ask": 75}
    assert done.tasks["ask"].attempts == 1
    assert done.logs["ask"].splitlines()[-1] == "kade2kfp: rejected by ada: too few rows"


def test_a_rejected_gate_that_routes_goes_on_without_what_was_to_be_made(folder: Path) -> None:
    outputs = [
        {"name": "score", "type": "number", "path": "/tmp/score"},
        {"name": "names", "type": "array", "path": "/tmp/names"},
    ]
    gate = {"onReject": "route", "values": [{"name": "lr", "type": "number", "default": 0.5}]}
    text = text_of(
        ask("sleep 60", gate, outputs=outputs),
        job("use", "echo {{tasks.ask.decision}} {{tasks.ask.outputs.score}} {{tasks.ask.outputs.names}}; ls /in"),
        arrows=arrow("/in"),
    )
    done = with_people(lambda: execute(text, folder), partial(decide, folder, "ask", "reject", "pod"))
    assert done.states() == {"ask": "succeeded", "use": "succeeded"}, done.logs
    assert done.logs["use"] == "reject 0 []\n"
    assert done.tasks["ask"].parameters["value-lr"] == 0.5


@pytest.mark.parametrize(
    ("gate", "script", "code", "said"),
    [
        ({"timeout": "1s", "onTimeout": "resume"}, "sleep 60", 0, ("resume", "timeout")),
        ({"timeout": "1s"}, "sleep 60", 75, None),
        ({"timeout": "1s", "onReject": "route"}, "sleep 60", 0, ("reject", "timeout")),
        ({"onExit": "advance"}, "true", 0, ("resume", "exit")),
        ({"onExit": "advance"}, "exit 7", 7, None),
        ({"onExit": "fail"}, "true", 76, None),
        ({"onExit": "fail"}, "exit 7", 7, None),
    ],
    ids=["resume", "reject", "route", "advance", "advance-failed", "fail", "failed"],
)
def test_a_gate_that_nobody_decides(
    folder: Path, gate: dict[str, Any], script: str, code: int, said: tuple[str, str] | None
) -> None:
    text = text_of(ask(script, gate), defaults={"image": "a:1", "retry": {"limit": 3, "backoff": "1s"}})
    done = execute(text, folder)
    assert done.codes == {"ask": code}, done.logs
    assert "trying again" not in done.logs["ask"]
    known = done.tasks["ask"].parameters
    assert (known.get("decision"), known.get("by")) == (said or (None, None))


def test_a_command_that_ended_is_told_and_waited_at(folder: Path) -> None:
    image, looks = folder / "image/bin", folder / "run/claims/nas/looks"
    image.mkdir(parents=True)
    (image / "sleep").write_text('#!/bin/sh\necho >>/nas/looks\nexec /usr/bin/sleep "$@"\n')
    (image / "sleep").chmod(0o755)

    def looked() -> int:
        return len(looks.read_text()) if looks.exists() else 0

    def person() -> None:
        run = opened(folder / "run", "ask")
        ended = folder / "run/claims/nas/ended"
        until(lambda: True if ended.exists() else None, "the command does not end")
        seen = looked()
        until(lambda: True if looked() > seen + 3 else None, "it does not go on waiting")
        assert (run / "state").read_text() == "open\n"
        decide(folder / "run", "ask")

    text = text_of(ask("echo > /nas/ended; exit 3", volumes=ON_NAS))
    programs = [Bound(folder / "image", "/image", read_only=True)]
    done = with_people(lambda: execute(text, folder / "run", claims={"nas": 0o777}, programs=programs), person)
    assert done.state == "succeeded", done.logs
    assert "the command ended by itself with code 3\n" in done.logs["ask"]


@pytest.mark.parametrize("way", WAYS)
def test_a_decision_for_another_pod_is_not_this_ones(folder: Path, way: Way) -> None:
    """A run that is tried again keeps its id: what was said to the pod before is still there."""

    def person() -> None:
        run = opened(folder, "ask")
        decide(folder, "ask", "reject", way, uid="uid-of-the-pod-before")
        until(lambda: True if (folder / "claims/nas/later").exists() else None, "the command does not go on")
        assert (run / "state").read_text() == "open\n"
        decide(folder, "ask", "resume", way)

    text = text_of(ask("sleep 3; echo > /nas/later; sleep 60", volumes=ON_NAS))
    done = with_people(lambda: execute(text, folder, claims={"nas": 0o777}), person)
    assert done.state == "succeeded", done.logs
    assert done.logs["ask"].count("not for this pod, is ignored") <= 1  # only at a second look, which may come too late


def test_what_was_said_in_the_run_before_does_not_open_the_gate_at_its_start(folder: Path) -> None:
    before = {"ask.decision": "resume uid-of-the-pod-before\n", "ask.by": "ada\n"}
    done = execute(text_of(ask(gate={"timeout": "3s"})), folder, config_maps={RUN_ID: before})
    assert done.codes == {"ask": 75}, done.logs
    assert "resumed" not in done.logs["ask"]


def test_gates_of_one_run_are_told_apart(folder: Path) -> None:
    text = text_of(ask(), ask(id="ask-2"), ask(id="ask_2"))
    done = with_people(
        lambda: execute(text, folder),
        partial(decide, folder, "ask"),
        partial(decide, folder, "ask-2", "reject"),
        partial(decide, folder, "ask-2-2"),
    )
    assert done.codes == {"ask": 0, "ask-2": 75, "ask-2-2": 0}, done.logs


def test_a_required_value_is_waited_for(folder: Path) -> None:
    def person() -> None:
        decide(folder, "ask")
        until(lambda: True if (folder / "claims/nas/later").exists() else None, "the command does not go on")
        decide(folder, "ask", values={"lr": "3"})

    text = text_of(ask("sleep 3; echo > /nas/later; sleep 60", {"values": VALUES[:1]}, volumes=ON_NAS))
    done = with_people(lambda: execute(text, folder, claims={"nas": 0o777}), person)
    assert done.tasks["ask"].parameters["value-lr"] == 3, done.logs
    assert done.logs["ask"].count("the decision lacks the value lr") <= 1


def test_a_value_of_another_type_fails_the_step(folder: Path) -> None:
    text = text_of(ask(gate={"values": VALUES[:1]}))
    done = with_people(lambda: execute(text, folder), partial(decide, folder, "ask", values={"lr": "a lot"}))
    assert done.codes == {"ask": 65}
    assert "value-lr: not of type number: a lot" in done.logs["ask"]


def test_the_question_has_what_the_run_knows(folder: Path) -> None:
    count = job("count", "echo 42 > /tmp/rows", outputs=[{"name": "rows", "type": "integer", "path": "/tmp/rows"}])
    message = "{{tasks.count.outputs.rows}} rows in {{run.id}}: $(KFP_POD_NAME) $$ {{{{workflow.name}}?"
    text = text_of(count, ask(gate={"message": message}))
    asked: list[str] = []

    def person() -> None:
        asked.append((opened(folder, "ask") / "message").read_text(encoding="utf-8"))
        decide(folder, "ask")

    done = with_people(lambda: execute(text, folder), person)
    assert asked == [f"42 rows in {RUN_ID}: $(KFP_POD_NAME) $$ {{{{workflow.name}}}}?\n"]
    assert f"waiting for a person: {asked[0]}" in done.logs["ask"]


def test_a_gate_is_asked_in_every_run_and_its_pod_says_so(folder: Path) -> None:
    gate = {"timeout": "30s", "message": "Is {{{{this}} $(it)?", "values": VALUES[:1]}
    text = text_of(ask(gate=gate, id="Ask-"), defaults={"image": "a:1", "timeout": "5s"})
    done = with_people(lambda: execute(text, folder), partial(decide, folder, "ask", values={"lr": "1"}))
    assert done.state == "succeeded", done.logs
    assert not done.tasks["ask"].cached
    ((_, pod),) = done.pods
    labels, annotations = pod["metadata"]["labels"], pod["metadata"]["annotations"]
    assert (labels["kade2kfp/step"], labels["kade2kfp/gate"], annotations["kade2kfp/task"]) == ("ask", "Ask", "Ask-")
    assert annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"
    told = json.loads(annotations["kade2kfp/gate"])
    assert told["message"] == "Is {{this}} $(it)?"
    assert told["values"] == [{"name": "lr", "type": "number", "required": True, "minimum": 0}]
    assert (told["timeout"], told["onTimeout"], told["onReject"]) == (30, "reject", "fail")
    # The defaults' 5 s are for who works, not for who waits: the pod's own end comes after the gate's.
    assert pod["spec"]["activeDeadlineSeconds"] > 30
    mounted = {one["mountPath"]: one["name"] for one in main_of(pod)["volumeMounts"]}
    volumes = {one["name"]: one for one in pod["spec"]["volumes"]}
    assert volumes[mounted["/kade/run"]]["emptyDir"]["medium"] == "Memory"  # a notebook's token is on no disk
    assert volumes[mounted["/kade/gate"]]["configMap"] == {"name": RUN_ID, "optional": True}


def program(folder: Path, name: str, text: str) -> None:
    path = folder / "image/bin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def with_programs(folder: Path) -> dict[str, Any]:
    return {"programs": [Bound(folder / "image", "/image", read_only=True)]}


def test_a_notebooks_server_gets_its_folder_and_a_token_that_nobody_sees(folder: Path) -> None:
    program(
        folder,
        "jupyter-lab",
        'echo "$JUPYTER_PORT $JUPYTER_RUNTIME_DIR" "$@"; cd /work/it && echo inside; exec sleep 60',
    )
    tokens: list[str] = []

    def person() -> None:
        run = opened(folder / "run", "ask")
        tokens.append((run / "token").read_text())
        assert (run / "token").stat().st_mode & 0o077 == 0
        decide(folder / "run", "ask")

    text = text_of(ask(type="notebook", startPath="/work/it", port=8765))
    done = with_people(lambda: execute(text, folder / "run", **with_programs(folder)), person)
    assert done.state == "succeeded", done.logs
    first = next(line for line in done.logs["ask"].splitlines() if not line.startswith("kade2kfp: "))
    assert first.split()[:2] == ["8765", "/kade/run/jupyter"]
    assert "--notebook-dir=/work/it" in first.split()
    assert "inside" in done.logs["ask"].splitlines()
    assert len(tokens[0]) == 48
    assert tokens[0] not in str((text, done.logs, done.pods, done.tasks["ask"].parameters))


def test_a_notebook_that_is_executed_gets_its_parameters_and_its_copy_is_kept(folder: Path) -> None:
    # In place of Python: all but `-c` and the program itself goes into the executed notebook.
    program(folder, "python3", 'shift 2; printf "%s|" "$@" > "$2"')
    parameters = {
        "rate": "{{params.rate}}",
        "text": "at {{params.rate}}",
        "word": "{{params.word}}",
        "grid": "{{params.grid}}",
        "nested": {"b": [1, None, "{{{{x}}"], "a": "$(HOME)"},
        "flag": True,
    }
    task = {"id": "ask", "type": "notebook", "advance": "auto", "startPath": "/work", "notebook": "a b.ipynb"}
    text = text_of(
        task | {"parameters": parameters},
        parameters=[
            {"name": "rate", "type": "number", "default": 0.5},
            {"name": "word", "type": "string", "default": "7"},
            {"name": "grid", "type": "array", "default": [1, 2]},
        ],
    )
    done = execute(text, folder / "run", **with_programs(folder))
    assert done.state == "succeeded", done.logs
    source, _, *words = done.artifact("ask", "executed-notebook").read_text().rstrip("|").split("|")
    assert source == "/work/a b.ipynb"
    given = {words[i]: (words[i + 1], words[i + 2]) for i in range(0, len(words), 3)}
    assert {name: value for name, (kind, value) in given.items() if kind == "text"} == {"text": "at 0.5", "word": "7"}
    assert {name: json.loads(value) for name, (kind, value) in given.items() if kind == "json"} == {
        "rate": 0.5,
        "grid": [1, 2],
        "nested": {"a": "$(HOME)", "b": [1, None, "{{x}}"]},
        "flag": True,
    }


def test_an_image_without_jupyter_is_told_before_anybody_is_asked(folder: Path) -> None:
    done = execute(text_of(ask(type="notebook")), folder)
    assert done.codes == {"ask": 64}
    assert "no jupyter-lab and no jupyter-notebook" in done.logs["ask"]
    assert "waiting" not in done.logs["ask"]


def test_keys_that_may_enter_are_there_and_who_cannot_is_told_to_use_exec(folder: Path) -> None:
    shells: list[str] = []

    def person() -> None:
        run = opened(folder, "ask")
        until(lambda: True if (run / "shell").exists() else None, "nobody says how to get a shell")
        shells.append((run / "shell").read_text())
        decide(folder, "ask")

    ssh = {"port": 2345, "authorizedKeysFrom": {"secretKeyRef": {"name": "people", "key": "ada.pub"}}}
    text = text_of(ask("cat /kade/ssh/ada.pub; sleep 60", ssh=ssh))
    done = with_people(lambda: execute(text, folder, secrets={"people": {"ada.pub": "ssh-ed25519 AAAA"}}), person)
    assert len(shells) == 1
    assert shells[0].startswith(("exec the image has no sshd", "exec sshd cannot serve as root"))
    assert "ssh-ed25519 AAAA" in done.logs["ask"]
