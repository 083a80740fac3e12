"""Packs with templates/pack.py: a small stand-in for BentoML where that does, and BentoML itself."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kade2kfp.local.environments import environment
from kade2kfp.steps.python_text import embed_python
from kade2kfp.tasks.bento import files_of, requirements_of

ROOT = Path(__file__).parents[2]
VERSION = "20260102-030405-abcd"

# What `python -m bentoml build` does, as far as pack.py sees it. What stands in `fail` is printed, as a failure.
STAND_IN = """
import os, shutil, sys
words = sys.argv[2:]
build, home = words[-1], os.environ["BENTOML_HOME"]
version, name = words[words.index("--version") + 1], words[words.index("--name") + 1]
if os.path.exists(os.path.join(build, "fail")):
    print(open(os.path.join(build, "fail")).read())
    sys.exit(1)
if os.path.exists(os.path.join(build, "wait")):
    import subprocess
    subprocess.run(["sleep", "1000"])
made = os.path.join(home, "bentos", name, version)
shutil.copytree(build, os.path.join(made, "src"), symlinks=True)
open(os.path.join(made, "bento.yaml"), "w").close()
"""


@dataclass(frozen=True)
class Done:
    """A pack that has ended: its exit code, what it wrote, and the last line of that."""

    code: int
    text: str

    @property
    def last(self) -> str:
        return self.text.rstrip().splitlines()[-1] if self.text.strip() else ""


@dataclass(frozen=True)
class Packer:
    """Where a serving is packed from and to; `python` has BentoML or a stand-in."""

    folder: Path
    python: str
    env: Mapping[str, str]

    @property
    def files(self) -> Path:
        return self.folder / "files"

    @property
    def into(self) -> Path:
        return self.folder / "into"

    def command(self, *more: str) -> list[str]:
        words = ["--name", "iris", "--framework", "sklearn", "--files", str(self.files), "--into", str(self.into)]
        return [self.python, "-c", embed_python("pack.py"), *words, *more]

    def start(
        self, *more: str, version: str = VERSION, before: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        given = {**self.env, "KADE2KFP_VERSION": version, **(env or {})}
        command = [*before, *self.command(*more)]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(command, env=given, text=True, cwd=self.folder, **streams)

    def pack(
        self, *more: str, version: str = VERSION, before: Sequence[str] = (), env: Mapping[str, str] | None = None
    ) -> Done:
        with self.start(*more, version=version, before=before, env=env) as process:
            text, _ = process.communicate(timeout=120)
        return Done(process.returncode, text)

    def write(self, files: Mapping[str, bytes | str]) -> None:
        for name, content in files.items():
            path = self.files / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def left(self) -> list[str]:
        """All that lies in the folder of the serving, but for locks."""
        return sorted(path.name for path in self.into.iterdir()) if self.into.exists() else []


def packer(folder: Path, python: str | None = None) -> Packer:
    """One in a folder; without a Python of its own, with the stand-in."""
    temp = folder / "tmp"
    temp.mkdir()
    (folder / "files").mkdir()
    env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "TMPDIR": str(temp), "LANG": "C.UTF-8"}
    if python is None:
        modules = folder / "modules"
        modules.mkdir()
        (modules / "bentoml.py").write_text(STAND_IN)
        env["PYTHONPATH"] = str(modules)
    return Packer(folder, python or sys.executable, env)


@cache
def real_python(*more: str) -> str:
    """A Python with BentoML, scikit-learn and more: made once, and kept from one test run to the next."""
    home = ROOT / ".cache" / "test-bentos"
    home.mkdir(parents=True, exist_ok=True)
    shared = home / "environments"
    if not shared.is_symlink():
        (ROOT / ".cache" / "test-environments").mkdir(exist_ok=True)
        with suppress(FileExistsError):  # another worker was faster
            shared.symlink_to("../test-environments")
    wanted = requirements_of(files_of("sklearn", {}), ("scikit-learn==1.7.2", *more))
    return f"{environment(home, wanted, log=None, cancelled=threading.Event())}/bin/python3"
