"""KFP's own code on compiled pipelines: builds the Go program beside this file over sources of KFP and Argo, and asks it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
_CACHE = HERE.parents[2] / ".cache" / "judge-kfp"
_MODULES = {
    "github.com/kubeflow/pipelines": "",
    "github.com/kubeflow/pipelines/api": "api",
    "github.com/kubeflow/pipelines/kubernetes_platform": "kubernetes_platform",
    "github.com/kubeflow/pipelines/third_party/ml-metadata": "third_party/ml-metadata",
}
_OBJECT_STORE = """package objectstore

import (
	"context"
	"errors"

	"gocloud.dev/blob"
	"k8s.io/client-go/kubernetes"
)

var errNone = errors.New("no object store here")

func OpenBucket(context.Context, kubernetes.Interface, string, *Config) (*blob.Bucket, error) {
	return nil, errNone
}
func UploadBlob(context.Context, *blob.Bucket, string, string) error   { return errNone }
func DownloadBlob(context.Context, *blob.Bucket, string, string) error { return errNone }
"""
_HDFS = """package hdfs

import wfv1 "github.com/argoproj/argo-workflows/v4/pkg/apis/workflow/v1alpha1"

func ValidateArtifact(string, *wfv1.HDFSArtifact) error { return nil }
"""

Json = dict[str, Any]


@dataclass(frozen=True)
class Kfp:
    """The program that was built."""

    path: Path

    def __call__(self, questions: Iterable[Json]) -> list[Json]:
        """An answer for each question (`question` of main.go), in their order, all by one process."""
        text = "".join(json.dumps(one) + "\n" for one in questions)
        streams: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}  # KFP's logs are long
        done = subprocess.run([str(self.path)], input=text, encoding="utf-8", check=True, **streams)
        return [json.loads(line) for line in done.stdout.split("\n") if line]


def built() -> Kfp:
    """The program, built if its sources or theirs have changed. Without those, whoever asks is skipped."""
    kfp, argo = (os.environ.get(f"KADE2KFP_{name}") for name in ("KFP_SOURCES", "ARGO_SOURCES"))
    go = shutil.which("go")
    if not (kfp and argo and go):
        pytest.skip("needs Go, and KADE2KFP_KFP_SOURCES and KADE2KFP_ARGO_SOURCES: see tests/README.md")
    digest = hashlib.sha256(f"{kfp}\0{argo}".encode())
    for file in [*sorted(HERE.glob("*.go")), HERE / "kfp.py", Path(kfp, "go.sum"), Path(argo, "go.sum")]:
        digest.update(b"\0" + file.read_bytes())
    folder = _CACHE / digest.hexdigest()[:16]
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "kfp").exists():
            _build(go, Path(kfp).resolve(), Path(argo).resolve(), folder)
    return Kfp(folder / "kfp")


def _build(go: str, kfp: Path, argo: Path, folder: Path) -> None:
    for old in _CACHE.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    folder.mkdir()
    for file in HERE.glob("*.go"):
        shutil.copy(file, folder)
    replaced = [f"{module} => {kfp / part}" for module, part in _MODULES.items()]
    replaced.append(f"github.com/argoproj/argo-workflows/v4 => {argo}")
    lines = ["module kfp", "", "go 1.26.0", "", "replace (", *replaced, ")", ""]
    (folder / "go.mod").write_text("\n".join(lines), encoding="utf-8")
    # The clients of object stores and of HDFS are a third of all there is to compile, and nothing here calls them.
    instead = {
        kfp / "backend/src/v2/objectstore/object_store.go": _OBJECT_STORE,
        argo / "workflow/artifacts/hdfs/hdfs.go": _HDFS,
        argo / "workflow/artifacts/hdfs/util.go": "package hdfs\n",
    }
    overlay: dict[str, str] = {}
    for number, (file, text) in enumerate(instead.items()):
        here = folder / f"instead-{number}.txt"
        here.write_text(text, encoding="utf-8")
        overlay[str(file)] = str(here)
    (folder / "overlay.json").write_text(json.dumps({"Replace": overlay}), encoding="utf-8")
    surroundings = os.environ | {"GOWORK": "off", "GOFLAGS": "-mod=mod"}
    build = [go, "build", "-trimpath", "-buildvcs=false", "-overlay", "overlay.json", "-o", "kfp", "."]
    for command in ([go, "mod", "tidy", "-e"], build):
        subprocess.run(command, cwd=folder, env=surroundings, timeout=3600, check=True)
