"""The box of a step: what of the run it sees at which path, its command and its environment."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from kade2kfp.local.engine import Bind, Box, Empty, Files, Limits
from kade2kfp.local.gates.standing import Opening
from kade2kfp.local.inside import LinkError, folder_inside
from kade2kfp.local.places import IN, OUT, Known, LocalPlaces, output_names
from kade2kfp.local.secrets import MISSING, Objects, problem
from kade2kfp.local.text import value_text
from kade2kfp.resources import read_text
from kade2kfp.steps.command import container_command, plain_env
from kade2kfp.steps.model import Claim, Plan, Step
from kade2kfp.steps.parts import ArtifactOutput, ClaimMount, EmptyDirMount, EnvFrom, SecretMount
from kade2kfp.steps.quantity import parse as amount
from kade2kfp.steps.sources import Arrived, Text
from kade2kfp.tasks.gates import GATE

_NOT_ROOT = 1000
"""The user of a step that says only that it does not run as root."""


class CannotRunError(Exception):
    """The step cannot be run as it is; the text says why, `help` what to do, `code` which diagnostic it is."""

    def __init__(self, code: str, message: str, help: str = "") -> None:
        super().__init__(message)
        self.code, self.help = code, help


@dataclass(frozen=True, slots=True)
class Ground:
    """What all boxes of a run stand on: the plan, the run's folder, where claims lie, secrets and config maps.

    `claims` are folders of this machine by the document's volume id; the others lie below `volumes` by claim name.
    `readable` are folders whose files a step may read by file://, but for what is hidden in them, or `private`: files and
    folders.
    """

    plan: Plan
    folder: Path
    volumes: Path
    objects: Objects
    claims: Mapping[str, Path] = field(default_factory=dict)
    readable: tuple[Path, ...] = ()
    private: tuple[Path, ...] = ()


def text_of(text: Text, known: Known) -> str:
    """A text with its values; one that holds no place of an artifact."""
    return "".join(
        part if isinstance(part, str) else value_text(known.value(part))
        for part in text
        if not isinstance(part, Arrived)
    )


def box_of(
    step: Step,
    ground: Ground,
    known: Known,
    inputs: Mapping[str, Path],
    *,
    scratch: Path,
    python: Path | None,
    opened: Opening | None = None,
) -> Box:
    """The box for an attempt of a step.

    Args:
        step: the step; its packages are in `python` already where that is given.
        ground: what all boxes of the run stand on.
        known: the values so far.
        inputs: where the artifacts lie, by the names of the step's inputs; those that nobody wrote are left out.
        scratch: an empty folder of the attempt's own.
        python: the virtual environment, for engines without images.
        opened: how the step is reached while it runs, where somebody may want to.

    Raises:
        CannotRunError: a secret, a config map or a claim is not to be had.
    """
    places = LocalPlaces(step, known, opened.ports if opened else {})
    serving = _with_file_allowed(replace(step, requirements=()) if python else step, known)
    command, args = container_command(serving, places)
    limits = step.resources
    user = step.security.run_as_user
    if user is None and step.security.run_as_non_root:
        user = _NOT_ROOT
    found = [
        *_mounts(step, ground, known, opened),
        *_handed_over(step, inputs, scratch),
        *_readable(step, ground, known),
    ]
    mounts = tuple(sorted(found, key=lambda mount: mount.path.count("/")))
    _make_points(mounts)
    return Box(
        name=step.name,
        image=text_of(step.image, known),
        command=(*_finishing(step, places, mounts, images=python is None), *command, *args),
        env=dict(_environment(step, ground, known)) | ({"KFP_POD_UID": opened.pod} if opened else {}),
        mounts=mounts,
        scratch=scratch,
        user=user,
        group=step.security.run_as_group,
        hostname=f"local-{step.name}"[:63].rstrip("-"),
        limits=Limits(
            float(amount(text_of(limits.cpu_limit, known))) if limits.cpu_limit else None,
            int(amount(text_of(limits.memory_limit, known))) if limits.memory_limit else 0,
            bool(limits.accelerator),
        ),
        pull_policy=step.pull_policy,
        python=python,
        host_network=opened is not None,
    )


def _make_points(mounts: Sequence[Bind | Empty | Files]) -> None:
    """Make the folders that are mounted over within a volume: bwrap would follow a step's link there, out of it."""
    for number, mount in enumerate(mounts):
        others = (*mounts[:number], *mounts[number + 1 :])
        around = covering(mount.path, others)
        outer = None if around is None else others[around]
        if isinstance(outer, Bind) and outer.exact and not outer.read_only and mount.path != outer.path:
            parts = mount.path[len(outer.path) :].strip("/").split("/")
            if isinstance(mount, Bind) and not mount.source.is_dir():
                parts = parts[:-1]
            _inside(outer.source, parts, f"the mount at {mount.path}")


