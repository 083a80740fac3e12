"""What a cluster has to allow, and to whom: the steps that leave services running, and the commands. Data, and its YAML."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Rule:
    """Verbs on resources of one API group; `why` is for the reader of the YAML."""

    why: str
    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """Who gets a role: a `Group`, a `User`, or a `ServiceAccount` of the role's namespace."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Role:
    """A role of a namespace; `about` is for the reader."""

    name: str
    about: tuple[str, ...]
    rules: tuple[Rule, ...]
    subjects: tuple[Subject, ...] = ()


@dataclass(frozen=True, slots=True)
class Needs:
    """What of services and gates there is: all, or what a document has. `endpoints` are servings that are Deployments, of
    them `autoscale`; `kserve` those of KServe; `kubeflow` viewers that are Tensorboards where the cluster has these.
    """

    viewers: bool = True
    endpoints: bool = True
    gates: bool = True
    autoscale: bool = True
    kserve: bool = True
    kubeflow: bool = True

    @property
    def deployments(self) -> bool:
        """Whether there are any: a Tensorboard becomes one where the cluster does not know it."""
        return self.viewers or self.endpoints

    @property
    def services(self) -> bool:
        """Whether anything is left running."""
        return self.deployments or self.kserve


@dataclass(frozen=True, slots=True)
class Door:
    """Pods of services that a NetworkPolicy is about: by their labels, all of them where there are none; `port` 0 is any."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()
    port: int = 0


def roles(
    needs: Needs, account: str, deciders: Sequence[Subject], users: Sequence[Subject], maintainers: Sequence[Subject]
) -> tuple[Role, ...]:
    """The roles that are needed, each with who gets it."""
    found = []
    if needs.services:
        found.append(
            Role(
                "kade2kfp-steps",
                (
                    "For the steps that leave viewers and servings running: the service account of the pipeline's pods.",
                    'KFP\'s own role `pipeline-runner` has the rules of "" and apps already, and no others.',
                ),
                tuple(_steps(needs)),
                (Subject("ServiceAccount", account),),
            )
        )
    if needs.gates:
        found.append(
            Role(
                "kade2kfp-deciders",
                (
                    "For those who decide what waits for a person: `kade2kfp gates|resume|reject -n NAMESPACE`.",
                    "Whoever may write ConfigMaps here decides: the service account of the steps must not, or a pipeline",
                    "could approve itself. `pipeline-runner` only reads them; Kubeflow's `default-editor` writes them.",
                ),
                tuple(_deciders()),
                tuple(deciders),
            )
        )
    found.append(
        Role(
            "kade2kfp-users",
            ("For those who look at runs: `kade2kfp gates|open|ssh|viewer|serving|predict -n NAMESPACE`.",),
            tuple(_users(needs)),
            tuple(users),
        )
    )
    if needs.services:
        found.append(
            Role(
                "kade2kfp-maintainers",
                (
                    "For those who also delete services and roll them back (`kade2kfp-users` is needed besides).",
                    "RBAC knows no labels: this is for all Deployments in the namespace, KFP's own too if they are here.",
                ),
                tuple(_maintainers(needs)),
                tuple(maintainers),
            )
        )
    return tuple(found)


def _steps(needs: Needs) -> Iterator[Rule]:
    if needs.deployments:
        verbs = ("create", "delete", "get", *(["list"] if needs.viewers else []), "patch")
        about = "what is left running; one that fails at first, and a viewer whose time is over, goes"
        yield Rule(about, "apps", ("deployments",), verbs)
        yield Rule("what it is reached by", "", ("services",), ("create", "delete", "get", "patch"))
    if needs.endpoints:
        about = "the version before, which is put back when the new one fails"
        yield Rule(about, "apps", ("replicasets",), ("list",))
        verbs = ("create", "delete", "get", "patch") if needs.autoscale else ("delete", "get")
        about = "`autoscale`, and its removal" if needs.autoscale else "one of an earlier run goes"
        yield Rule(about, "autoscaling", ("horizontalpodautoscalers",), verbs)
    if needs.endpoints or needs.kserve:
        yield Rule("whether a version is ready, and why not", "", ("pods",), ("list",))
        yield Rule("the last lines of one that fails", "", ("pods/log",), ("get",))
    if needs.kserve:
        verbs = ("create", "delete", "get", "patch")
        yield Rule("`flavor: kserve`", "serving.kserve.io", ("inferenceservices",), verbs)
    if needs.kubeflow:
        verbs = ("create", "delete", "get", "list", "patch")
        yield Rule("`flavor: kubeflow`", "tensorboard.kubeflow.org", ("tensorboards",), verbs)


def _deciders() -> Iterator[Rule]:
    yield Rule(
        "the decision, a key of the run's ConfigMap; and what was decided before",
        "",
        ("configmaps",),
        ("create", "get", "patch"),
    )
    yield Rule(
        "what waits, and whether it has closed; patch brings the decision at once, without it that takes two minutes",
        "",
        ("pods",),
        ("get", "list", "patch"),
    )
    yield Rule(
        "a message with values of the run, and a decision that the cluster is slow to bring (create: Kubernetes from 1.35 on)",
        "",
        ("pods/exec",),
        ("create", "get"),
    )
    yield Rule("which tasks have not started yet", "argoproj.io", ("workflows",), ("get",))


def _users(needs: Needs) -> Iterator[Rule]:
    yield Rule("what runs, and why it does not", "", ("pods",), ("list",))
    yield Rule("`open` and `predict` (create: Kubernetes from 1.35 on)", "", ("pods/portforward",), ("create", "get"))
    yield Rule(
        "the token of a notebook, a shell by `ssh` (create: Kubernetes from 1.35 on)",
        "",
        ("pods/exec",),
        ("create", "get"),
    )
    yield Rule("which tasks have not started yet", "argoproj.io", ("workflows",), ("get",))
    if not needs.services:
        return
    yield Rule("`log`", "", ("pods/log",), ("get",))
    names = ("get", "list") if needs.endpoints else ("list",)
    yield Rule("what runs", "apps", ("deployments",), names)
    if needs.deployments:
        yield Rule("`pause` and `resume`", "apps", ("deployments/scale",), ("patch",))
    if needs.kserve:
        yield Rule("servings of `flavor: kserve`", "serving.kserve.io", ("inferenceservices",), ("list",))
    if needs.kubeflow:
        yield Rule("viewers of `flavor: kubeflow`", "tensorboard.kubeflow.org", ("tensorboards",), ("list",))


def _maintainers(needs: Needs) -> Iterator[Rule]:
    if needs.deployments:
        verbs = ("delete", "get", "patch") if needs.endpoints else ("delete",)
        about = "`delete`" + (", `serving rollback`" if needs.endpoints else "")
        yield Rule(about, "apps", ("deployments",), verbs)
        yield Rule("`delete`, with what belongs to it", "", ("services",), ("delete",))
    if needs.endpoints:
        yield Rule("the same", "autoscaling", ("horizontalpodautoscalers",), ("delete",))
        yield Rule("`serving rollback`: the earlier versions", "apps", ("replicasets",), ("list",))
    if needs.kserve:
        yield Rule("`delete`", "serving.kserve.io", ("inferenceservices",), ("delete",))
    if needs.kubeflow:
        yield Rule("`delete`", "tensorboard.kubeflow.org", ("tensorboards",), ("delete",))


def role_yaml(role: Role, namespace: str) -> str:
    """A Role, and the RoleBinding where somebody gets it, as YAML with comments."""
    lines = [*(f"# {line}" for line in role.about), *_head(f"{RBAC}/v1", "Role", role.name, namespace), "rules:"]
    for rule in role.rules:
        lines += [
            f"  # {rule.why}",
            f"  - apiGroups: {_flow([rule.group])}",
            f"    resources: {_flow(rule.resources)}",
            f"    verbs: {_flow(rule.verbs)}",
        ]
    if not role.subjects:
        return "\n".join(lines) + "\n"
    lines += ["---", *_head(f"{RBAC}/v1", "RoleBinding", role.name, namespace)]
    lines += ["roleRef:", f"  apiGroup: {RBAC}", "  kind: Role", f"  name: {role.name}", "subjects:"]
    for one in role.subjects:
        lines += [f"  - kind: {one.kind}", f"    name: {_quoted(one.name)}"]
        own = one.kind == "ServiceAccount"
        lines.append(f"    namespace: {_quoted(namespace)}" if own else f"    apiGroup: {RBAC}")
    return "\n".join(lines) + "\n"


def policy_yaml(door: Door, namespace: str, others: Iterable[str]) -> str:
    """A NetworkPolicy that lets in the own namespace and those others, as YAML with comments."""
    port = "at its port" if door.port else "at any port of theirs"
    lines = [
        f"# Who may connect to pods of services: this namespace{''.join(f', {_quoted(one)}' for one in others)}, {port}.",
        "# The cluster's network has to carry out NetworkPolicies. `kade2kfp open` and kubelet's probes are not stopped by it.",
        *_head("networking.k8s.io/v1", "NetworkPolicy", door.name, namespace),
        "spec:",
        "  podSelector:",
    ]
    if door.labels:
        lines += ["    matchLabels:", *(f"      {key}: {_quoted(value)}" for key, value in door.labels)]
    else:
        lines += ["    matchExpressions:", "      - key: kade2kfp/service", "        operator: Exists"]
    lines += ["  policyTypes: [Ingress]", "  ingress:", "    - from:", "        - podSelector: {}"]
    for one in others:
        lines += [
            "        - namespaceSelector:",
            "            matchLabels:",
            f"              kubernetes.io/metadata.name: {_quoted(one)}",
        ]
    if door.port:
        lines += ["      ports:", "        - protocol: TCP", f"          port: {door.port}"]
    return "\n".join(lines) + "\n"


def _head(version: str, kind: str, name: str, namespace: str) -> list[str]:
    return [
        f"apiVersion: {version}",
        f"kind: {kind}",
        "metadata:",
        f"  name: {name}",
        f"  namespace: {_quoted(namespace)}",
        "  labels:",
        "    app.kubernetes.io/managed-by: kade2kfp",
    ]


def _flow(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"


def _quoted(text: str) -> str:
    """JSON's string is YAML's, too."""
    return json.dumps(text)
