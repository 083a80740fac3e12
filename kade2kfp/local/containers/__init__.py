"""The engines docker and podman, by their command lines: a box is a container of the step's image.

The container has the user of its image unless the box names one, as in a pod: images in which steps install packages
expect to be root. What it leaves may then belong to another user, and is handed back (container_running.py).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from kade2kfp.local.containers.client import Client, last_words
from kade2kfp.local.containers.options import MEMORY_PREFIX, limit_options, memory_folders, mount_options
from kade2kfp.local.containers.running import Container, hand_back, running
from kade2kfp.local.engine import Box, CannotStartError, Running
from kade2kfp.local.folder import safe_name

LABEL = "kade2kfp/run"
_PROBE_SECONDS = 5.0
_PULL = {"Always": "always", "Never": "never"}
# Static ones, since they are mounted into any image. Podman brings catatonit, for which a command that is not there is
# one that exited with 1; tini has 127 for it.
_INITS = ("tini-static", "docker-init", "catatonit", "/usr/libexec/podman/catatonit", "/usr/lib/podman/catatonit")
# KFP forces the first two in pods (no privilege escalation, no capabilities). On SELinux a container may not read the
# user's files unless they are relabelled, which would change them for everything else. The runner keeps the log.
_ALWAYS = ("--cap-drop=ALL", "--security-opt=no-new-privileges", "--security-opt=label=disable", "--log-driver=none")


@dataclass(frozen=True, slots=True)
class Containers:
    """An engine that answers. `podman` says how it speaks, whatever it is called; `run_id` labels its containers.

    `rootless`: root of a container is the caller. `cpus` and `memory` are what it can limit: 0, False where it cannot.
    """

    client: Client
    run_id: str
    podman: bool
    rootless: bool
    cpus: int
    memory: bool
    init: tuple[str, ...]
    uses_images: bool = True

    @property
    def name(self) -> str:
        """How the engine is called on the command line."""
        return self.client.name

    def of_run(self, run_id: str) -> Containers:
        """The engine whose containers are labelled with a run."""
        return replace(self, run_id=run_id)

    def clean(self) -> None:
        """Remove the containers of the run, and its secrets in memory. Raises OSError."""
        leftovers(self, self.run_id)

    def start(self, box: Box, output: int) -> Running:
        """Start a box (Engine.start); its image is pulled before this returns. Raises CannotStartError."""
        container = f"kade2kfp-{uuid.uuid4().hex[:12]}-{safe_name(box.name)[:40]}"
        with ExitStack() as stack:
            try:
                options = [*self._options(box), *mount_options(box, safe_name(self.run_id), self.podman, stack)]
                self._create(box, container, options, stack)
                # In a session of its own: a Ctrl-C is for the runner to act on, not for the client.
                client = subprocess.Popen(
                    [self.client.program, "start", "--attach", container],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                raise CannotStartError(f"{self.name} cannot start it: {error}") from None
            made = Container(self.client, container, box, self.rootless, (f"--label={LABEL}={self.run_id}", *_ALWAYS))
            # The last to be called is the first to be given: close() removes the container, then what it had.
            stack.callback(hand_back, made)
            return running(made, client, stack.pop_all().close)

    def image_digest(self, image: str) -> str:
        """The id of an image; empty while it is not there."""
        try:
            return self.client.said("image", "inspect", "--format={{.Id}}", "--", image)
        except OSError:
            return ""

    def _options(self, box: Box) -> Iterator[str]:
        yield f"--label={LABEL}={self.run_id}"
        if box.host_network:
            yield "--network=host"
        else:
            yield f"--hostname={box.hostname[:63]}"
        yield f"--pull={_PULL.get(box.pull_policy, 'missing')}"
        yield from _ALWAYS
        yield from self.init
        if not self.rootless and os.geteuid() != 0:
            # The caller's files do not belong to the container's root; without this it could not write among them.
            yield "--cap-add=DAC_OVERRIDE"
        yield from limit_options(box.limits, self.podman, self.cpus, self.memory)
        if box.command:
            # Podman takes an entry point that reads as a list in JSON for one.
            yield f"--entrypoint={json.dumps([box.command[0]]) if self.podman else box.command[0]}"
        if box.user is not None:
            yield f"--user={box.user}" + ("" if box.group is None else f":{box.group}")

    def _create(self, box: Box, container: str, options: list[str], stack: ExitStack) -> None:
        stack.callback(self.client.remove, container)
        named = [f"--name={container}", *options]
        done = self.client.create(named, box.image, box.command[1:], box.env)
        if done.returncode == 0 and box.user is None and box.group is not None:
            # A group goes with a user, and only now the image is there to tell which one it has.
            told = self.client.said("image", "inspect", "--format={{.Config.User}}", "--", box.image)
            self.client.remove(container)
            named.append(f"--user={told.partition(':')[0] or 0}:{box.group}")
            done = self.client.create(named, box.image, box.command[1:], box.env)
        if done.returncode:
            missing = not self.image_digest(box.image)
            raise CannotStartError(
                f"{self.name} cannot make a container of the image '{box.image}': {last_words(done)}",
                f"`{self.name} pull` tells whether the image can be had" if missing else "",
            )


def find(name: Literal["docker", "podman"], run_id: str = "") -> Containers | str:
    """The engine of that name, asked whether it answers; else a sentence that says why it cannot serve.

    Args:
        name: the command to look for on PATH.
        run_id: the id of the run whose containers it will make.
    """
    program = shutil.which(name)
    if program is None:
        return f"{name} is not installed"
    client = Client(name, str(Path(program).absolute()))
    try:
        done = client.call("info", "--format={{json .}}", seconds=_PROBE_SECONDS)
    except OSError as error:
        return f"{program} cannot be called: {(error.strerror or str(error)).lower()}"
    try:
        told = json.loads(done.stdout)
    except ValueError:
        told = {}
    if not isinstance(told, dict):
        told = {}
    problem = " ".join(map(str, told.get("ServerErrors") or ())) or (last_words(done) if done.returncode else "")
    if "permission denied" in problem.lower():
        return f"you may not use {name}: {problem}"
    if problem or not told:
        return f"{name} is installed, but does not answer: {problem or 'what it says of itself cannot be read'}"
    # The package podman-docker has a `docker` that is podman.
    return _of_podman(client, run_id, told["host"]) if "host" in told else _of_docker(client, run_id, told)


def leftovers(engine: Containers, run_id: str) -> int:
    """Remove what a runner that was killed has left of a run: containers, and secrets in memory.

    The caller holds the run, so nobody else uses them. Returns how many containers there were. Raises OSError.
    """
    if not run_id:
        return 0
    listed = engine.client.said("ps", "--all", "--quiet", "--no-trunc", f"--filter=label={LABEL}={run_id}").split()
    if listed:
        # Podman would first ask each to end, and wait for 10 s.
        engine.client.call("kill", "--signal=KILL", *listed)
        engine.client.remove(*listed)
    for base in memory_folders():
        for folder in base.glob(f"{MEMORY_PREFIX}{safe_name(run_id)}-*"):
            shutil.rmtree(folder, ignore_errors=True)
    return len(listed)


def _of_docker(client: Client, run_id: str, told: dict[str, Any]) -> Containers:
    security = [str(one) for one in told.get("SecurityOptions") or ()]
    init = (told.get("InitCommit") or {}).get("ID")
    return Containers(
        client,
        run_id,
        podman=False,
        rootless=any(one.startswith("name=rootless") for one in security),
        cpus=int(told.get("NCPU") or 0) if told.get("CpuCfsQuota") else 0,
        memory=bool(told.get("MemoryLimit")),
        init=("--init",) if init and init != "N/A" else (),
    )


def _of_podman(client: Client, run_id: str, host: dict[str, Any]) -> Containers:
    rootless = bool((host.get("security") or {}).get("rootless"))
    controllers = host.get("cgroupControllers") or ()
    # Without cgroups v2 a container of an ordinary user has no limits, and podman refuses them.
    serves = host.get("cgroupVersion") == "v2" or not rootless
    init = next((found for one in _INITS if (found := shutil.which(one))), None)
    return Containers(
        client,
        run_id,
        podman=True,
        rootless=rootless,
        cpus=int(host.get("cpus") or 0) if serves and "cpu" in controllers else 0,
        memory=serves and "memory" in controllers,
        init=("--init", f"--init-path={init}") if init else (),
    )
