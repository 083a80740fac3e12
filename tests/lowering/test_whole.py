"""The whole text: the same everywhere, taken by KFP as it is, and with nothing of a plan lost or let in."""

from __future__ import annotations

import dataclasses
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp import compiler, components

from kade2kfp.lowering import lower
from kade2kfp.steps.model import Claim, CreatedClaim, Plan, PlanParameter, Step
from kade2kfp.steps.parts import (
    ArtifactInput,
    ArtifactOutput,
    ClaimMount,
    EmbeddedFile,
    EmptyDirMount,
    EnvFrom,
    EnvValue,
    Gate,
    GateValue,
    Jupyter,
    Metrics,
    ParameterOutput,
    Resources,
    Retry,
    Scheduling,
    SecretMount,
    Security,
    Ssh,
    VolumeOutput,
)
from kade2kfp.steps.sources import Output, Param, RunInfo

from .plans import NAS, TEXT, by_artifact, by_volume, ir, plan, step


def everything() -> Plan:
    """A plan with something of all there is."""
    make, use = by_artifact()
    train = step(
        "train",
        "python",
        ("--text=", Param("text", "string")),
        ("{{literal}}", RunInfo("id")),
        env=(EnvValue("A", ("1",)), EnvValue("B", (Param("n", "integer"),)), EnvFrom("C", "secret", ("s",), "k")),
        mounts=(
            ClaimMount("nas", "/v", "make/_/out", in_run=True),
            ClaimMount("made", "/w"),
            SecretMount("configMap", ("cm",), "/cm"),
            EmptyDirMount("/dev/shm", "Memory"),
        ),
        scratch=("/out",),
        outputs=(ArtifactOutput("model", "/out", "directory", "Model"), VolumeOutput("/v", "directory")),
        parameters=(ParameterOutput("best", "/best", "object"),),
        metrics=Metrics("/m.json", ("acc", "f1 (macro)")),
        files=(EmbeddedFile("/train.py", b"print(1)\n"),),
        resources=Resources(
            ("1",), ("2",), ("1.5Gi",), (Param("text", "string"),), "nvidia.com/gpu", (Param("n", "integer"),)
        ),
        scheduling=Scheduling((("a", "b"),), None, ({"key": "gpu", "operator": "Exists"},)),
        labels=(("x", "y"),),
        description="Trains.",
        retry=Retry(2),
        timeout=60,
    )
    ask = step(
        "ask",
        "work",
        gate=Gate(
            60,
            "resume",
            "advance",
            "route",
            ("Is ", Output("train", "metric-acc", "number"), " {{enough}}?"),
            (GateValue("lr", "number", required=False, default=0.1), GateValue("why", "string", required=True)),
            ways="csl",
        ),
        jupyter=Jupyter(8888, "/work"),
        ssh=Ssh(2222, "/kade/ssh/keys"),
        mounts=(
            SecretMount("configMap", (RunInfo("id"),), "/kade/gate", optional=True),
            ClaimMount("nas", "/kade/shared", ".gates/ask", in_run=True, read_only=True),
        ),
        parameters=(ParameterOutput("value-lr", "/kade/run/out/value-lr", "number"),),
    )
    last = step(
        "last", (Output("train", "metric-f1 (macro)", "number"),), (Output("train", "best", "object"),), cache_key="k"
    )
    return plan(
        make,
        use,
        train,
        ask,
        last,
        description="첫째 줄\n\n둘째: {{x}}\n",
        parameters=(
            TEXT,
            PlanParameter("n", "integer", required=False, default=3, description="How many $(x)"),
            PlanParameter("data-url", "string", required=False, default="https://example.org/한"),
            PlanParameter("class", "boolean", required=False, default=False),
            PlanParameter("empty", "string", required=False, default=""),
        ),
        claims=(NAS, Claim("made", create=CreatedClaim("1Gi", ("ReadWriteOnce",)))),
        timeout=3600,
        time_to_live=86400,
        labels=(("team", "demo"),),
    )


def recompiled(text: str, folder: Path) -> str:
    path = folder / "again.yaml"
    compiler.Compiler().compile(components.load_component_from_text(text), str(path))
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "of",
    [
        everything(),
        plan(*by_volume(), claims=(NAS,)),
        plan(step("demo", "echo", "# Description: none"), description="A step called like its pipeline."),
        plan(step("a"), display_name=""),
    ],
    ids=["everything", "volume", "same-name", "bare"],
)
def test_kfp_loads_it_and_compiles_it_to_the_same_bytes(of: Plan, tmp_path: Path) -> None:
    text = lower(of)
    assert recompiled(text, tmp_path) == text


def test_the_signature_survives() -> None:
    spec = yaml.safe_load_all(lower(everything())).__next__()
    assert spec["root"]["inputDefinitions"]["parameters"] == {
        "text": {"parameterType": "STRING"},
        "n": {
            "parameterType": "NUMBER_INTEGER",
            "isOptional": True,
            "defaultValue": 3.0,
            "description": "How many $\u200b(x)",
        },
        "data-url": {"parameterType": "STRING", "isOptional": True, "defaultValue": "https://example.org/한"},
        "class": {"parameterType": "BOOLEAN", "isOptional": True, "defaultValue": False},
        "empty": {"parameterType": "STRING", "isOptional": True, "defaultValue": ""},
    }
    assert spec["pipelineInfo"] == {
        "name": "demo",
        "displayName": "Demo",
        "description": "첫째 줄\n\n둘째: {\u200b{x}}\n",
    }


@pytest.mark.parametrize("default", ["a\nb: c", "a\r---\n", "\x00\x07", "\u2028x: y\x85z", "'", "]"])
def test_no_default_breaks_out_of_the_comment(default: str) -> None:
    spec, _ = ir(
        step("a"), parameters=(PlanParameter("p", "string", required=False, default=default),), description=default
    )
    assert spec["root"]["inputDefinitions"]["parameters"]["p"]["defaultValue"] == default


