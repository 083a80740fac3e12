"""Each example: compiled and executed, and by `kade2kfp run`, with parameters varied."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from ir.expand import RUN_ID
from ir.machine import Bound, execute
from local.running import ROOT, call

from differential import world
from differential.compare import Ground, Json
from differential.sides import ADDED, Done, differences, of_machine, of_state, tree, without
from kade2kfp.local.environments import environment, python_mounts

_EXAMPLES = ROOT / "examples"


def _compiled(
    on: Ground, name: str, parameters: Json, claims: tuple[str, ...] = (), programs: tuple[Bound, ...] = ()
) -> Done:
    """The example's golden on the IR machine; volumes by the names of their claims."""
    folder = on.folder / str(next(on.numbers))
    text = (_EXAMPLES / name / "pipeline.yaml").read_text()
    done = execute(
        text,
        folder,
        parameters=parameters,
        claims=dict.fromkeys(claims, 0o777),
        programs=programs,
        timeout=300,
    )
    volumes = {claim: without(tree(folder / "claims" / claim, modes=True), RUN_ID) for claim in claims}
    return Done({task: of_machine(done, task) for task in done.tasks if task != ADDED}, volumes)


def _run(on: Ground, name: str, parameters: Json, claims: tuple[str, ...] = ()) -> Done:
    """The example by the command line. An existing claim is a folder of its name in the home."""
    options = [word for key, value in parameters.items() for word in ("--set", f"{key}={value}")]
    ran = call(on.home, "run", str(_EXAMPLES / name / "pipeline.json"), *options, timeout=600)
    assert ran.code == 0, ran.err
    folders = {claim: on.home / "volumes" / claim for claim in claims}
    volumes = {claim: without(tree(folder, modes=True), ran.state.id) for claim, folder in folders.items()}
    return of_state(ran.state, ran.folder, volumes)


@pytest.mark.parametrize("who", ["world", "Ada <&> \u00e9", "", "-n 'x' \"y\""])
def test_hello(on: Ground, who: str) -> None:
    assert differences(_compiled(on, "hello", {"who": who}), _run(on, "hello", {"who": who})) == []


def test_nas(on: Ground) -> None:
    claims = ("user-kade0-pvc",)
    sides = _compiled(on, "nas", {}, claims), _run(on, "nas", {}, claims)
    for one in sides:
        one.volumes["user-kade0-pvc"].pop("seen/con1")  # the time of day
        assert one.volumes["user-kade0-pvc"], "numbers.txt stays on the claim"
    assert differences(*sides) == []


@pytest.mark.slow
def test_iris(on: Ground) -> None:
    """Both have the packages of the same environment, and its Python; the machine's image has them already."""
    document = json.loads((_EXAMPLES / "iris/pipeline.json").read_text())
    (wanted,) = {tuple(task["packagesToInstall"]) for task in document["tasks"] if "packagesToInstall" in task}
    made = environment(on.home, wanted, log=None, cancelled=threading.Event())
    programs = (
        _image(on.folder / "image", made.resolve()),
        Bound(made.resolve(), str(made.resolve()), True),
        *(Bound(one.source, one.path, True) for one in python_mounts()),
    )
    with world.served(_EXAMPLES / "iris/data") as url:
        for seed in (7, 11):
            given = {"data_url": f"{url}/iris.data", "seed": seed}
            machine, local = _compiled(on, "iris", given, programs=programs), _run(on, "iris", given)
            assert differences(machine, local) == []
            assert {name: one.state for name, one in machine.tasks.items()} == dict.fromkeys(local.tasks, "succeeded")


def _image(folder: Path, made: Path) -> Bound:
    """An environment whose packages are those of another, and to which pip may write: so it finds them installed."""
    (packages,) = made.glob("lib/python*/site-packages")
    here = folder / packages.relative_to(made)
    here.mkdir(parents=True)
    for one in packages.iterdir():
        (here / one.name).symlink_to(one)
    (folder / "bin").mkdir()
    for name in ("python", "python3"):
        (folder / "bin" / name).symlink_to(os.path.realpath(made / "bin/python3"))
    (folder / "pyvenv.cfg").write_bytes((made / "pyvenv.cfg").read_bytes())
    return Bound(folder, str(folder))
