"""Packs a Bento, and keeps it as a version of a serving.

    pack.py --name NAME --framework NAME --files DIR --into DIR [--model PATH]... [--keep N]
            [--environment [--require REQ]... [--image IMAGE]]

The files and the models that arrived go to a build folder, the models below its `model/`: one folder becomes `model/`
itself. The user's pack.py, if there is one, runs there (arguments: the models; MODEL: the first, BENTOML_HOME: where
`bentoml.NAME.save_model` saves), then `bentoml build`. What comes out is INTO/VERSION/bento, which needs nothing beside
itself: models that pack.py has saved lie in it. VERSION comes from KADE2KFP_VERSION; a version appears as a whole or not
at all. With --environment the packages lie in INTO/environments/KEY, shared by the versions that need the same ones, and
VERSION/environment links to it. Versions beyond the newest N go, but for those that KADE2KFP_KEEP names.
Exit codes: 0; 1 with one last line that says why; 143 stopped.
Argo and Kubernetes substitute in this text: no doubled brace, no doubled dollar, no dollar before a bracket.
"""

from __future__ import annotations

import sys

# `-c` puts the folder that we start in first, and its files are the user's: one called json.py is not the module.
sys.path.append("")
sys.path.remove("")

import argparse
import errno
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import site
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from os.path import basename, dirname, exists, isdir, isfile, join, realpath
from typing import Any

VERSION = re.compile(r"\d{8}-\d{6}-\w+")
MAKING, DONE = ".making-", ".complete"
DAY = 86400
RAISED = re.compile(r"[A-Za-z_][\w.]*(: .*)?")  # the last line of a traceback
SPACE = "No space left on device"


class PackError(Exception):
    """What a user is told, in one line."""


def say(text: object) -> None:
    """Print one line, without a URL's credentials and without control characters."""
    line = re.sub(r"://[^\s/]*@", "://***@", str(text))
    line = "".join(c if c.isprintable() else " " for c in line)[:600]
    sys.stderr.buffer.write(("kade2kfp: " + line.strip() + "\n").encode("utf-8", "backslashreplace"))
    sys.stderr.flush()