def test_platform_wide_settings() -> None:
    _, kubernetes = ir(step("a"), timeout=3600, time_to_live=5)
    assert kubernetes["pipelineConfig"] == {"activeDeadlineSeconds": 3600, "resourceTtlOnCompletion": 5}
    assert "pipelineConfig" not in ir(step("a"))[1]


def test_manifests_for_kubectl() -> None:
    of = everything()
    pipeline, version = yaml.safe_load_all(lower(of, format="pipelineversion"))
    spec, platform = yaml.safe_load_all(lower(of))
    assert (pipeline["kind"], pipeline["metadata"]["name"]) == ("Pipeline", "demo")
    assert pipeline["spec"]["displayName"] == "Demo"
    assert (version["kind"], version["spec"]["pipelineName"]) == ("PipelineVersion", "demo")
    assert version["spec"]["pipelineSpec"] == spec
    assert version["spec"]["platformSpec"] == platform
    assert re.fullmatch(r"demo-[0-9a-f]{10}", version["metadata"]["name"])
    # A version cannot be changed, so another pipeline is another version.
    other = dataclasses.replace(of, timeout=7)
    *_, changed = yaml.safe_load_all(lower(other, format="pipelineversion"))
    assert changed["metadata"]["name"] != version["metadata"]["name"]


PROGRAM = """
import pickle, sys
sys.path.insert(0, sys.argv[1])
import kade2kfp.lowering
assert not {"kfp", "google", "kubernetes", "yaml"} & {name.split(".")[0] for name in sys.modules}
plan = pickle.loads(sys.stdin.buffer.read())
for format in ("ir", "pipelineversion"):
    sys.stdout.buffer.write(kade2kfp.lowering.lower(plan, format=format).encode())
"""


def test_the_bytes_are_the_same_on_every_machine(tmp_path: Path) -> None:
    values: Any = {"b": [1, {"z": 1, "y": 2, "x": 3}], "a": "한", **{f"k{n}": n for n in range(20)}}
    of = dataclasses.replace(
        everything(),
        parameters=(*everything().parameters, PlanParameter("o", "object", required=False, default=values)),
    )
    here = Path(__file__).parents[2]
    outputs = set()
    for seed, folder, more in (
        ("0", tmp_path, {"LC_ALL": "C", "TZ": "Asia/Seoul"}),
        ("1", here, {"PYTHONUTF8": "0", "LC_ALL": "en_US.ISO-8859-1"}),
        ("7", Path("/"), {"KFP_DISABLE_EXECUTION_CACHING_BY_DEFAULT": "true", "COLUMNS": "20"}),
    ):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", PROGRAM, str(here)],
            input=pickle.dumps(of),
            capture_output=True,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "PYTHONHASHSEED": seed, "HOME": "/nonexistent", **more},
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        assert done.stderr == b""
        outputs.add(done.stdout)
    assert len(outputs) == 1
    assert outputs.pop().decode() == lower(of) + lower(of, format="pipelineversion")


MARK = "mark7"
FULL: dict[str, Any] = {
    "display_name": MARK,
    "image": (f"{MARK}:1",),
    "command": (("run",), (MARK,)),
    "description": MARK,
    "env": (EnvValue("A", (MARK,)),),
    "mounts": (ClaimMount("nas", f"/{MARK}"),),
    "scratch": (f"/{MARK}",),
    "folders": (f"/{MARK}",),
    "inputs": (ArtifactInput(MARK, "make", "model", "/in", "directory", "Model"),),
    "outputs": (ArtifactOutput(MARK, "/out", "directory"),),
    "parameters": (ParameterOutput(MARK, "/out", "string"),),
    "metrics": Metrics("/m", (MARK,)),
    "files": (EmbeddedFile(f"/{MARK}", b""),),
    "requirements": (f"{MARK}==1",),
    "working_dir": f"/{MARK}",
    "resources": Resources(accelerator=f"x/{MARK}", accelerator_count=("1",)),
    "scheduling": Scheduling(((MARK, "x"),)),
    "security": Security(run_as_user=70707),
    "pull_policy": "IfNotPresent",
    "pull_secrets": ((MARK,),),
    "labels": ((MARK, "x"),),
    "annotations": ((MARK, "x"),),
    "retry": Retry(70707),
    "timeout": 70707,
    "cache_key": MARK,
    "after": ("make",),
    "gate": Gate(70707, message=(MARK,)),
    "jupyter": Jupyter(70707, f"/{MARK}"),
    "ssh": Ssh(70707, f"/{MARK}"),
}
OF_A_GATE = {"jupyter", "ssh"}
# The document's own words for a step, which KFP has no place for. `compile` refuses what runs always; ports are told in an
# annotation (kade2kfp/tasks/container.py); a step with a service becomes another one (kade2kfp/lowering/services.py).
NOT_KFPS = {"task", "name", "type", "always", "ports", "within", "service"}


def test_every_field_of_a_step_is_known_here() -> None:
    assert {field.name for field in dataclasses.fields(Step)} == FULL.keys() | NOT_KFPS


@pytest.mark.parametrize("field", FULL)
def test_no_field_of_a_step_is_lost(field: str) -> None:
    make, _ = by_artifact()
    without = step("a", gate=Gate(1)) if field in OF_A_GATE else step("a")
    of = plan(make, dataclasses.replace(without, **{field: FULL[field]}), claims=(Claim("nas", ("n",)),))
    found = lower(of)
    assert found != lower(dataclasses.replace(of, nodes=(make, without)))
    assert MARK in found or "70707" in found or field in ("pull_policy", "after")
