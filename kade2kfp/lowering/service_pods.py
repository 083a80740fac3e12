"""The pods of a service: a server's container as Kubernetes' JSON, in which a tuple is a Text.

It is no step of KFP's, so nobody replaces anything in its texts, and it is handed nothing: artifacts are fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kade2kfp.lowering.text import CannotLowerError
from kade2kfp.steps import quantity
from kade2kfp.steps.command import container_command, needs_script, plain_env
from kade2kfp.steps.model import Plan, Step
from kade2kfp.steps.parts import ClaimMount, EmptyDirMount, EnvFrom, EnvValue, Resources, SecretMount
from kade2kfp.steps.sources import Arrived, RunInfo, Source, Text, literal, sources

Manifest = dict[str, Any]
ARRIVED = "/kade/in"
"""Where artifacts lie in a viewer's pod, by the names of its inputs."""
RUN = RunInfo("id")
_MARK = re.compile("\0([0-9]+)\0")


@dataclass(frozen=True, slots=True)
class _Places:
    """Places of a pod that is no step: values as marks, for texts to be made of the words again."""

    late: tuple[Source, ...]

    def value(self, source: Source) -> str:
        return f"\0{self.late.index(source)}\0"

    def input_path(self, name: str) -> str:
        return f"{ARRIVED}/{name}"

    def port(self, number: int) -> int:
        return number

    def nothing(self, name: str = "") -> str:
        raise CannotLowerError(f"a server has no output, and knows no URI: {name!r}")

    input_uri = output_path = output_uri = parameter_file = nothing


def words_of(server: Step) -> list[Text]:
    """The whole command of a server's container, whatever the image's entrypoint is."""
    command = tuple(tuple(_placed(part) for part in word) for word in server.command)
    direct = {env.name for env in _direct(server)}
    own = tuple(env for env in server.env if isinstance(env, EnvValue) and env.name not in direct)
    bare = replace(server, command=(), env=own)
    if not needs_script(bare):
        return list(command)
    late = tuple(dict.fromkeys(sources([*command, *(env.value for env in own)])))
    words = container_command(replace(bare, command=command), _Places(late))
    return [_text(word, late) for part in words for word in part]


def _placed(part: str | Source | Arrived) -> str | Source | Arrived:
    return f"{ARRIVED}/{part.input}" if isinstance(part, Arrived) and part.what == "path" else part


def _text(word: str, late: Sequence[Source]) -> Text:
    pieces: list[str | Source] = list(_MARK.split(word))
    pieces[1::2] = [late[int(str(number))] for number in pieces[1::2]]
    return tuple(piece for piece in pieces if piece != "")


def env_of(server: Step) -> list[Manifest]:
    """The variables of a server's container, each name once: Kubernetes merges the list by them."""
    found: dict[str, Manifest] = {}
    given: list[EnvValue | EnvFrom] = [one for one in server.env if isinstance(one, EnvFrom)]
    given += _direct(server)
    for env in given:
        found[env.name] = {"name": env.name} | _value(env)
    return list(found.values())


def _direct(server: Step) -> Iterator[EnvValue]:
    """The variables that the container may have directly. A value needs no protection here, only a name of the shell's."""
    values = [env for env in server.env if isinstance(env, EnvValue)]
    plain = {
        name for name, _ in plain_env(replace(server, command=(), env=tuple(EnvValue(e.name, ()) for e in values)))
    }
    return (env for env in values if env.name in plain)


def _value(env: EnvValue | EnvFrom) -> Manifest:
    if isinstance(env, EnvValue):
        return {"value": env.value}
    if env.source == "field":
        return {"valueFrom": {"fieldRef": {"fieldPath": env.key}}}
    of = {"name": env.object, "key": env.key} | ({"optional": True} if env.optional else {})
    return {"valueFrom": {f"{env.source}KeyRef": of}}


def resources_of(given: Resources) -> Manifest:
    """Requests and limits; quantities that are known by now in Kubernetes' spelling.

    Raises:
        CannotLowerError: a quantity is none, which a check should have found.
    """
    count = given.accelerator_count or ("1",)
    requests = {"cpu": given.cpu_request, "memory": given.memory_request}
    limits = {"cpu": given.cpu_limit, "memory": given.memory_limit}
    limits |= {given.accelerator: count} if given.accelerator else {}
    found = {
        side: {name: _quantity(name, text) for name, text in of.items() if text}
        for side, of in (("requests", requests), ("limits", limits))
    }
    return {side: of for side, of in found.items() if of}


def _quantity(name: str, text: Text) -> str | Text:
    value = literal(text)
    legal = {"cpu": quantity.cpu, "memory": quantity.memory}.get(name, quantity.count)
    try:
        return text if value is None else legal(value)
    except ValueError as error:
        raise CannotLowerError(str(error)) from error


def mounts_of(server: Step, plan: Plan) -> tuple[list[Manifest], list[Manifest]]:
    """The volumes of a server's pod, and its container's mounts. A claim is one volume, however often it is mounted.

    A claim is never read-only as a volume: kubelet makes the folders of sub-paths.
    """
    volumes: dict[Text, Manifest] = {}
    others: list[Manifest] = []
    mounts: list[Manifest] = []
    for mount in (*server.mounts, *map(EmptyDirMount, server.scratch)):
        about: Manifest = {"mountPath": mount.path}
        if isinstance(mount, ClaimMount):
            claim = claim_of(mount, plan)
            source = {"persistentVolumeClaim": {"claimName": claim}}
            volume = volumes.setdefault(claim, {"name": f"claim-{len(volumes) + 1}"} | source)
            folder = sub_path(mount, plan)
            about |= ({"readOnly": True} if mount.read_only else {}) | ({"subPath": folder} if folder else {})
        else:
            volume = {"name": f"volume-{len(others) + 1}"} | _volume(mount)
            others.append(volume)
        mounts.append({"name": volume["name"]} | about)
    return [*volumes.values(), *others], mounts


def sub_path(mount: ClaimMount, plan: Plan, below: str = "") -> Text:
    """The folder of the claim that is mounted, or one below it, relative to the claim's root."""
    own = "/".join(part for part in (mount.sub_path.strip("/"), below) if part)
    if mount.in_run:
        return (f"pipeline/{plan.name}/", RUN, f"/{own}" if own else "")
    return (own,) if own else ()


def claim_of(mount: ClaimMount, plan: Plan) -> Text:
    """The name of a mount's claim.

    Raises:
        CannotLowerError: it is made for the run; a check should have refused that.
    """
    claim = next(one for one in plan.claims if one.id == mount.claim)
    if claim.create:
        raise CannotLowerError(f"a service cannot mount {claim.id!r}, which goes with the run")
    return claim.name


def _volume(mount: SecretMount | EmptyDirMount) -> Manifest:
    if isinstance(mount, EmptyDirMount):
        fields = {"medium": mount.medium, "sizeLimit": mount.size_limit}
        return {"emptyDir": {name: value for name, value in fields.items() if value}}
    optional = {"optional": True} if mount.optional else {}
    if mount.source == "secret":
        return {"secret": {"secretName": mount.name} | optional}
    return {"configMap": {"name": mount.name} | optional}
