"""A step that is unchanged is not run again; one that is changed in any way is."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from faults import ended
from running import Ran, arrow, call, document, job, run, start

SECRETS = '{"secrets": {"login": {"key": "%s"}}}'


def _pipeline() -> dict[str, Any]:
    """Two steps: what the first one leaves comes from all that a step can depend on."""
    return {
        "tasks": [
            job(
                "make",
                'cat /app/main.txt > /out/a; echo "$1 $MODE" >> /out/a; echo 3 > /m/n',
                args=["{{params.p}}"],
                files=[{"path": "/app/main.txt", "source": "main.txt"}],
                env=[
                    {"name": "MODE", "value": "slow"},
                    {"name": "PW", "valueFrom": {"secretKeyRef": {"name": "login", "key": "key"}}},
                ],
                outputs=[{"name": "n", "type": "integer", "path": "/m/n"}],
            ),
            job("use", "cat /in/a; echo $1", args=["{{tasks.make.outputs.n}}"]),
        ],
        "arrows": [arrow("make", "/out", "use", "/in")],
        "parameters": [{"name": "p", "type": "string", "default": "p"}],
    }


def _run(home: Path, pipeline: dict[str, Any], *options: str, secret: str = "one") -> Ran:
    home.joinpath("secrets.json").write_text(SECRETS % secret)
    if not (home / "main.txt").exists():
        (home / "main.txt").write_text("main\n")
    more = {key: value for key, value in pipeline.items() if key not in ("tasks", "arrows")}
    return run(home, pipeline["tasks"], pipeline["arrows"], "--secrets", str(home / "secrets.json"), *options, **more)


def _statuses(ran: Ran) -> str:
    assert ran.code == 0, ran.err
    return " ".join(ran.statuses().values())


def _change_file(home: Path, pipeline: dict[str, Any]) -> None:
    (home / "main.txt").write_text("other\n")


def _change_image(home: Path, pipeline: dict[str, Any]) -> None:
    pipeline["defaults"] = {"image": "python:3.12-slim"}


def _change_env(home: Path, pipeline: dict[str, Any]) -> None:
    pipeline["tasks"][0]["env"][0]["value"] = "fast"


def _change_command(home: Path, pipeline: dict[str, Any]) -> None:
    pipeline["tasks"][0]["script"] += "; : "


def _change_default(home: Path, pipeline: dict[str, Any]) -> None:
    pipeline["parameters"][0]["default"] = "q"


def _change_user(home: Path, pipeline: dict[str, Any]) -> None:
    pipeline["tasks"][0]["securityContext"] = {"runAsUser": 1234}


def _change_output(home: Path, pipeline: dict[str, Any]) -> None:
    pipeline["tasks"][0]["outputs"][0]["type"] = "number"


def _nothing(home: Path, pipeline: dict[str, Any]) -> None:
    pass


@pytest.mark.parametrize(
    ("change", "options", "secret", "expected"),
    [
        (_nothing, (), "one", "cached cached"),
        (_nothing, ("--no-cache",), "one", "succeeded succeeded"),
        (_nothing, ("--set", "p=q"), "one", "succeeded succeeded"),
        (_nothing, ("--set", "p=p"), "one", "cached cached"),
        (_nothing, (), "two", "succeeded cached"),
        (_change_file, (), "one", "succeeded succeeded"),
        (_change_env, (), "one", "succeeded succeeded"),
        (_change_default, (), "one", "succeeded succeeded"),
        (_change_image, (), "one", "succeeded succeeded"),
        # What they leave is the same, so the next step has nothing new to see.
        (_change_command, (), "one", "succeeded cached"),
        (_change_user, (), "one", "succeeded cached"),
        (_change_output, (), "one", "succeeded cached"),
    ],
)
def test_what_is_run_again(home: Path, change: Any, options: tuple[str, ...], secret: str, expected: str) -> None:
    pipeline = _pipeline()
    first = _run(home, pipeline)
    assert _statuses(first) == "succeeded succeeded"
    name = first.state.name
    change(home, pipeline)
    second = _run(home, pipeline, *options, secret=secret)
    assert _statuses(second) == expected
    make = second.step("make")
    assert make.outputs == {"n": 3}
    assert (second.folder / make.artifacts[0].stored / "a").is_file()
    if make.status == "cached":
        assert make.note == f"taken from {name}"
        assert make.attempts == ()
    assert "one" not in "".join(path.read_text() for path in (home / "cache").rglob("entry.json"))


def test_an_input_that_is_made_anew_with_the_same_content(home: Path) -> None:
    tasks = [
        job("make", "echo $1 > /dev/null; echo same > /out/a", cache=False, args=["{{params.p}}"]),
        job("use", "cat /in/a"),
    ]
    arrows, parameters = [arrow("make", "/out", "use", "/in")], [{"name": "p", "type": "string", "default": "1"}]
    assert _statuses(run(home, tasks, arrows, parameters=parameters)) == "succeeded succeeded"
    assert _statuses(run(home, tasks, arrows, "--set", "p=2", parameters=parameters)) == "succeeded cached"
    tasks[0]["script"] = "echo other > /out/a"
    del tasks[0]["args"]
    assert _statuses(run(home, tasks, arrows)) == "succeeded succeeded"
    tasks[0]["script"] = "echo other > /out/b"
    tasks[1]["script"] = "ls /in"
    renamed = run(home, tasks, arrows)
    assert renamed.log("use") == "b\n"


def test_packages_are_part_of_what_a_step_is(home: Path) -> None:
    # An environment made by hand, so that nothing has to be installed.
    from kade2kfp.local import environments

    key = environments._key(environments._normalised(["made-by-hand"]))
    base = environments._key([])
    folder = (home / "environments").resolve()
    (home / "environments").unlink()
    (home / "environments").mkdir()
    for name in (key, base):
        (home / "environments" / name).symlink_to(folder / base)
    task = job("a", "true")
    assert _statuses(run(home, [task])) == "succeeded"
    assert _statuses(run(home, [task])) == "cached"
    assert _statuses(run(home, [task | {"packagesToInstall": ["made-by-hand"]}])) == "succeeded"
    assert _statuses(run(home, [task | {"packagesToInstall": ["made-by-hand"]}])) == "cached"


@pytest.mark.parametrize("where", ["cache", "runs"])
@pytest.mark.parametrize("what", ["edited", "removed", "added", "link", "fifo", "entry"])
def test_a_kept_artifact_that_somebody_changed(home: Path, where: str, what: str) -> None:
    tasks = [job("make", "echo right > /out/a; echo more > /out/b"), job("use", "cat /in/*", cache=False)]
    arrows = [arrow("make", "/out", "use", "/in")]
    first = run(home, tasks, arrows)
    assert _statuses(first) == "succeeded succeeded"
    (entry,) = (home / "cache").glob("*/entry.json")
    artifact = entry.parent / "0" if where == "cache" else first.folder / "artifacts/make/out"
    file = artifact / "a"
    match what:
        case "edited":
            file.write_text("wrong\n")
        case "removed":
            shutil.rmtree(artifact)
        case "added":
            (artifact / "c").write_text("wrong\n")
        case "link":
            file.unlink()
            file.symlink_to("/etc/passwd")
        case "fifo":
            file.unlink()
            import os

            os.mkfifo(file)
        case "entry":
            entry.write_text(entry.read_text()[:-9])
    again = run(home, tasks, arrows)
    touched = where == "cache" or what in ("edited", "entry")
    assert _statuses(again) == ("succeeded succeeded" if touched else "cached succeeded")
    assert again.log("use") == "right\nmore\n"
    assert _statuses(run(home, tasks, arrows)) == "cached succeeded"


def test_what_is_kept_outlives_its_run(home: Path) -> None:
    tasks = [job("make", "echo right > /out/a"), job("use", "cat /in/a; echo again", cache=False)]
    arrows = [arrow("make", "/out", "use", "/in")]
    run(home, tasks, arrows)
    shutil.rmtree(home / "runs")
    again = run(home, tasks, arrows)
    assert _statuses(again) == "cached succeeded"
    assert again.log("use") == "right\nagain\n"
    shutil.rmtree(home / "cache")
    assert (again.folder / "artifacts/make/out/a").read_text() == "right\n"


def test_what_must_not_be_kept_is_not(home: Path) -> None:
    volume = [{"id": "v", "mountPath": "/v"}]
    tasks = [
        job("off", "true", cache=False),
        job("writes", "echo x >> /v/x", volumes=volume),
        job("id", "true", args=["{{run.id}}"]),
        job("fails", "exit 1"),
        job("on", "true"),
    ]
    for on in ("succeeded", "cached"):
        done = run(home, tasks, volumes=[{"id": "v", "claimName": "v"}])
        assert done.code == 3
        assert list(done.statuses().values()) == ["succeeded", "succeeded", "succeeded", "failed", on]
    assert (home / "volumes/v/x").read_text() == "x\nx\n"


def test_two_runs_fill_the_cache_at_once(home: Path) -> None:
    tasks = [
        job(f"s{number}", f"seq {number} 300 > /out/a; date +%N >> /out/a; cp /out/a /out/b") for number in range(12)
    ]
    tasks.append(job("use", "for n in 0 1 2 3 4 5 6 7 8 9 10 11; do cmp /in/$n/a /in/$n/b || exit 1; done"))
    arrows = [arrow(f"s{number}", "/out", "use", f"/in/{number}") for number in range(12)]
    path = document(home, tasks, arrows)
    both = [start(home, "run", str(path), "--jobs", "4", *options) for options in ([], ["--no-cache"], ["--no-cache"])]
    for one in both:
        done = ended(one)
        assert done.code == 0, done.err
    assert not list((home / "cache").glob(".new-*"))
    assert not list((home / "cache").glob("*/older"))
    after = call(home, "run", str(path), "--output", "json")
    assert {step["status"] for step in json.loads(after.out)["steps"]} <= {"cached", "succeeded"}
    assert [step["status"] for step in json.loads(after.out)["steps"]][:12] == ["cached"] * 12


def test_a_cache_that_cannot_be_written_is_no_failure(home: Path) -> None:
    (home / "cache").write_text("a file")
    tasks = [job("make", "echo right > /out/a"), job("use", "cat /in/a")]
    for _ in range(2):
        assert _statuses(run(home, tasks, [arrow("make", "/out", "use", "/in")])) == "succeeded succeeded"
