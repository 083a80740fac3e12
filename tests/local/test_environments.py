from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import packaging
import pytest

from kade2kfp.local import bubblewrap
from kade2kfp.local.environments import environment, python_mounts, python_version
from kade2kfp.local.environments.errors import EnvironmentCancelledError, EnvironmentFailedError, explain, mask
from kade2kfp.local.environments.settings import settings

sys.path.insert(0, str(Path(__file__).parent))
from wheels import sdist, wheel

ROOT = Path(__file__).parents[2]
UV = shutil.which("uv")
needs_box = pytest.mark.skipif(bool(bubblewrap.works()), reason=bubblewrap.works() or "boxes work")
ASK = """
import sys, threading
from pathlib import Path
from kade2kfp.local.environments import environment
print(environment(Path(sys.argv[1]), sys.argv[2:], log=2, cancelled=threading.Event()))
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter and write to; pytest's own are closed to others, and again by each pytest."""
    made = Path(tempfile.mkdtemp(prefix="environments-"))
    made.chmod(0o777)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def wheels(folder: Path) -> Path:
    made = folder / "wheels"
    made.mkdir()
    return made


def variables(wheels: Path, **more: str) -> dict[str, str]:
    """The environment of a caller without uv, whose packages lie in `wheels` only."""
    return {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), **more}


def make(home: Path, *requirements: str, environ: dict[str, str]) -> tuple[Path, str]:
    """An environment and its log."""
    with open(home.parent / "log", "w+b") as log:
        try:
            made = environment(home, requirements, log=log.fileno(), cancelled=threading.Event(), environ=environ)
        finally:
            log.seek(0)
            text = log.read().decode()
            (home.parent / "said").write_text(text)
    return made, text


def python_in_box(made: Path, code: str) -> str:
    """What a program of the environment prints in a box that sees it read-only."""
    arguments = [*bubblewrap.ISOLATION, *bubblewrap.root_arguments()]
    for bind in python_mounts():
        arguments += ["--ro-bind", str(bind.source), bind.path]
    handle = bubblewrap.arguments_file([*arguments, "--ro-bind", str(made), str(made)])
    try:
        command = [str(bubblewrap.bwrap_path()), "--args", str(handle), "--", str(made / "bin/python"), "-c", code]
        return subprocess.run(command, pass_fds=(handle,), capture_output=True, text=True, check=True).stdout
    finally:
        os.close(handle)


def ask(home: Path, *requirements: str, environ: dict[str, str], user: int | None = None) -> subprocess.Popen[str]:
    """Another process that wants an environment."""
    python = sys.executable
    if user is not None:
        python = python_for(user)
    paths = f"{ROOT}:{Path(packaging.__file__).parents[1]}"
    return subprocess.Popen(
        [python, "-c", ASK, str(home), *requirements],
        env=environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        user=user,
        group=user,
        extra_groups=[] if user is not None else None,
        start_new_session=True,
    )


def python_for(user: int) -> str:
    """A Python that this user may run, '' where there is none: ours may lie in root's home."""
    for python in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        code = "import sys; sys.exit(sys.version_info < (3, 11))"
        try:
            done = subprocess.run([python, "-c", code], user=user, group=user, extra_groups=[], cwd="/")
        except OSError:
            continue
        if done.returncode == 0:
            return python
    return ""


