"""gates, resume and reject: what is listed, what is sent, and what is said where it cannot be."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import kade2kfp.cli as cli
from kade2kfp.cli.gates import Where
from kade2kfp.cluster.errors import RefusedError
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.gates.model import Decision
from kade2kfp.steps.parts import GateValue, Port

from .fake_gates import NOW, Fake, standing

RATE = GateValue("lr", "number", True, None, "how fast it learns", None, 0.0, 1.0)
NOTE = GateValue("note", "string", False, "a b")
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake()
    monkeypatch.setattr(Where, "gates", lambda self: made)
    return made


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """The command line within this process: exit code, standard output and standard error."""
    monkeypatch.setattr(cli, "_make_haste", lambda: None)
    monkeypatch.setattr("sys.unraisablehook", lambda _: None)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        said = capfd.readouterr()
        assert "\x1b" not in said.out + said.err
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return run


# --- gates


def test_nothing_waits(fake: Fake, call: Call) -> None:
    assert call("gates") == (0, "", "nothing waits for a person\n")
    assert call("gates", "r\x1b[2J") == (0, "", "nothing waits for a person in the run r\\x1b[2J\n")
    assert call("gates", "--output", "json") == (0, "[]\n", "")


def test_the_list_says_what_to_type(fake: Fake, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW + 185)
    fake.steps = [
        standing(
            values=(RATE, NOTE), until=NOW + 185 + 3600, message="Look at\n  the \x1b[2J model", ports=(Port(80),)
        ),
        standing("edit", run="iris-2", type="notebook", port=8888, ssh=2222, on_reject="route", message="x" * 300),
    ]
    code, text, said = call("gates")
    assert (code, said) == (0, "")
    assert text.splitlines() == [
        "RUN     TASK   SINCE      UNTIL     MESSAGE",
        "iris-1  train  3m05s ago  in 1h00m  Look at the \\x1b[2J model",
        "  kade2kfp resume iris-1 train --set lr=0.1",
        "    lr    number, at least 0, at most 1, required  how fast it learns",
        '    note  string, default "a b"',
        "  kade2kfp reject iris-1 train",
        "  kade2kfp open iris-1 train",
        "iris-2  edit   3m05s ago  -         " + "x" * 199 + "…",
        "  kade2kfp resume iris-2 edit",
        "  kade2kfp reject iris-2 edit  (and the pipeline goes on)",
        "  kade2kfp open iris-2 edit",
        "  kade2kfp ssh iris-2 edit",
    ]


def test_what_is_to_be_typed_is_what_the_commands_take(fake: Fake, call: Call, tmp_path: Path) -> None:
    """Names that a shell would take apart, two steps of one task, and options that say where the run is."""
    asked = GateValue("note", "string", True, enum=("it's; $HOME",))
    fake.steps = [standing("a b", step="s1", values=(asked,)), standing("a b", step="s2"), standing("é'")]
    for where in (["--home", str(tmp_path / "x y")], ["-n", "team a", "--kube-context", "c"]):
        code, text, _ = call("gates", *where)
        assert code == 0
        typed = [shlex.split(row) for row in text.splitlines() if row.startswith("  kade2kfp re")]
        fake.decided.clear()
        for words in typed:
            assert words[0] == "kade2kfp"
            assert call(*words[1:])[0] == 0
        assert [task for task, _, _ in fake.decided] == ["a b", "a b", "a b", "a b", "é'", "é'"]
        assert [words[3] for words in typed[::2]] == ["s1", "s2", "é'"]
        assert fake.decided[0][1] == Decision("resume", "ada", {"note": "it's; $HOME"})


def test_the_json_is_as_its_help_says(fake: Fake, call: Call) -> None:
    fake.steps = [standing(values=(RATE,), port=8888, until=float("nan"), ports=(Port(80, "http"),))]
    (found,) = json.loads(call("gates", "--output", "json")[1])
    help_ = call("gates", "--help")[1]
    assert all(f"`{name}`" in help_ for name in found)
    assert found["since"] == NOW
    assert found["until"] is None
    assert found["notebook"] == 8888
    assert found["ssh"] is None
    assert found["ports"] == [{"number": 80, "name": "http"}]
    assert found["values"][0]["minimum"] == 0.0
    assert found["values"][0]["required"] is True


# --- resume and reject


def test_a_decision_is_sent_as_it_was_said(fake: Fake, call: Call) -> None:
    fake.steps = [standing(values=(RATE, NOTE))]
    code, text, said = call("resume", "last", "train", "--set", "lr=1e-1", "--set", "note= x\n", "--timeout", "5")
    assert (code, text, said) == (0, "'train' is decided\n", "")
    assert call("reject", "iris-1", "train", "--reason", "the labels are wrong")[0] == 0
    assert fake.decided == [
        ("train", Decision("resume", "ada", {"lr": "0.1", "note": " x\n"}), 5),
        ("train", Decision("reject", "ada", {}, "the labels are wrong"), 30),
    ]


@pytest.mark.parametrize("verb", ["resume", "reject"])
def test_the_task_may_be_left_out_where_one_waits(fake: Fake, call: Call, verb: str) -> None:
    fake.steps = [standing(), standing("other", waits=False), standing("train", run="iris-2")]
    code, _, said = call(verb, "iris-1")
    assert (code, said) == (0, "the only one that waits: train of iris-1\n")
    fake.steps.append(standing("review"))
    code, _, said = call(verb, "iris-1")
    assert (code, len(fake.decided)) == (1, 1)
    assert said == "Error: 2 tasks of the run iris-1 wait: train, review\n  help: name one of them after the run\n"
    code, _, said = call(verb, "iris-9")
    assert code == 1
    assert "nothing in the run iris-9 waits for a person" in said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "`lr` is missing (number, at least 0, at most 1, required): how fast it learns; write --set lr=0.1"),
        (["--set", "lr=2", "--set", "x\x1b=1"], "--set: `lr` cannot be that: 2 is more than the maximum 1"),
        (["--set", "lr=2", "--set", "x\x1b=1"], "\n  there is no value `x\\x1b`: known values: `lr`, `note`\n"),
        (["--set", "lr"], "'lr' is not NAME=VALUE"),
        (["--set", "lr=0.1", "--set", "note={{x}}"], "Kubeflow and Argo would replace"),
        (["--set", "lr=0.1", "--set", "note=\udcff"], "text that is not Unicode"),
        (["--timeout", "nan"], "'nan' is not a valid integer"),
        (["--home", "/x", "-n", "y"], "--home is for runs on this machine, --namespace for those on a cluster."),
        (["-n", ""], "Invalid value for --namespace: it is empty"),
        (["--home", ""], "it is empty"),
    ],
)
def test_what_resume_refuses_is_never_sent(fake: Fake, call: Call, words: list[str], says: str) -> None:
    fake.steps = [standing(values=(RATE, NOTE))]
    code, text, said = call("resume", "last", "train", *words)
    assert (code, text, fake.decided) == (2, "", [])
    assert says in said


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("a\nb", "it has more than one line"),
        ("é" * 151, "it has 302 bytes, and at most 300 reach the task"),
        ("$(date)", "it holds `$(`"),
        ("\udcff", "it is not text in UTF-8"),
    ],
)
def test_a_reason_that_would_not_arrive_is_refused(fake: Fake, call: Call, reason: str, says: str) -> None:
    fake.steps = [standing()]
    code, _, said = call("reject", "last", "train", "--reason", reason)
    assert (code, fake.decided) == (2, [])
    assert f"Invalid value for --reason: {says}" in said


@pytest.mark.parametrize(
    "words",
    [["gates"], ["resume", "r", "t"], ["reject", "r", "t"], ["open", "r", "t"], ["ssh", "r", "t"]],
    ids=" ".join,
)
@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (
            CannotDoError("somebody\x1b decided", "look at `x`"),
            1,
            "Error: somebody\\x1b decided\n  help: look at `x`\n",
        ),
        (CannotDoError("there is no run r"), 1, "Error: there is no run r\n"),
        (RefusedError("you may not get pods (403)", "ask"), 3, "Error: you may not get pods (403)\n  help: ask\n"),
    ],
)
def test_what_cannot_be_done(
    fake: Fake, call: Call, words: list[str], error: CannotDoError, code: int, says: str
) -> None:
    fake.error = error
    assert call(*words) == (code, "", says)


def test_a_mistyped_task_gets_a_suggestion(fake: Fake, call: Call) -> None:
    fake.steps = [replace(standing(), waits=False)]
    code, _, said = call("resume", "last", "trian")
    assert code == 1
    assert said == "Error: the run last has no task 'trian'\n  help: did you mean `train`?\n"
    assert call("resume", "last", "train")[0] == 1  # it waits for nobody


def test_which_gates_are_asked(monkeypatch: pytest.MonkeyPatch, call: Call, tmp_path: Path) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("kade2kfp.cluster.connect.connect", lambda *words: asked.append(words))
    monkeypatch.setattr("kade2kfp.cluster.gates.ClusterGates", lambda cluster: Fake())
    monkeypatch.setattr("kade2kfp.local.gates.here.local_gates", lambda home: asked.append(home) or Fake())
    call("gates", "-n", "team")
    call("gates", "--kube-context", "c")
    call("gates", "--home", str(tmp_path))
    assert asked == [(None, "team"), ("c", None), tmp_path]


CONTEXTS = """
current: prod
contexts:
  prod: {endpoint: "https://kfp.example.com", namespace: team-a, kubeContext: prod-k8s}
  bare: {endpoint: "https://kfp.example.com"}
  lab: {portForward: {namespace: kf, kubeContext: lab-k8s}}