def run(command: list[str], **more: Any) -> tuple[int, list[str]]:
    """Run a command, with what it prints going to the log; its exit code and last lines. Nothing of it goes on after it."""
    tail: deque[str] = deque(maxlen=200)

    def read(pipe: Any) -> None:
        for line in iter(lambda: pipe.readline(65536), b""):
            sys.stdout.buffer.write(line)
            sys.stdout.flush()
            text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line.decode("utf-8", "replace")).rstrip()
            if text:
                tail.append(text)

    more.update(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    process = subprocess.Popen(command, start_new_session=True, **more)
    reader = threading.Thread(target=read, args=(process.stdout,), daemon=True)
    reader.start()
    try:
        code = process.wait()
    finally:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        reader.join(5)
    return code, list(tail)


def copy(source: str, target: str, put: Callable[[str, str], Any], above: tuple[str, ...] = ()) -> None:
    """Put each file below `source` at the same place below `target`; links are followed, but not around in a circle."""
    if isdir(source):
        here = realpath(source)
        if here not in above:
            os.makedirs(target, exist_ok=True)
            for name in sorted(os.listdir(source)):
                copy(join(source, name), join(target, name), put, (*above, here))
    elif isfile(source):  # neither a pipe nor a link that leads nowhere
        put(source, target)


def put_file(source: str, target: str) -> None:
    """Copy a file so that others can read it, whoever could read the first one."""
    shutil.copyfile(source, target)
    if os.access(source, os.X_OK):
        with suppress(OSError):
            mode = os.stat(target).st_mode
            os.chmod(target, mode | (mode & 0o444) >> 2)


def put_link(source: str, target: str) -> None:
    """A link in the place of a file: bentoml copies what it packs three times, and a link costs nothing."""
    with suppress(FileExistsError):
        os.symlink(realpath(source), target)


def place_models(models: list[str], folder: str, put: Callable[[str, str], Any]) -> list[str]:
    """Bring the models that arrived below `folder`; where each lies now."""
    for path in models:
        if not exists(path) or (isdir(path) and not os.listdir(path)):
            raise PackError(f"no model arrived at {path}: has the task that the arrow comes from written it?")
    if len(models) == 1 and isdir(models[0]):
        copy(models[0], folder, put)
        return [folder]
    placed: list[str] = []
    for path in models:
        target = join(folder, basename(path.rstrip("/")))
        if target in placed:
            raise PackError(f"two models are called {basename(target)}: let the arrows end at paths of different names")
        placed.append(target)
        os.makedirs(folder, exist_ok=True)
        copy(path, target, put)
    return placed


def prepare(build: str, models: list[str], python: str, env: dict[str, str]) -> None:
    """Run the user's pack.py."""
    say("runs pack.py")
    given = dict(env, PYTHONUNBUFFERED="1", **({"MODEL": models[0]} if models else {}))
    code, tail = run([python, "pack.py", *models], cwd=build, env=given)
    if code:
        if any(SPACE in line for line in tail):
            raise PackError(f"pack.py failed: the disk is full, that of {tempfile.gettempdir()} or where it writes")
        said = f"failed with code {code}: {tail[-1] if tail else 'it printed nothing'}"
        raise PackError("pack.py " + (f"was ended by signal {-code}; did the memory suffice?" if code < 0 else said))


def why(tail: list[str], build: str) -> str:
    """What made `bentoml build` fail, from the last that it printed."""
    text = "\n".join(tail)
    if re.search(r"No module named '?bentoml'?\s*\Z", text):
        return "there is no BentoML: add bentoml to packagesToInstall, or take an image that has it"
    if SPACE in text:
        return f"the disk of {tempfile.gettempdir()} is full: give the task more ephemeral-storage"
    if "Failed to lock PyPI packages" in text:
        return "bentoml could not lock the versions of the packages (see above): write `lock_packages: false` below `python` in bentofile.yaml, or let it reach the index"
    found = re.search(r'Attribute "(.+?)" not found in module "(.+?)"', text)
    if found:
        return f"bentofile.yaml names the service {found[1]}, which {found[2]}.py does not have"
    found = re.search(r"Failed to import module \"(.+?)\": (.*)", text)
    if found:
        missing = re.match(r"No module named '(.+?)'", found[2])
        if missing and missing[1] == found[1].split(".")[0]:
            return f"bentofile.yaml names the module {found[1]}, which is not among the files"
        hint = ": add its package to packagesToInstall" if missing else ""
        return f"{found[1]}.py cannot be imported: {found[2]}{hint}"
    found = re.search(
        r"(No service found in the module .*)|Multiple (`bentoml.Service` instances found in module \"\w+\")", text
    )
    if found:
        return f"bentofile.yaml names no one service: {found[1] or found[2]}; write `service: MODULE:CLASS`"
    found = re.search(r"Extra fields in constructor for \w+: (.*)", text)
    if found:
        return f"bentofile.yaml has fields that BentoML does not know: {found[1]}"
    lines = text[text.rfind("Traceback (most recent call last)") :].splitlines()
    raised = [line for line in lines[1:] if RAISED.fullmatch(line)]
    if raised and lines[0].startswith("Traceback"):
        # What was raised may have several lines; its class is in the first.
        message = next((line for line in raised if ": " in line), raised[0])
        own = re.findall(r'File "(.+?)", line (\d+)', "\n".join(lines))
        own = [(name[len(build) + 1 :], at) for name, at in own if name.startswith(build + "/")]
        if own:
            return f"{own[0][0]} cannot be imported: {message} ({own[-1][0]}, line {own[-1][1]})"
        if "yaml." in message:
            return f"bentofile.yaml is no YAML: {lines[-1].strip()}"
        return f"bentoml build failed: {message}"
    return f"bentoml build failed: {tail[-1] if tail else 'it printed nothing'}"


def variables(work: str, store: str, python: str) -> dict[str, str]:
    """The environment of pack.py and of bentoml."""
    env = {name: value for name, value in os.environ.items() if name not in ("BENTOML_PORT", "BENTOML_HOST")}
    env.update(BENTOML_HOME=store, BENTOML_DO_NOT_TRACK="True", TMPDIR=work)
    env["PATH"] = dirname(python) + os.pathsep + env.get("PATH", os.defpath)
    # uv, which bentoml locks with, does not read what pip does.
    for pip, uv in (("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), ("PIP_EXTRA_INDEX_URL", "UV_INDEX")):
        if pip in env:
            env.setdefault(uv, env[pip])
    if not os.access(env.get("HOME") or "/", os.W_OK):
        env["HOME"] = work
    return env


def build_bento(options: argparse.Namespace, work: str, python: str, version: str, into: str) -> None:
    """Build the Bento in `work`, and put it into the folder `into`."""
    build, store, model = join(work, "build"), join(work, "store"), join(work, "build", "model")
    copy(options.files, build, put_file)
    os.mkdir(store)
    env = variables(work, store, python)
    if isfile(join(build, "pack.py")):
        # It may change its files, but not those of the task that has made them.
        prepare(build, place_models(options.model, model, put_file), python, env)
        if isdir(model):
            os.rename(model, join(work, "model"))
            copy(join(work, "model"), model, put_link)
    else:
        place_models(options.model, model, put_link)
    if not isfile(join(build, "bentofile.yaml")):
        raise PackError("bentofile.yaml is not among the files")
    say("builds the Bento")
    # Beside the build folder: in it, `-m` would take modules of the user's for others. BentoML reads below us only.
    words = [python, "-m", "bentoml", "build", "--version", version, "--name", options.name]
    words += ["--label", "framework=" + options.framework, "--output", "tag", build]
    code, tail = run(words, cwd=work, env=env)
    if code:
        raise PackError(why(tail, build))
    made = join(store, "bentos", options.name, version)
    if not isfile(join(made, "bento.yaml")):
        raise PackError("bentoml build has left no Bento; does service.py end the program?")
    copy(made, into, put_file)
    # A Bento with a folder `models` takes its models from there, and from nowhere else (bentoml's service/loader.py).
    if isdir(join(store, "models")) and os.listdir(join(store, "models")):
        copy(join(store, "models"), join(into, "models"), put_file)


@contextmanager
def lock(into: str, key: str) -> Iterator[str]:
    """Be the only one who makes or removes an environment; its folder."""
    folder = join(into, "environments")
    os.makedirs(folder, exist_ok=True)
    with open(join(folder, ".lock-" + key), "w") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Some network file systems have no locks: then two may be at it at once, which is seldom.
            if error.errno in (errno.EACCES, errno.EAGAIN):
                say("waits for another task that installs the same packages")
                fcntl.lockf(file, fcntl.LOCK_EX)
        yield join(folder, key)


def environment(options: argparse.Namespace, key: str) -> None:
    """Make the virtual environment of that key, unless it is there: at its place, for it cannot be moved."""
    with lock(options.into, key) as folder:
        if not exists(join(folder, DONE)):
            shutil.rmtree(folder, ignore_errors=True)
            install(folder, options.require)
            with open(join(folder, DONE), "w"):
                pass


def install(folder: str, requirements: list[str]) -> None:
    """Make a virtual environment with packages, on top of those that the image has."""
    say("installs " + " ".join(requirements))
    has_pip, has_own = (importlib.util.find_spec(name) is not None for name in ("pip", "ensurepip"))
    if not (has_pip or has_own):
        raise PackError("the image's python3 has no pip: take an image that has, such as python:3.11-slim")
    words = [sys.executable, "-m", "venv", "--system-site-packages", *(["--without-pip"] if has_pip else []), folder]
    code, tail = run(words)
    if code:
        raise PackError(f"no Python environment could be made: {tail[-1] if tail else code}")
    if sys.prefix != sys.base_prefix:
        # Ours is a virtual environment itself, of which another one would see nothing.
        found = join(folder, "lib", f"python{sys.version_info[0]}.{sys.version_info[1]}", "site-packages")
        with open(join(found, "image.pth"), "w") as file:
            file.write("".join(path + "\n" for path in site.getsitepackages()))
    words = [join(folder, "bin", "python3"), "-m", "pip", "install", "--no-cache-dir", "--no-input"]
    code, tail = run([*words, "--disable-pip-version-check", "--", *requirements], env=dict(os.environ, PIP_USER="0"))
    if code:
        if any(SPACE in line for line in tail):
            raise OSError(errno.ENOSPC, "", folder)
        wrong = [line for line in tail if line.startswith("ERROR: ")] or tail or [f"code {code}"]
        raise PackError("the packages could not be installed: " + wrong[-1].replace("ERROR: ", "", 1))


def clean(into: str, version: str, keep: int) -> None:
    """Remove what is needed no more; what cannot be removed stays."""
    named = {version, *os.environ.get("KADE2KFP_KEEP", "").split()}
    versions = sorted(name for name in os.listdir(into) if VERSION.fullmatch(name))
    for name in versions[: -max(keep, 1)]:
        if name not in named:
            say(f"removes the version {name}")
            # Under another name first: a version is there as a whole or not at all.
            with suppress(OSError):
                os.rename(join(into, name), join(into, MAKING + name))
                shutil.rmtree(join(into, MAKING + name), ignore_errors=True)
    for name in os.listdir(into):
        left = join(into, name)
        if name.startswith(MAKING) and time.time() - os.lstat(left).st_mtime > DAY:
            shutil.rmtree(left, ignore_errors=True)
    folder = join(into, "environments")
    for key in os.listdir(folder) if isdir(folder) else ():
        if exists(join(folder, key, DONE)) and key not in needed(into):
            with lock(into, key) as unused:
                # Who wants it has said so before asking for the lock.
                if key not in needed(into):
                    os.unlink(join(unused, DONE))
                    shutil.rmtree(unused, ignore_errors=True)


def needed(into: str) -> set[str]:
    """The environments that versions link to, also those that are in the making."""
    found = set()
    for name in os.listdir(into):
        try:
            found.add(basename(os.readlink(join(into, name, "environment"))))
        except OSError:  # it has none
            if name.startswith(MAKING) and not exists(join(into, name)):
                # It has become a version meanwhile, which may not be among the names.
                return needed(into)
    return found


def make(options: argparse.Namespace, version: str, work: str, making: str) -> None:
    """Make the version in the folder `making`, then let it appear."""
    python = sys.executable
    os.makedirs(making)
    if options.environment:
        # What the image has is not installed once more, so the environment serves with no other image.
        has = sorted(f"{one.metadata['Name']}=={one.version}" for one in metadata.distributions())
        made_of = [options.image, sorted(options.require), sys.version, sys.prefix, os.uname().machine, has]
        key = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:24]
        # First of all: who cleans up sees by it that the environment is needed.
        os.symlink(join("..", "environments", key), join(making, "environment"))
        environment(options, key)
        python = join(options.into, "environments", key, "bin", "python3")
    build_bento(options, work, python, version, join(making, "bento"))
    os.rename(making, join(options.into, version))


def read_options(argv: list[str]) -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(prog="pack.py", allow_abbrev=False)
    for name in ("--name", "--framework", "--files", "--into"):
        parser.add_argument(name, required=True)
    for name in ("--model", "--require"):
        parser.add_argument(name, action="append", default=[])
    parser.add_argument("--environment", action="store_true")
    parser.add_argument("--image", default="")
    parser.add_argument("--keep", type=int, default=6)
    options = parser.parse_args(argv)
    options.into = realpath(options.into)
    return options


def main(argv: list[str]) -> int:
    """Do the whole, and return the exit code."""
    sys.path[:] = filter(None, sys.path)
    options = read_options(argv)
    version = os.environ.get("KADE2KFP_VERSION", "")
    os.umask(0o022)
    work, making = "", join(options.into, MAKING + version)
    try:
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", version):
            raise PackError("KADE2KFP_VERSION is no version")
        if exists(join(options.into, version)) or exists(making):
            raise PackError(f"the version {version} is there already")
        try:
            # Short: sockets may be made below.
            work = realpath(tempfile.mkdtemp(prefix="pack-"))
            make(options, version, work, making)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
        clean(options.into, version, options.keep)
        say(f"packed the version {version}")
        return 0
    except PackError as error:
        say(error)
    except OSError as error:
        at = error.filename2 or error.filename or ""
        if error.errno in (errno.ENOSPC, errno.EDQUOT) and at.startswith(options.into):
            say("the volume of the serving is full: give it more room")
        elif error.errno in (errno.ENOSPC, errno.EDQUOT):
            say(f"the disk of {tempfile.gettempdir()} is full: give the task more ephemeral-storage")
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            say(f"{at}: {error.strerror} for user {os.getuid()}; does securityContext.runAsUser fit the volume?")
        else:
            say(f"{at or 'the disk'}: {error.strerror or error}")
    finally:
        if work:
            shutil.rmtree(work, ignore_errors=True)
    return 1


def stop(number: int, frame: Any) -> None:
    """Go, cleaning up; at the first signal only."""
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


if __name__ == "__main__":
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, stop)
    sys.exit(main(sys.argv[1:]))