def until(true: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def processes_with(word: str) -> list[str]:
    """Processes that have `word` among their arguments."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and word in (entry / "cmdline").read_bytes().decode(errors="replace"):
                found.append(entry.name)
        except OSError:
            continue
    return found


@needs_box
def test_packages_can_be_imported_in_a_box_and_are_installed_once(folder: Path, wheels: Path) -> None:
    wheel(wheels, "hand_made", "1.5", "VALUE = 42\n", requires="other>=2")
    wheel(wheels, "other", "2.1", "VALUE = 43\n")
    made, log = make(folder / "home", "other", "Hand.Made >=1, <2", environ=variables(wheels))
    assert "Successfully installed hand" in log
    code = (
        "import hand_made, other, sys; print(hand_made.VALUE, other.VALUE, hand_made.__cached__); sys.stdout.flush()\n"
    )
    values = python_in_box(made, code + "open(hand_made.__file__)\nprint(sys.prefix)").split()
    assert values[:2] == ["42", "43"]
    # Bound read-only later, Python could not write it then.
    assert Path(values[2]).exists()
    assert values[3] == str(made)
    shutil.rmtree(wheels)
    again = make(folder / "home", "hand-made<2,>=1", "OTHER", "other", environ=variables(wheels))
    assert again == (made, "")
    left = sorted(entry.name for entry in made.parent.iterdir())
    assert left == [f".lock-{made.name}", made.name]


@needs_box
def test_two_that_want_one_environment_at_once(folder: Path, wheels: Path) -> None:
    """As a user who is not root, where the tests may become one; as root they are made in most of these tests."""
    user = None if os.getuid() else 1000
    if user and not python_for(user):
        user = None
    wheel(wheels, "one", "1.0", "VALUE = 1\n")
    both = [ask(folder / "home", "one", environ=variables(wheels), user=user) for _ in range(2)]
    said = [one.communicate(timeout=300) for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert said[0][0] == said[1][0] != ""
    assert sorted("Successfully installed" in log for _, log in said) == [False, True]
    python = Path(said[0][0].strip()) / "bin/python"
    ran = subprocess.run([python, "-c", "import one; print(one.VALUE)"], capture_output=True, user=user, group=user)
    assert ran.stdout == b"1\n", ran.stderr


@needs_box
def test_what_a_killed_maker_left_is_never_used_and_goes(folder: Path, wheels: Path) -> None:
    sdist(wheels, "slow", "import time\ndef probe():\n    time.sleep(600)\n")
    home = folder / "home"
    asking = ask(home, "slow", environ=variables(wheels))
    until(lambda: list(home.glob("environments/.making-*/environment/bin/python")))
    left = next(home.glob("environments/.making-*"))
    until(lambda: processes_with(str(left.parent)))
    asking.send_signal(signal.SIGKILL)
    asking.communicate(timeout=60)
    until(lambda: not processes_with(str(left.parent)))
    assert left.exists()
    made, _ = make(home, environ=variables(wheels))
    assert [entry.name for entry in made.parent.iterdir() if not entry.name.startswith(".lock")] == [made.name]
    assert python_in_box(made, "print(1)") == "1\n"


PROBE = """
import os, subprocess
def probe():
    found = []
    for path in {hidden!r}:
        if os.path.exists(path):
            found.append("sees " + path)
    for path in {closed!r}:
        try:
            open(os.path.join(path, "written"), "w").close()
        except OSError:
            continue
        found.append("writes " + path)
    open("/tmp/here", "w").close()
    open(os.path.expanduser("~/here"), "w").close()
    return "FOUND = " + repr(found) + "\\nHOME = " + repr(os.environ["HOME"]) + "\\n"
"""


@needs_box
def test_a_build_sees_no_home_and_writes_nothing_outside(folder: Path, wheels: Path) -> None:
    user_home = folder / "person"
    (user_home / ".ssh").mkdir(parents=True)
    (user_home / ".ssh/id").write_text("key")
    kade = user_home / ".local/share/kade2kfp"
    (kade / "runs/old").mkdir(parents=True)
    hidden = [str(user_home / ".ssh"), str(kade / "runs"), "/root/.ssh", "/run", "/var/run", "/home/person"]
    closed = ["/", "/usr", "/etc", "/opt", str(wheels), *[bind.path for bind in python_mounts()]]
    sdist(wheels, "curious", PROBE.format(hidden=hidden, closed=closed))
    # Whoever names the whole home as a place of packages does not open it.
    environ = variables(wheels, HOME=str(user_home), PIP_FIND_LINKS=f"{wheels} {user_home}", SECRET="hunter2")
    made, _ = make(kade, "curious", environ=environ)
    said = python_in_box(made, "import curious; print(curious.FOUND, curious.HOME)")
    assert said == "[] /home/kade2kfp\n"
    # Its own writes are gone; neither home has them.
    assert sorted(path.name for path in user_home.iterdir()) == [".local", ".ssh"]
    assert [path.name for path in made.parent.iterdir() if path.name.startswith(".making")] == []


@needs_box
def test_a_build_that_fails_is_told_without_the_password(folder: Path, wheels: Path) -> None:
    probe = "import os\ndef probe():\n    print(os.environ['PIP_EXTRA_INDEX_URL'], 'hunter' + '2')\n    raise OSError('no compiler')\n"
    sdist(wheels, "broken", probe)
    environ = variables(wheels, PIP_EXTRA_INDEX_URL="https://ada:hunter2@index.invalid/simple")
    with pytest.raises(EnvironmentFailedError) as failed:
        make(folder / "home", "broken", environ=environ)
    assert str(failed.value) == "a package cannot be built from its source"
    said = (folder / "said").read_text()
    assert "no compiler" in said
    assert "***" in said
    assert "hunter2" not in said + "".join(failed.value.tail)
    assert failed.value.tail
    assert [path.name[:6] for path in (folder / "home/environments").iterdir()] == [".lock-"]


@needs_box
def test_a_caller_that_cancels_leaves_nothing(folder: Path, wheels: Path) -> None:
    cancelled = threading.Event()
    home = folder / "home"
    raised: list[BaseException] = []

    def asked() -> None:
        try:
            environment(home, [], log=None, cancelled=cancelled, environ=variables(wheels))
        except EnvironmentCancelledError as error:
            raised.append(error)

    thread = threading.Thread(target=asked)
    thread.start()
    until(lambda: list(home.glob("environments/.making-*/environment/bin/python")))
    cancelled.set()
    thread.join(timeout=20)
    assert len(raised) == 1
    assert processes_with(str(home)) == []
    assert [path.name[:6] for path in (home / "environments").iterdir()] == [".lock-"]
    # The same of one that waits for another maker.
    lock = next((home / "environments").iterdir())
    with open(lock) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(EnvironmentCancelledError):
            environment(home, [], log=None, cancelled=cancelled, environ=variables(wheels))


@needs_box
def test_a_full_disk(folder: Path, wheels: Path) -> None:
    home = folder / "home"
    home.mkdir()
    script = f'mount -t tmpfs -o size=3m none {home} && exec {sys.executable} -c "$0" {home}'
    unshare = ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    if not shutil.which("unshare") or subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no mounts can be made here")
    env = variables(wheels) | {"PYTHONPATH": f"{ROOT}"}
    done = subprocess.run([*unshare, "sh", "-c", script, ASK], env=env, capture_output=True, text=True, timeout=120)
    assert "EnvironmentFailedError: no space is left on the disk" in done.stderr


@needs_box
@pytest.mark.skipif(UV is None, reason="uv is not on PATH")
def test_uv_installs_where_it_is_on_the_path(folder: Path, wheels: Path) -> None:
    wheel(wheels, "one", "1.0", "VALUE = 1\n")
    environ = {"PATH": f"{Path(str(UV)).parent}:/usr/bin", "UV_OFFLINE": "1", "UV_FIND_LINKS": str(wheels)}
    made, log = make(folder / "home", "one", environ=environ)
    assert "+ one==1.0" in log
    assert python_in_box(made, "import one, os; print(one.VALUE, os.path.exists(one.__cached__))") == "1 True\n"
    assert not (made / ".uv-cache").exists()
    with pytest.raises(EnvironmentFailedError, match="no version of nosuch can be had"):
        make(folder / "home", "nosuch", environ=environ)


@pytest.mark.parametrize("text", ["-r/etc/passwd", "--index-url=http://x", "./here", "a b", "", "x @ ", "a\n-e ."])
def test_what_is_no_requirement_is_no_option(tmp_path: Path, text: str) -> None:
    with pytest.raises(EnvironmentFailedError, match="is not a Python package"):
        environment(tmp_path, [text], log=None, cancelled=threading.Event())
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFailedError, match="not a directory"):
        environment(tmp_path / "file", [], log=None, cancelled=threading.Event())


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            (
                "WARNING: Retrying ... NewConnectionError('Failed to establish a new connection: [Errno -3] Temporary"
                " failure in name resolution')': /simple/six/",
                "ERROR: No matching distribution found for six",
            ),
            "the package index cannot be reached",
        ),
        (("ERROR: No matching distribution found for six==99",), "no version of six==99 can be had for this Python"),
        (
            ("  × No solution found", "  ╰─▶ Because nosuch was not found in the", "      package registry and you"),
            "no version of nosuch can be had for this Python",
        ),
        (("ERROR: ResolutionImpossible: for help visit",), "the packages' versions exclude each other"),
        (("OSError: [Errno 28] No space left on device",), "no space is left on the disk"),
        (("error: HTTP status client error (401 Unauthorized)",), "the package index refuses access"),
        ((), "the installer ended with code 2"),
    ],
)
def test_why_an_installer_failed(lines: tuple[str, ...], message: str) -> None:
    error = explain(lines, 2)
    assert (str(error), error.tail) == (message, lines)
    assert error.help


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("get https://ada:pw@host/x, http://t0ken@h:80/", "get https://***@host/x, http://***@h:80/"),
        ("https://ada:p@ss@host/a@b", "https://***@host/a@b"),
        ("it is s3cret", "it is ***"),
        ("six @ https://host/six.whl mail a@b", "six @ https://host/six.whl mail a@b"),
    ],
)
def test_no_password_is_shown(line: str, shown: str) -> None:
    assert mask(line, ("s3cret",)) == shown


def test_settings_of_pip_and_uv_that_pass_and_those_that_do_not(tmp_path: Path) -> None:
    home = tmp_path / "person"
    (home / ".config/pip").mkdir(parents=True)
    (home / "my wheels").mkdir()
    certificate = tmp_path / "ca.pem"
    certificate.touch()
    (home / ".config/pip/pip.conf").write_text(
        f"[global]\ncache-dir = {home}\nindex-url = https://ada:hunter2@host/simple\nfind-links =\n    {certificate}\n"
    )
    environ = {
        "HOME": str(home),
        "AWS_SECRET_ACCESS_KEY": "no",
        "PIP_TARGET": "/elsewhere",
        "PIP_FIND_LINKS": f"file://{home}/my%20wheels {home}",
        "UV_PUBLISH_TOKEN": "no",
        "UV_CACHE_DIR": "/elsewhere",
        "UV_INDEX_MINE_PASSWORD": "s3cret",
        "https_proxy": "http://bob:pr%40xy@proxy:1",
    }
    given = settings(environ, [home])
    assert set(given.env) == {"PIP_FIND_LINKS", "UV_INDEX_MINE_PASSWORD", "https_proxy"}
    shown = {bind.path: str(bind.source) for bind in given.binds if not bind.path.startswith("/etc/")}
    assert shown == {
        str(home / "my wheels"): str(home / "my wheels"),
        str(certificate): str(certificate),
        "/home/kade2kfp/.config/pip/pip.conf": str(home / ".config/pip/pip.conf"),
    }
    assert all(bind.read_only for bind in given.binds)
    assert {"hunter2", "s3cret", "pr%40xy", "pr@xy"} <= set(given.secrets)
    # A private index that only pip knows of: uv would ask the public one.
    assert given.only_pip
    assert not settings(environ | {"UV_DEFAULT_INDEX": "https://host/simple"}, [home]).only_pip


def test_the_notice_names_the_python() -> None:
    assert python_version().split()[1] == ".".join(str(part) for part in sys.version_info[:3])
