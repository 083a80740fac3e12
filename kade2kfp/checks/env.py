"""Environment variables that a pod may have."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from kade2kfp.checks.metadata import key_problem
from kade2kfp.checks.shells import USUAL, variable_in
from kade2kfp.diagnostics.model import Diagnostic, Pointer, Related
from kade2kfp.document.read import Document
from kade2kfp.document.shared import EnvVar
from kade2kfp.plan.analysis import Analysis
from kade2kfp.tasks.notebook import Notebook

_SECRET_NAME = re.compile(r"(?i)(passw(or)?d|passphrase|secret|token|api_?key|private_?key|access_?key|credential)")
# Each alternative begins where nothing of its own kind stands before it, so that time is linear in the text.
_SECRET_VALUE = re.compile(
    r"AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,}|xox[abprs]-[\w-]{10,}|hf_[A-Za-z0-9]{30,}|sk-[A-Za-z0-9_-]{20,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----|(?<![\w-])eyJ[\w-]{10,}+\.eyJ[\w-]{10,}+\.[\w-]"
    r"|(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*+://[^/\s:@]++:(?!\$(?:\(\w+\)|\{\w+\}|[A-Z_][A-Z0-9_]*)@)[^/\s:@{]++@"
)
_NOT_SECRET = re.compile(
    r"(?i)(path|file|dir|name|url|uri|endpoint|type|ttl|expiry|limit|count|size|max|min|length|len|timeout|s)$"
)
# https://kubernetes.io/docs/concepts/workloads/pods/downward-api/#available-fields
_FIELD = re.compile(
    r"metadata\.(name|namespace|uid)|metadata\.(labels|annotations)\['(?P<key>[^']+)'\]|spec\.(nodeName|serviceAccountName)|status\.(hostIP|hostIPs|podIP|podIPs)"
)

# KFP's and Argo's are in the pod before the patch with the user's is merged over them (Argo:
# workflow/controller/workflowpod.go, createWorkflowPod): a value takes the place of theirs, a source is refused beside it.
_TAKEN = {"KADE2KFP_": "kade2kfp's", "KFP_": "Kubeflow's", "ARGO_": "Argo's"}
# templates/gate.sh makes a notebook's token and says by these where it is; Jupyter takes JUPYTER_TOKEN rather than its file
# (jupyter_server/auth/identity.py).
_JUPYTERS = frozenset(["JUPYTER_TOKEN", "JUPYTER_TOKEN_FILE", "JUPYTER_PORT", "JUPYTER_RUNTIME_DIR"])


def env(analysis: Analysis) -> Iterator[Diagnostic]:
    """K215: not one source. K216: twice. K217: taken by others. K218 (warning): a secret in clear. K219: no such field of the pod. K228 (warning): another variable in a value."""
    document = analysis.document
    for owner in document.owners:
        yield from _twice(owner.env or ())
        names = USUAL | {variable.name for variable in owner.env or ()}
        for variable in owner.env or ():
            yield from _one(document, variable)
            if named := variable_in(variable.value or "", names):
                message = f"`{named}` would stand in `{variable.name}` as it is"
                help_ = f"put it in where a shell reads it: `export {variable.name}=...` in the `script`"
                yield Diagnostic("K228", message, variable.place("value"), help_)
    yield from _of_notebooks(analysis)


def _of_notebooks(analysis: Analysis) -> Iterator[Diagnostic]:
    document, told = analysis.document, set[Pointer]()
    for task in document.tasks:
        if not isinstance(task, Notebook) or task.advance == "auto" or document.is_torn(task.place("advance")):
            continue
        for setting in analysis.settings[task.id].env:
            variable, at = setting.value, setting.value.place("name")
            if variable.name not in _JUPYTERS or at in told:
                continue
            told.add(at)
            help_ = "leave it out: each start of the notebook has a token of its own, which `kade2kfp open` hands over"
            if variable.name == "JUPYTER_PORT":
                help_ = 'leave it out, and give the task a "port"; 8888 is the default'
            elif variable.name == "JUPYTER_RUNTIME_DIR":
                help_ = "leave it out: Jupyter's own files, which hold its token, are kept in memory"
            related = () if at[: len(task.at)] == task.at else (Related("the notebook that would have it", task.at),)
            yield Diagnostic(
                "K217",
                f"the variable `{variable.name}` is kade2kfp's in a notebook that waits for a person",
                at,
                help_,
                related,
            )


def _twice(variables: Iterable[EnvVar]) -> Iterator[Diagnostic]:
    first: dict[str, Pointer] = {}
    for variable in variables:
        if variable.name in first:
            related = Related("the first one", first[variable.name])
            yield Diagnostic(
                "K216",
                f"the variable `{variable.name}` is set twice",
                variable.place("name"),
                "keep one: Kubernetes refuses such a pod",
                (related,),
            )
        first.setdefault(variable.name, variable.place("name"))


def _one(document: Document, variable: EnvVar) -> Iterator[Diagnostic]:
    for prefix, whose in _TAKEN.items():
        if variable.name.startswith(prefix):
            yield Diagnostic(
                "K217",
                f"the variable `{variable.name}` begins with {prefix}",
                variable.place("name"),
                f"those are {whose} own; give it another name",
            )
    if variable.value is not None and variable.value_from is not None:
        yield Diagnostic(
            "K215",
            f"the variable `{variable.name}` has a `value` and a `valueFrom`",
            variable.place("value_from"),
            "keep one of them",
        )
    source = variable.value_from
    if source is not None:
        given = [one for one in (source.secret_key_ref, source.config_map_key_ref, source.field_ref) if one is not None]
        if len(given) != 1 and not document.is_torn(source.at):
            what = "none" if not given else "more than one"
            help_ = "give exactly one of `secretKeyRef`, `configMapKeyRef` and `fieldRef`"
            yield Diagnostic("K215", f"`valueFrom` names {what} of its sources", variable.place("value_from"), help_)
        if source.field_ref and not _is_field(source.field_ref.field_path):
            help_ = "such as metadata.name, metadata.namespace, metadata.labels['app'], spec.nodeName, status.podIP"
            yield Diagnostic(
                "K219",
                f"the pod has no field `{source.field_ref.field_path[:60]}` for a variable",
                source.field_ref.place("field_path"),
                help_,
            )
    if variable.value and "\0" in variable.value:
        yield Diagnostic("K203", "a variable cannot hold the character NUL", variable.place("value"), "take it out")
    elif variable.value and _looks_secret(variable.name, variable.value):
        help_ = 'keep it in a Kubernetes secret: "valueFrom": {"secretKeyRef": {"name": ..., "key": ...}}'
        yield Diagnostic(
            "K218",
            f"the variable `{variable.name}` seems to hold a secret in clear",
            variable.place("value"),
            help_,
        )


def _is_field(path: str) -> bool:
    match = _FIELD.fullmatch(path)
    return "{{" in path or (match is not None and not (match["key"] and key_problem(match["key"])))


def _looks_secret(name: str, value: str) -> bool:
    if _SECRET_VALUE.search(value):
        return True
    if "{{" in value or not _SECRET_NAME.search(name) or _NOT_SECRET.search(name):
        return False
    if value.startswith(("/", "$")) or value.lower() in (
        "",
        "true",
        "false",
        "none",
        "null",
        "changeme",
        "0",
        "1",
    ):
        return False
    return len(value) >= 6 and (" " not in value) and (_entropy(value) > 2 or not value.isalpha())


def _entropy(text: str) -> float:
    """Bits a character, after Shannon."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())