def covering(path: str, mounts: Sequence[Bind | Empty | Files]) -> int | None:
    """The number of the mount through which a path of the box is seen, the innermost; None where it is the box's root."""
    around = [
        (len(mount.path), number)
        for number, mount in enumerate(mounts)
        if path == mount.path or path.startswith(mount.path.rstrip("/") + "/")
    ]
    return max(around)[1] if around else None


def _finishing(
    step: Step, places: LocalPlaces, mounts: Sequence[Bind | Empty | Files], images: bool
) -> tuple[str, ...]:
    named = []
    for output in step.outputs:
        if isinstance(output, ArtifactOutput):
            number = covering(output.path, mounts)
            mount = None if number is None else mounts[number]
            # What lies on a volume stays there, and a container's own root cannot be reached: both are copied.
            moved = not images if mount is None else isinstance(mount, Empty) and not mount.in_memory
            named.append(("" if moved and not output.keep else "+") + places.output_path(output.name))
    return ("sh", "-c", read_text("templates/local_finish.sh"), "finish", *named, "--") if named else ()


def _handed_over(step: Step, inputs: Mapping[str, Path], scratch: Path) -> Iterator[Bind]:
    for name, stored in inputs.items():
        yield Bind(stored, f"{IN}/{name}", read_only=True)
    out = scratch / "out"
    for folder in ("values", *map(str, range(len(output_names(step))))):
        made = out / folder
        made.mkdir(parents=True)
        made.chmod(0o777)
    yield Bind(out, OUT)


def _mounts(step: Step, ground: Ground, known: Known, opened: Opening | None) -> Iterator[Bind | Empty | Files]:
    for mount in step.mounts:
        match mount:
            case SecretMount(path=path) if path == GATE and opened:
                yield Bind(opened.folder, path, read_only=True)
            case ClaimMount():
                yield Bind(claim_folder(mount, ground, known), mount.path, mount.read_only, exact=True)
            case EmptyDirMount(path, medium, size):
                yield Empty(path, medium == "Memory", int(amount(size)) if size else 0)
            case SecretMount():
                yield Files(mount.path, _object(mount, text_of(mount.name, known), ground.objects))
    for path in step.scratch:
        yield Empty(path)


def claim_folder(mount: ClaimMount, ground: Ground, known: Known) -> Path:
    """The folder of this machine that a mount of a claim shows; made, as kubelet makes it, where it is missing.

    Raises CannotRunError where its sub-path leads out of the claim.
    """
    claim = next(one for one in ground.plan.claims if one.id == mount.claim)
    root = claim_root(claim, ground, known)
    parts = ["pipeline", ground.plan.name, known.run_id] if mount.in_run else []
    parts += [part for part in mount.sub_path.split("/") if part]
    if mount.is_file:
        *parts, last = parts
        return _inside(root, parts, f"volume `{claim.id}`") / last
    return _inside(root, parts, f"volume `{claim.id}`")


def claim_root(claim: Claim, ground: Ground, known: Known) -> Path:
    """The folder that stands for a claim; made where it is missing. Raises CannotRunError."""
    if claim.id in ground.claims:
        root = ground.claims[claim.id]
    elif claim.create:
        root = ground.folder / "volumes" / claim.id
    else:
        name = text_of(claim.name, known)
        if not name or "/" in name or name.startswith("."):
            raise CannotRunError("K717", f"'{name}' is no name of a claim")
        ground.volumes.mkdir(mode=0o700, parents=True, exist_ok=True)
        root = ground.volumes / name
    root.mkdir(parents=True, exist_ok=True)
    return root.resolve()


