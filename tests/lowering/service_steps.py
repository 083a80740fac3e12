"""Steps with services made by hand, and what templates/apply.py would send for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from kade2kfp.lowering.services import apply_text, as_task
from kade2kfp.steps.model import Autoscale, Claim, Example, Plan, Service, Step
from kade2kfp.steps.parts import (
    ArtifactInput,
    ClaimMount,
    EmptyDirMount,
    EnvFrom,
    EnvValue,
    Resources,
    Scheduling,
    SecretMount,
    Security,
)
from kade2kfp.steps.sources import Arrived, Param, RunInfo, Source, Text

Json = Any
RUN = "8c1f5c1e-3f0a-4b8e-9a55-0123456789ab"
URI = "minio://mlpipeline/v2/artifacts/demo/run/train/1/logs"
NAS = Claim("nas", ("nas-pvc",))
LR = Param("lr", "string")


def step(name: str, *command: str | Text, **fields: Any) -> Step:
    """A step that runs a command."""
    vector = tuple((word,) if isinstance(word, str) else word for word in command)
    return Step(**{"task": name, "name": name, "display_name": name, "image": ("img:1",), "command": vector} | fields)


def plan(*nodes: Step, **fields: Any) -> Plan:
    """A plan called `demo` with a claim."""
    given = {"name": "demo", "display_name": "Demo", "nodes": nodes, "toolbox_image": "toolbox:1", "claims": (NAS,)}
    return Plan(**given | fields)


TENSORBOARD = ("sh", "-c", 'exec "$@" --port "$PORT"', "viewer", "tensorboard", "--logdir", "/logs")


def viewer(server: Step | None = None, **fields: Any) -> Step:
    """A viewer on a folder of a claim, that a run has there."""
    mounts = (ClaimMount("nas", "/logs", "train/_/logs", in_run=True, read_only=True),)
    shown = server or step("board", *TENSORBOARD, mounts=mounts, requirements=("tensorboard==2.21.0",))
    given = {"kind": "viewer", "name": "demo-board", "server": shown, "port": 6006, "time_to_live": 3600}
    inputs = tuple(replace(one, path="") for one in shown.inputs)
    return step("board", image=("toolbox:1",), type="viewer", inputs=inputs, service=Service(**given | fields))


def viewer_of_artifacts(**fields: Any) -> Step:
    """A viewer of what arrows bring as artifacts, a folder and a file."""
    inputs = (
        ArtifactInput("logs", "train", "logs", "/logs", "directory"),
        ArtifactInput("notes", "train", "notes", "/notes/a.md", "file", "Markdown"),
    )
    server = step(
        "board",
        "show",
        ((Arrived("logs"),)),
        inputs=inputs,
        scratch=("/logs",),
        env=(EnvValue("LEVEL", ("debug",)),),
        security=Security(run_as_non_root=True),
    )
    return viewer(server, **fields)


def serving(**fields: Any) -> Step:
    """A serving with all that a document can say of it."""
    server = step(
        "serve",
        *("sh", "-c", 'exec serve "$1"/"$KADE2KFP_VERSION"', "serve", "/kade/serving"),
        env=(
            EnvValue("LR", (LR,)),
            EnvValue("PRICE", ("$5 $$ $(HOME) {{workflow.name}}",)),
            EnvValue("HOST", ("10.0.0.1",)),
            EnvFrom("KEY", "secret", ("keys",), "api"),
            EnvFrom("MODE", "configMap", (LR,), "mode", optional=True),
            EnvFrom("NODE", "field", (), "spec.nodeName"),
        ),
        mounts=(
            ClaimMount("nas", "/data", "data"),
            SecretMount("secret", ("certs",), "/certs", optional=True),
            SecretMount("configMap", ("conf",), "/conf"),
            EmptyDirMount("/dev/shm", "Memory", "1Gi"),
            ClaimMount("nas", "/kade/serving", "serving/demo/serve", read_only=True),
        ),
        resources=Resources(("0.5",), ("2",), ("1.5Gi",), (), "nvidia.com/gpu", ("1",)),
        scheduling=Scheduling(
            (("pool", "gpu"),),
            {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}]
                }
            },
            ({"key": "gpu", "operator": "Exists", "effect": "NoSchedule"},),
        ),
        security=Security(1000, 100, True),
        pull_policy="Always",
        pull_secrets=(("registry",), ("registry",)),
        labels=(("team", "a"), ("kade2kfp/version", "mine")),
        annotations=(("note", "{{=1+1}}"),),
        requirements=("bentoml==1.4.39",),
    )
    given = {
        "kind": "serving",
        "name": "demo-serve",
        "server": server,
        "port": 3000,
        "ready": "/readyz",
        "alive": "/livez",
        "ready_timeout": 600,
        "autoscale": Autoscale(5, 2, 70),
        "example": Example("/predict", '{"inputs": [[1]]}'),
    }
    return step(
        "serve",
        *("python3", "-c", "pack", "--into", "/kade/serving"),
        type="serving",
        requirements=("bentoml==1.4.39", "uv"),
        mounts=(ClaimMount("nas", "/kade/serving", "serving/demo/serve"),),
        service=Service(**given | fields),
    )


GIVEN: Mapping[Source, str] = {RunInfo("id"): RUN, LR: "0.1"}
INPUT = json.dumps(
    {
        "inputs": {
            "artifacts": {
                "logs": {
                    "artifacts": [
                        {
                            "uri": URI,
                            "metadata": {
                                "store_session_info": json.dumps(
                                    {
                                        "Provider": "minio",
                                        "Params": {
                                            "accessKeyKey": "accesskey",
                                            "disableSSL": "true",
                                            "endpoint": "store.team:9000",
                                            "forcePathStyle": "true",
                                            "fromEnv": "false",
                                            "region": "minio",
                                            "secretKeyKey": "secretkey",
                                            "secretName": "store-keys",
                                        },
                                    }
                                )
                            },
                        }
                    ]
                }
            }
        }
    }
)


def words(made: Step, values: Mapping[Source, str] = GIVEN, uris: Mapping[str, str] | None = None) -> list[str]:
    """The command of a step as its process gets it."""
    uris = uris if uris is not None else {"logs": URI, "notes": "s3://bucket/notes.md"}

    def said(part: Any) -> str:
        if isinstance(part, str):
            return part
        return (uris.get(part.input) or INPUT) if isinstance(part, Arrived) else values[part]

    return ["".join(map(said, word)) for word in made.command]


def lowered(made: Step, of: Plan | None = None) -> Step:
    """The ordinary step that one with a service becomes."""
    assert made.service is not None
    return as_task(made, made.service, of or plan(made))


@cache
def _functions(kind: str) -> Json:
    """What templates/apply.py defines."""
    found: Json = {"__name__": "apply"}
    exec(apply_text(kind), found)
    return found


def sent(made: Step, values: Mapping[Source, str] = GIVEN, of: Plan | None = None) -> list[Json]:
    """The objects that templates/apply.py would apply, in their order."""
    assert made.service is not None
    template = _functions(made.service.kind)
    argv = words(lowered(made, of), values)
    told = json.loads(argv[3])
    given = argv[4 : 4 + told["values"]]
    known = {"name": made.service.name, "version": "20260102-030405-abcd", "expires": "2026-01-02T04:04:05Z"}
    known |= {"replicas": told["scale"][0]}
    things = [template["filled"](one, given, known) for one in told["objects"]]
    if made.service.kind == "serving":
        return [template["protect"](one) for one in things]
    filled = template["filled"]({"arriving": told["arriving"], "input": told["input"]}, given, known)
    stores = [template["store"](uri, filled["input"]) for uri in filled["arriving"]]
    return [template["reaching"](one, stores) for one in things]