"""


@pytest.mark.parametrize(
    ("words", "context", "namespace"),
    [
        ("--cluster", "prod-k8s", "team-a"),
        ("--kfp-context prod", "prod-k8s", "team-a"),
        ("--kfp-context prod -n b", "prod-k8s", "b"),
        ("--kfp-context prod --kube-context c", "c", "team-a"),
        ("--kfp-context lab", "lab-k8s", "kf"),
        ("--kfp-context bare --kube-context c", "c", "kubeflow"),
        ("--endpoint kfp.example.com --kube-context c", "c", "kubeflow"),
        ("--endpoint kfp.example.com --kube-context c -n b", "c", "b"),
        ("--port-forward", None, "kubeflow"),
        ("--port-forward -n b", None, "b"),
        ("-n b", "prod-k8s", "b"),
        ("-n b --kube-context c", "c", "b"),
        ("--kube-context c", "c", None),
    ],
)
@pytest.mark.parametrize("command", ["gates", "serving list"])
def test_a_cluster_is_named_as_for_submit(
    command: str,
    words: str,
    context: str | None,
    namespace: str | None,
    monkeypatch: pytest.MonkeyPatch,
    call: Call,
    tmp_path: Path,
) -> None:
    asked: list[Any] = []

    def connect(context: str | None, namespace: str | None) -> None:
        asked.append((context, namespace))
        raise CannotDoError("far away")

    _only(monkeypatch, tmp_path, CONTEXTS)
    for module in ("connect", "services"):
        monkeypatch.setattr(f"kade2kfp.cluster.{module}.connect", connect)
    assert call(*command.split(), *words.split()) == (1, "", "Error: far away\n")
    assert asked == [(context, namespace)]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("--endpoint kfp.example.com", 1, "which Kubernetes is below kfp.example.com is not known\n  help: name"),
        ("--kfp-context bare", 1, "by --kube-context; or by `kubeContext` of the context `bare`"),
        ("--kfp-context bear", 1, "did you mean `bare`?"),
        ("--endpoint ftp://x", 2, "--endpoint is no http:// or https:// address"),
        ("--endpoint x --port-forward", 2, "--endpoint, --kfp-context and --port-forward exclude each other."),
        ("--kfp-context=", 2, "Invalid value for --kfp-context: it is empty"),
        ("--cluster --home /x", 2, "--home is for runs on this machine, --cluster for those on a cluster."),
    ],
)
@pytest.mark.parametrize("command", ["resume last train", "viewer open last board"])
def test_a_cluster_that_is_not_known_is_not_guessed(
    command: str, words: str, code: int, says: str, monkeypatch: pytest.MonkeyPatch, call: Call, tmp_path: Path
) -> None:
    _only(monkeypatch, tmp_path, CONTEXTS)
    for module in ("connect", "services"):
        monkeypatch.setattr(f"kade2kfp.cluster.{module}.connect", lambda *_: pytest.fail("a cluster is asked"))
    ended, text, said = call(*command.split(), *words.split())
    assert (ended, text) == (code, "")
    assert says in said


def test_no_cluster_at_all(monkeypatch: pytest.MonkeyPatch, call: Call, tmp_path: Path) -> None:
    _only(monkeypatch, tmp_path, "")
    code, _, said = call("gates", "--cluster")
    assert code == 1
    assert "no Kubeflow Pipelines is known" in said


def _only(monkeypatch: pytest.MonkeyPatch, folder: Path, config: str) -> None:
    """Nothing but that configuration says which cluster there is."""
    for name in list(os.environ):
        if name.startswith(("KFP_", "KF_PIPELINES_", "KADE2KFP_", "KUBE")):
            monkeypatch.delenv(name)
    (folder / "config.yaml").write_text(config)
    (folder / "config.yaml").chmod(0o600)
    monkeypatch.setenv("KADE2KFP_CONFIG", str(folder / "config.yaml"))
