"""A box as options of `docker create` and `podman create`, which have the same ones; and secret files kept in memory."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from kade2kfp.local.engine import Bind, Box, CannotStartError, Empty, Files, Limits

MEMORY_PREFIX = "kade2kfp-secret-"
# Kubernetes' names of variables (IsEnvVarName of apimachinery/pkg/util/validation/validation.go).
_NAME = re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]*")
# What the clients, their plugins and their libraries may read: such a variable must not be set for the client itself.
_CLIENTS_OWN = re.compile(
    r"(PATH|HOME|USER|SHELL|TERM|LANG|LANGUAGE|TZ|TMPDIR|IFS|ENV|BASH.*|.*_PROXY"
    r"|(_?CONTAINERS?|DOCKER|PODMAN|BUILDAH|BUILDKIT|REGISTRY|STORAGE|COMPOSE|OTEL|NETAVARK|XDG|DBUS|GNUPG|GPG|SSH|SSL"
    r"|SYSTEMD|NOTIFY|LISTEN|LD|LC|GO|GLIBC|MALLOC|GCONV|LOCPATH|NLSPATH|RES|HOSTALIASES|AWS|GOOGLE|AZURE|KUBE).*)",
    re.IGNORECASE,
)
# Both clients read an --env-file by lines of at most 64 KiB (Go's bufio.MaxScanTokenSize).
_LONGEST_LINE = 60_000
_LEAST_MEMORY = 6 << 20


@dataclass(frozen=True, slots=True)
class Variables:
    """How variables reach the client: some as lines of an --env-file, the others by name from its own environment."""

    lines: bytes
    client: Mapping[str, str]


def variables(env: Mapping[str, str]) -> Variables:
    """Part variables by how their values reach the client; neither way shows one in a list of processes.

    An --env-file is the rule, since the client does not read it as its own environment. It has no way to write line
    ends, and newer clients of docker take off quotes around a value (docker/cli, pkg/kvfile/kvfile.go): such values go
    through the client's environment.

    Raises CannotStartError for a name that is none, and for a value that can go neither way.
    """
    lines, client = [], {}
    for name, value in env.items():
        if not _NAME.fullmatch(name) or "\0" in value:
            raise CannotStartError(f"{name!r} cannot be a variable of a container, or its value cannot be one's")
        line = f"{name}={value}".encode("utf-8", "surrogateescape")
        if not re.search(r"[\r\n]", value) and value[:1] not in ("'", '"') and len(line) < _LONGEST_LINE:
            lines.append(line + b"\n")
        elif _CLIENTS_OWN.fullmatch(name):
            raise CannotStartError(
                f"the variable {name} cannot have a value of several lines, in quotes, or this long",
                "the engine's own command reads a variable of that name: give it another name",
            )
        else:
            client[name] = value
    return Variables(b"".join(lines), client)


def mount_options(box: Box, label: str, podman: bool, stack: ExitStack) -> Iterator[str]:
    """The options for the mounts of a box; folders that stand for them are made, in memory where they hold secrets.

    Args:
        box: the box; folders for `Empty` are made in its scratch as `empty-N`, N the mount's number.
        label: part of the name of what is made in memory.
        podman: whether the options are for podman.
        stack: gets what removes the folders in memory.

    Raises CannotStartError, OSError.
    """
    for number, mount in enumerate(box.mounts):
        match mount:
            case Bind(source, path, read_only):
                if not read_only:
                    open_to_all(source)
                yield bind_option(source, path, read_only)
            case Empty(path, True, size):
                # The engines' default is noexec, Kubernetes' is not; podman would copy what the image has there.
                options = ["rw", "exec", "mode=1777", *([f"size={size}"] if size else [])]
                yield f"--tmpfs={path}:{','.join(options + (['notmpcopyup'] if podman else []))}"
            case Empty(path):
                folder = box.scratch / f"empty-{number}"
                folder.mkdir()
                open_to_all(folder)
                yield bind_option(folder, path)
            case Files(path, contents):
                yield bind_option(_in_memory(contents, label, stack), path, read_only=True)


def bind_option(source: Path, path: str, read_only: bool = False) -> str:
    """The option for one file or folder. It is a line of CSV to both clients, so any path can be written."""
    line = io.StringIO()
    fields = ["type=bind", f"source={source.absolute()}", f"target={path}", *(["readonly"] if read_only else [])]
    csv.writer(line, lineterminator="").writerow(fields)
    return f"--mount={line.getvalue()}"


def open_to_all(folder: Path) -> None:
    """Let every user write to a folder, as kubelet does for an emptyDir: the image says which user a container has."""
    status = folder.stat()
    if folder.is_dir() and os.geteuid() in (0, status.st_uid):
        folder.chmod(status.st_mode & 0o7777 | 0o777)


def limit_options(limits: Limits, podman: bool, cpus: int, memory: bool) -> Iterator[str]:
    """The options for limits: `cpus` is how many the engine has (0: it cannot limit them), `memory` whether it can."""
    if limits.cpus and cpus:
        # Docker refuses more CPUs than there are, Kubernetes does not.
        yield f"--cpus={max(0.01, min(limits.cpus, float(cpus))):.2f}"
    if limits.memory and memory:
        yield f"--memory={max(limits.memory, _LEAST_MEMORY)}b"
    if limits.accelerators:
        yield "--device=nvidia.com/gpu=all" if podman else "--gpus=all"


def memory_folders() -> list[Path]:
    """The folders of this machine that lie in memory and that the user may write to."""
    wanted = [os.environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{os.geteuid()}", "/dev/shm"]
    types = _file_systems()
    found = []
    for path in (Path(one) for one in wanted if one.startswith("/")):
        real = path.resolve()
        around = max((one for one in types if real.is_relative_to(one)), key=lambda one: len(one.parts), default=None)
        if around and types[around] in ("tmpfs", "ramfs") and os.access(real, os.W_OK | os.X_OK) and real not in found:
            found.append(real)
    return found


def _file_systems() -> dict[Path, str]:
    """The type of the file system at each mount point; of several at one, the last, which is the one that is seen."""
    try:
        lines = Path("/proc/self/mounts").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return {}
    rows = [line.split(" ") for line in lines]
    return {Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), row[1])): row[2] for row in rows}


def _in_memory(contents: Mapping[str, bytes], label: str, stack: ExitStack) -> Path:
    bases = memory_folders()
    if not bases:
        raise CannotStartError(
            "there is no folder in memory for the step's secrets", "mount a tmpfs at /dev/shm, or set XDG_RUNTIME_DIR"
        )
    outer = Path(tempfile.mkdtemp(prefix=f"{MEMORY_PREFIX}{label}-", dir=bases[0]))
    stack.callback(shutil.rmtree, outer, ignore_errors=True)
    # The outer folder is for its owner alone; the inner one, which is mounted, for whichever user the container has.
    folder = outer / "files"
    folder.mkdir()
    for name, content in contents.items():
        if "/" in name or "\0" in name or name in ("", ".", ".."):
            raise CannotStartError(f"{name!r} is no name of a file")
        file = folder / name
        file.write_bytes(content)
        file.chmod(0o444)
    folder.chmod(0o755)
    return folder
