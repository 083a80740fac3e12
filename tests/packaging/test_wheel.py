"""What is published holds all that it needs, and runs far from the checkout.

On its own this builds wheel and sdist, and unpacks the wheel into an environment that takes only the
dependencies from the one that runs the tests. `make wheel` gives the files that it built, and the environment
into which it installed them: KADE2KFP_DIST and KADE2KFP_VENV.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

from kade2kfp import __version__

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path.parent.name for path in ROOT.glob("examples/*/pipeline.json"))
RESOURCES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("schemas", "templates")
    for path in (ROOT / folder).rglob("*")
    if path.is_file() and not path.name.startswith(".") and "__pycache__" not in path.parts
)
MAN = f"kade2kfp-{__version__}.data/data/share/man/man1/kade2kfp.1"
"""Where pip puts it into the environment's share/man (the wheel format's `data` scheme)."""


def build(checkout: Path, target: Path, *kinds: str) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(target)]
    for kind in kinds:
        command += ["-t", kind]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    given = os.environ.get("KADE2KFP_DIST")
    return Path(given) if given else build(ROOT, tmp_path_factory.mktemp("dist"), "sdist", "wheel")


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    return only(dist, "*.whl")


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment in which the wheel is installed."""
    given = os.environ.get("KADE2KFP_VENV")
    if given:
        return Path(given, "bin", "python")
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, symlinks=True)
    packages = only(home, "lib/python3*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    # A folder named in a .pth has its own .pth files left alone: the editable install there is not seen.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    entry = ConfigParser()
    entry.read(only(packages, "kade2kfp-*.dist-info") / "entry_points.txt")
    module, function = entry["console_scripts"]["kade2kfp"].split(":")
    (home / "bin" / "kade2kfp").write_text(f"import sys\nfrom {module} import {function}\nsys.exit({function}())\n")
    return home / "bin" / "python"


class Elsewhere:
    """An empty working directory and an empty home, and the installed command run in them."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.python, self.home, self.work = python, folder / "home", folder / "work"
        self.home.mkdir()
        self.work.mkdir()

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
        # The variables of the tests would bring in proxies, settings and paths of their own.
        environment = {"PATH": os.defpath, "HOME": str(self.home), "LC_ALL": "C"} | variables
        return subprocess.run(
            [self.python, *command],
            cwd=self.work,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
        )

    def kade2kfp(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
        return self.run(str(self.python.with_name("kade2kfp")), *arguments, **variables)

    def example(self, name: str) -> Path:
        """A copy of an example, without what it compiles to."""
        ignored = shutil.ignore_patterns("pipeline.yaml")
        return shutil.copytree(ROOT / "examples" / name, self.work / name, ignore=ignored)

    def compiled(self, name: str, **variables: str) -> bytes:
        self.example(name)
        done = self.kade2kfp("compile", f"{name}/pipeline.json", "-o", "out.yaml", **variables)
        assert done.returncode == 0, done.stderr.decode()
        assert sorted(path.name for path in self.work.iterdir()) == sorted([name, "out.yaml"])
        return (self.work / "out.yaml").read_bytes()


@pytest.fixture
def elsewhere(python: Path, tmp_path: Path) -> Elsewhere:
    return Elsewhere(python, tmp_path)


def golden(name: str) -> bytes:
    return (ROOT / "examples" / name / "pipeline.yaml").read_bytes()


def test_the_wheel_holds_the_package_the_resources_and_nothing_else(wheel: Path) -> None:
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "kade2kfp").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name and not name.endswith("/.keep")}
        assert names == package | {f"kade2kfp/_resources/{name}" for name in RESOURCES} | {MAN}
        assert archive.read(MAN) == (ROOT / "man" / "kade2kfp.1").read_bytes()
        for name in RESOURCES:
            assert archive.read(f"kade2kfp/_resources/{name}") == (ROOT / name).read_bytes()


def test_an_example_runs(elsewhere: Elsewhere) -> None:
    elsewhere.example("hello")
    done = elsewhere.kade2kfp("run", "hello/pipeline.json", "--home", str(elsewhere.home / "runs"))
    assert done.returncode == 0, done.stderr.decode()
    logs = elsewhere.kade2kfp("logs", "last", "--home", str(elsewhere.home / "runs"))
    assert logs.stdout == b"Hello, world!\n"
    page = elsewhere.kade2kfp("show", "last", "--html", "run.html", "--home", str(elsewhere.home / "runs"))
    assert page.returncode == 0, page.stderr.decode()
    assert b"Content-Security-Policy" in (elsewhere.work / "run.html").read_bytes()


def test_the_sdist_elsewhere_and_at_another_time_builds_the_same_wheel(dist: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(only(dist, "*.tar.gz")) as archive:
        # Python 3.11 before 3.11.4 has no filter, and takes no argument of that name.
        archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
        archive.extractall(tmp_path)
    checkout = only(tmp_path, "kade2kfp-*")
    for path in checkout.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    again = only(build(checkout, tmp_path / "again", "wheel"), "*.whl")
    assert (again.name, again.read_bytes()) == (wheel.name, wheel.read_bytes())


def test_nothing_comes_from_the_checkout(elsewhere: Elsewhere) -> None:
    code = "import kade2kfp, sys; print(kade2kfp.__file__); print(*sys.path, sep='\\n')"
    place, *path = elsewhere.run("-c", code).stdout.decode().splitlines()
    assert Path(place).is_relative_to(elsewhere.python.parents[1])
    assert str(ROOT) not in path


def test_the_version_is_the_wheel_s(elsewhere: Elsewhere, wheel: Path) -> None:
    done = elsewhere.kade2kfp("--version")
    assert done.returncode == 0
    assert wheel.name.split("-")[1] in done.stdout.decode().replace(",", " ").split()


def test_there_are_examples() -> None:
    assert "iris" in EXAMPLES


def test_copied_examples_are_valid_and_compile_to_their_goldens(elsewhere: Elsewhere) -> None:
    documents = [f"{name}/{name}.json" for name in EXAMPLES]
    for name, document in zip(EXAMPLES, documents, strict=True):
        elsewhere.example(name)
        (elsewhere.work / name / "pipeline.json").rename(elsewhere.work / document)
    (elsewhere.work / "out").mkdir()
    for words in (["validate", *documents], ["compile", *documents, "-o", "out"]):
        done = elsewhere.kade2kfp(*words)
        assert done.returncode == 0, done.stderr.decode()
    for name in EXAMPLES:
        assert (elsewhere.work / "out" / f"{name}.yaml").read_bytes() == golden(name)
    assert sorted(path.name for path in elsewhere.work.iterdir()) == sorted([*EXAMPLES, "out"])
    assert list(elsewhere.home.iterdir()) == []


@pytest.mark.parametrize("home", ["", "/nonexistent", "relative"])
def test_a_home_that_is_none_changes_nothing(elsewhere: Elsewhere, home: str) -> None:
    assert elsewhere.compiled("iris", HOME=home, PYTHONHASHSEED="7") == golden("iris")


def test_the_schema_is_the_committed_one(elsewhere: Elsewhere) -> None:
    done = elsewhere.kade2kfp("schema")
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == json.loads((ROOT / "schemas/pipeline.v1.json").read_bytes())


@pytest.mark.parametrize("zipped", [False, True], ids=["installed", "as a zip"])
def test_every_resource_is_reachable(elsewhere: Elsewhere, wheel: Path, zipped: bool) -> None:
    code = (
        "import json, sys\n"
        f"{zipped} and sys.path.insert(0, {str(wheel)!r})\n"
        "from kade2kfp import resources\n"
        "print(json.dumps([resources.__file__, *map(resources.read_text, sys.argv[1:])]))"
    )
    done = elsewhere.run("-c", code, *RESOURCES)
    assert done.returncode == 0, done.stderr.decode()
    place, *texts = json.loads(done.stdout)
    assert place.startswith(str(wheel)) == zipped
    assert texts == [(ROOT / name).read_text(encoding="utf-8") for name in RESOURCES]


@pytest.mark.parametrize("content", [b"", b'{"name": ', b"\xff\xfe\x00", b"[]"])
def test_a_broken_document_is_a_diagnostic_and_writes_nothing(elsewhere: Elsewhere, content: bytes) -> None:
    (elsewhere.work / "broken.json").write_bytes(content)
    done = elsewhere.kade2kfp("compile", "broken.json", "-o", "out.yaml")
    assert done.returncode == 1
    assert b"broken.json" in done.stdout + done.stderr
    assert b"Traceback" not in done.stdout + done.stderr
    assert [path.name for path in elsewhere.work.iterdir()] == ["broken.json"]


@pytest.mark.parametrize("arguments", [["no-such-command"], ["compile", "--no-such-flag", "x.json"]])
def test_wrong_usage_exits_2(elsewhere: Elsewhere, arguments: list[str]) -> None:
    done = elsewhere.kade2kfp(*arguments)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_a_file_that_is_not_there_is_no_traceback(elsewhere: Elsewhere) -> None:
    done = elsewhere.kade2kfp("validate", "absent.json")
    assert done.returncode in {1, 2}
    assert b"absent.json" in done.stdout + done.stderr
    assert b"Traceback" not in done.stdout + done.stderr
