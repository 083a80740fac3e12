"""Labels and annotations that Kubernetes takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from kade2kfp.diagnostics.model import Diagnostic, Pointer
from kade2kfp.document.base import Model
from kade2kfp.plan.analysis import Analysis

# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_TAKEN = (
    "kade2kfp",
    "pipelines.kubeflow.org",
    "workflows.argoproj.io",
    "kubernetes.io",
    "k8s.io",
    # Below kubernetes.io, those that the API server reads and refuses (pkg/apis/core/validation,
    # ValidatePodSpecificAnnotations); others, such as app.kubernetes.io, are the user's.
    "container.apparmor.security.beta.kubernetes.io",
    "container.seccomp.security.alpha.kubernetes.io",
    "controller.kubernetes.io",
    "scheduler.alpha.kubernetes.io",
    "seccomp.security.alpha.kubernetes.io",
)
# Labels that KFP and Argo put on their pods (backend/src/v2/compiler/argocompiler).
_TAKEN_NAMES = ("pipeline/runid", "workflows.argoproj.io/workflow")
MAX_ANNOTATIONS = 256 * 1024


def key_problem(key: str) -> str:
    """Why a key of a label or annotation is refused; empty if it is fine."""
    prefix, slash, name = key.rpartition("/")
    if not _NAME.fullmatch(name):
        return "its name has letters, digits, `-`, `_` and `.`, at most 63, and begins and ends with a letter or digit"
    if slash and not _PREFIX.fullmatch(prefix):
        return "what stands before the `/` is a DNS name in lower case"
    return ""


def value_problem(value: str) -> str:
    """Why a label's value is refused; empty if it is fine."""
    if not value or _NAME.fullmatch(value):
        return ""
    return "it has letters, digits, `-`, `_` and `.`, at most 63, and begins and ends with a letter or digit"


def metadata(analysis: Analysis) -> Iterator[Diagnostic]:
    """K221: a key or value that Kubernetes refuses, or that is taken."""
    document = analysis.document
    owners: list[Model] = [document.pipeline, document.defaults, *document.tasks]
    for owner in owners:
        for field in ("labels", "annotations"):
            yield from _map(
                field,
                getattr(owner, field, None) or {},
                owner.place(field) if field in type(owner).model_fields else (),
            )


def _map(field: str, given: Mapping[str, str], at: Pointer) -> Iterator[Diagnostic]:
    noun = field[:-1]
    for key, value in given.items():
        place = (*at, key)
        prefix = key.rpartition("/")[0]
        if problem := key_problem(key):
            yield Diagnostic(
                "K221",
                f"`{key[:80]}` is not the key of {'a label' if noun == 'label' else 'an annotation'}",
                place,
                problem,
                on_key=True,
            )
        elif key in _TAKEN_NAMES or prefix in _TAKEN:
            yield Diagnostic(
                "K221",
                f"the {noun} `{key}` is not yours to set",
                place,
                "Kubeflow, Argo or Kubernetes use it; choose another prefix, such as your own domain",
                on_key=True,
            )
        if field == "labels" and "{{" not in value and (problem := value_problem(value)):
            help_ = f"{problem}; other text can be an annotation"
            yield Diagnostic("K221", f"`{value[:80]}` is not the value of a label", place, help_)
        elif "$(" in value or "$$" in value:
            yield Diagnostic(
                "K221",
                f"the {noun} `{key}` holds `$(` or `$$`, which Kubernetes would replace",
                place,
                "write it without",
            )
    if (
        sum(len(key.encode()) + len(value.encode("utf-8", "surrogatepass")) for key, value in given.items())
        > MAX_ANNOTATIONS
    ):
        yield Diagnostic("K221", f"the {field} have more than 256 KiB", at, "keep long text elsewhere")