def _inside(root: Path, parts: Sequence[str], what: str) -> Path:
    """The folder at `parts` below `root`, made. A step may have left links there: they lead nowhere."""
    try:
        with folder_inside(root, parts, make=True):
            return root.joinpath(*parts)
    except LinkError as error:
        raise CannotRunError("K717", f"{what}: {error}, and what is mounted must be a folder of the volume") from None


def _object(need: EnvFrom | SecretMount, name: str, objects: Objects) -> Mapping[str, bytes]:
    """What an object has; nothing where it may be missing, and is. Raises CannotRunError."""
    if said := problem(need, name, objects):
        raise CannotRunError(MISSING, said, "mend the file that --secrets names, or name one that has it")
    return objects.of(need.source).get(name, {})


def _environment(step: Step, ground: Ground, known: Known) -> Iterator[tuple[str, str]]:
    yield "KADE2KFP_STEP", step.name
    yield "KFP_POD_NAME", f"local-{step.name}"
    yield from plain_env(step)
    for env in step.env:
        if isinstance(env, EnvFrom):
            value = _value_from(env, step, ground, known)
            if value is not None:
                yield env.name, value


def _value_from(env: EnvFrom, step: Step, ground: Ground, known: Known) -> str | None:
    if env.source == "field":
        return _field(env.key, step, ground.plan, known)
    value = _object(env, text_of(env.object, known), ground.objects).get(env.key)
    return None if value is None else os.fsdecode(value)


def _field(path: str, step: Step, plan: Plan, known: Known) -> str:
    """What stands here for a field of the pod."""
    name, _, rest = path.partition("[")
    labels = dict(plan.labels) | dict(step.labels) | {"kade2kfp/step": step.name, "pipeline/runid": known.run_id}
    known_fields = {
        "metadata.name": f"local-{step.name}",
        "metadata.namespace": "local",
        "metadata.uid": known.run_id,
        "spec.nodeName": socket.gethostname(),
        "spec.serviceAccountName": "local",
        "status.podIP": "127.0.0.1",
        "status.podIPs": "127.0.0.1",
        "status.hostIP": "127.0.0.1",
        "status.hostIPs": "127.0.0.1",
    }
    if name in ("metadata.labels", "metadata.annotations"):
        of = labels if name == "metadata.labels" else dict(step.annotations)
        return of.get(rest.strip("]'\""), "")
    return known_fields.get(path, "")


def _may_read(path: Path, folder: Path) -> bool:
    """Whether a file lies below a folder, and not hidden there: a home's keys are."""
    return path.is_relative_to(folder) and not any(part.startswith(".") for part in path.relative_to(folder).parts)


def _with_file_allowed(step: Step, known: Known) -> Step:
    """The step of a loadData whose URL turns out to be of this machine: on a cluster that is refused, here it may be."""
    if not _reads_file(step, known) or ("--allow-file",) in step.command:
        return step
    *words, dashes, url = step.command
    return replace(step, command=(*words, ("--allow-file",), dashes, url))


def _reads_file(step: Step, known: Known) -> bool:
    return step.type == "loadData" and text_of(step.command[-1], known).lower().startswith("file:")


def _readable(step: Step, ground: Ground, known: Known) -> Iterator[Bind]:
    """What a download from file:// reads: that one file, and only below the folders that may be read."""
    if not _reads_file(step, known):
        return
    url = text_of(step.command[-1], known)
    path = os.path.normpath(unquote(urlsplit(url).path))
    real = Path(os.path.realpath(path))
    private = any(real.is_relative_to(os.path.realpath(one)) for one in ground.private)
    if private or not any(_may_read(real, Path(os.path.realpath(folder))) for folder in ground.readable):
        allowed = ", ".join(str(folder) for folder in ground.readable)
        raise CannotRunError(
            "K718",
            f"{url} is outside of what may be read: {allowed}",
            "allow its folder by --readable FOLDER, or put the file beside the document",
        )
    if not real.exists():
        raise CannotRunError("K718", f"{url}: there is no such file")
    yield Bind(real, path, read_only=True, exact=True)
