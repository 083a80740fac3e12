"""Valid tasks, made at random: loadData, job, and container with automatic advance."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from . import values as v
from .texts import ANY, FILLED, SHOWN, TEXTS, written

Json = dict[str, Any]


@dataclass
class Pool:
    """What the document has so far, for what comes next to refer to. Paths are all different, none in another."""

    draw: Any
    parameters: list[Json] = field(default_factory=list)
    volumes: list[Json] = field(default_factory=list)
    given: dict[str, Json] = field(default_factory=dict)
    """Parameters that were added because a field needed them."""
    outputs: list[tuple[str, str]] = field(default_factory=list)
    """References to what tasks before put out, each with its type."""
    taken: list[str] = field(default_factory=list)
    file_names: set[str] = field(default_factory=set)

    def all_parameters(self) -> list[Json]:
        """The parameters that the document must declare."""
        return [*self.parameters, *self.given.values()]

    def _fresh(self, wanted: str) -> str:
        names = {one["name"] for one in self.all_parameters()}
        return next(name for name in (wanted, *(f"{wanted}_{i}" for i in range(99))) if name not in names)

    def known(self, wanted: str, default: str) -> str:
        """A reference to a parameter whose value is known at compile."""
        if wanted not in self.given:
            self.given[wanted] = {"name": self._fresh(f"known_{wanted}"), "type": "string", "default": default}
        return f"{{{{params.{self.given[wanted]['name']}}}}}"

    def string(self) -> str:
        """A reference to a parameter of type string that has no default."""
        self.given.setdefault("string", {"name": self._fresh("any_string"), "type": "string"})
        return f"{{{{ params.{self.given['string']['name']} }}}}"

    def references(self) -> list[tuple[str, str]]:
        """All references that are known at run time, with their types."""
        params = [(f"{{{{params.{one['name']}}}}}", one["type"]) for one in self.all_parameters()]
        return [*params, *self.outputs, ("{{run.id}}", "run"), ("{{ run.name }}", "run")]

    def whole(self, *kinds: str) -> st.SearchStrategy[str]:
        """A field that is one reference of one of these types."""
        return st.sampled_from([self.string(), *(text for text, kind in self.references() if kind in kinds)])

    def text(self, literal: st.SearchStrategy[str] = TEXTS, *, simple: bool = False) -> st.SearchStrategy[str]:
        """Literal text and references, in any mixture; `simple` leaves out those to arrays and objects."""
        known = [text for text, kind in self.references() if not simple or kind not in ("array", "object")]
        references = st.sampled_from(known)
        mixed = st.tuples(literal, st.lists(st.tuples(references, literal), max_size=3)).map(_mixed)
        return references | mixed

    def path(self, inside: str = "", kind: str | None = None) -> tuple[str, str]:
        """A new path and its kind."""
        kind = kind or self.draw(st.sampled_from(["file", "directory"]))
        self.taken.append("")
        name = self.draw(v.FILES if kind == "file" else v.FOLDERS)
        if kind == "file":
            self.file_names.add(name)
        return f"{inside}/p{len(self.taken)}/{name}", kind

    def shared(self) -> dict[str, st.SearchStrategy[Any]]:
        """Fields that tasks and defaults share."""
        return {
            "imagePullPolicy": st.sampled_from(["Always", "IfNotPresent", "Never"]),
            "imagePullSecrets": st.lists(
                st.sampled_from(["pull", {"name": "pull-2"}]) | st.builds(dict, name=self.whole("string")), max_size=2
            ),
            "env": self._env(),
            "resources": self._resources(),
            "nodeSelector": st.dictionaries(
                v.LABEL_KEYS, v.LABEL_VALUES | st.just(self.known("zone", "eu-1")), max_size=2
            ),
            "tolerations": st.lists(_TOLERATIONS, max_size=2),
            "securityContext": st.sampled_from(
                [{"runAsUser": 1000}, {"runAsUser": 0, "runAsGroup": 0}, {"runAsNonRoot": True}, {"runAsNonRoot": False}, {}]
            ),
            "labels": st.dictionaries(v.LABEL_KEYS, v.LABEL_VALUES, max_size=2),
            "annotations": st.dictionaries(v.LABEL_KEYS, ANY.filter(lambda text: _annotation(text)), max_size=2),
            "retry": self._retry(),
            "timeout": v.DURATIONS | st.just(self.known("wait", "90s")),
            "cache": st.booleans(),
        }

    def _env(self) -> st.SearchStrategy[list[Json]]:
        name = self.whole("string", "run")
        reference = st.builds(dict, name=st.just("conf-1") | name, key=st.sampled_from(["a", "B_c.d-e"]))
        optional = st.builds(lambda one, flag: one | {"optional": flag}, reference, st.booleans())
        source = st.one_of(
            st.builds(dict, secretKeyRef=reference | optional),
            st.builds(dict, configMapKeyRef=reference | optional),
            st.sampled_from([{"fieldRef": {"fieldPath": path}} for path in ("metadata.name", "metadata.labels['a.b/c']", "status.podIP")]),
            st.just({"fieldRef": {"fieldPath": "spec.nodeName", "apiVersion": "v1"}}),
        )
        variable = st.one_of(
            st.fixed_dictionaries({"name": v.ENV_NAMES}, optional={"value": self.text()}),
            st.builds(dict, name=v.ENV_NAMES, valueFrom=source),
        )
        return st.lists(variable, max_size=3, unique_by=lambda one: one["name"])

    def _resources(self) -> st.SearchStrategy[Json]:
        reference = self.whole("string", "integer", "number")
        requests = st.fixed_dictionaries({}, optional={"cpu": v.CPUS[0] | reference, "memory": v.MEMORIES[0] | reference})
        limits = st.fixed_dictionaries(
            {},
            optional={
                "cpu": v.CPUS[1] | reference,
                "memory": v.MEMORIES[1] | reference,
                "nvidia.com/gpu": st.sampled_from([1, "2", "1e0"]) | reference,
            },
        )
        return st.fixed_dictionaries({}, optional={"requests": requests, "limits": limits})

    def _retry(self) -> st.SearchStrategy[Json]:
        duration = v.DURATIONS | st.just(self.known("wait", "90s"))
        return st.fixed_dictionaries(
            {"limit": st.integers(0, 100)},
            optional={
                "backoff": duration,
                "factor": st.integers(1, 10),
                "maxBackoff": duration,
                "on": st.sampled_from(["exit", "pod"]),
            },
        )


def _mixed(parts: tuple[str, list[tuple[str, str]]]) -> str:
    first, rest = parts
    return written(first) + "".join(reference + written(text) for reference, text in rest)


def _annotation(text: str) -> bool:
    return not any(bad in text for bad in ("{{", "$(", "$$"))


_TOLERATIONS = st.one_of(
    st.just({"operator": "Exists"}),
    st.builds(
        dict, key=v.LABEL_KEYS, value=v.LABEL_VALUES, effect=st.sampled_from(["NoSchedule", "PreferNoSchedule"])
    ),
    st.just({"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30}),
    st.just({"key": "gpu", "operator": "Equal", "value": "yes"}),
)
_TERM = st.sampled_from(
    [
        {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}]},
        {"matchExpressions": [{"key": "gpu", "operator": "Exists"}, {"key": "n", "operator": "Gt", "values": ["3"]}]},
        {"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["node-1"]}]},
    ]
)
_AFFINITY = st.fixed_dictionaries(
    {},
    optional={
        "requiredDuringSchedulingIgnoredDuringExecution": st.builds(
            dict, nodeSelectorTerms=st.lists(_TERM, min_size=1, max_size=2)
        ),
        "preferredDuringSchedulingIgnoredDuringExecution": st.lists(
            st.builds(dict, weight=st.integers(1, 100), preference=_TERM), max_size=2
        ),
    },
)


def task_of(pool: Pool, id_: str, *, has_image: bool) -> Json:
    """A task; what it puts out is in the pool afterwards."""
    draw = pool.draw
    kind = draw(st.sampled_from(["job", "job", "container", "loadData"]))
    task: Json = {"id": id_, "type": kind}
    puts_out: list[tuple[str, str]] = []
    if kind == "loadData":
        _load_data(pool, task)
    else:
        if kind == "container":
            task["advance"] = "auto"
            if draw(st.booleans()):
                task["ports"] = [{"containerPort": 8080}, {"containerPort": 1, "name": "ssh-2"}]
        if not has_image or draw(st.booleans()):
            task["image"] = draw(v.IMAGES | pool.whole("string"))
        _command(pool, task)
        puts_out = _outputs(pool, task)
    known = pool.shared() | {
        "name": SHOWN,
        "description": SHOWN,
        "volumes": _mounts(pool),
        "nodeAffinity": _AFFINITY,
        "runWhen": st.just("success"),
        "inherit": st.booleans(),
        "position": v.EDITOR,
        "ui": v.EDITOR,
        "x-editor": v.EDITOR,
    }
    for name in draw(st.lists(st.sampled_from(sorted(known)), unique=True, max_size=6)):
        task[name] = draw(known[name])
    pool.outputs += puts_out
    return task


def _load_data(pool: Pool, task: Json) -> None:
    draw = pool.draw
    task["path"], _ = pool.path()
    url = draw(st.sampled_from(["https://example.org/a.zip", "http://h/x?a=$$b&c=%7B", "s3://bucket/key", "minio://b/k", "param", "mixed"]))
    if url == "param":
        task |= {"url": pool.string(), "source": draw(st.sampled_from(["http", "store"]))}
    elif url == "mixed":
        task["url"] = "https://h/" + draw(pool.text(simple=True))
    else:
        task["url"] = url
    optional = {
        "sha256": st.just(v.DIGEST) | st.just(pool.known("digest", v.DIGEST)),
        "decompress": st.sampled_from(["auto", "none"]),
        "maxBytes": st.integers(1, 2**53),
    }
    if "s3" not in url and url not in ("minio://b/k", "param"):
        optional["headersFrom"] = st.just({"secretName": "headers"})
    for name in draw(st.lists(st.sampled_from(sorted(optional)), unique=True)):
        task[name] = draw(optional[name])


def _command(pool: Pool, task: Json) -> None:
    draw = pool.draw
    words = st.lists(pool.text(), max_size=3)
    if draw(st.booleans()):
        task["script"] = draw(pool.text(FILLED))
    else:
        task["command"] = [draw(pool.text(FILLED)), *draw(words)]
    if draw(st.booleans()):
        task["args"] = draw(words)
    if draw(st.booleans()):
        task["workingDir"] = pool.path(kind="directory")[0]
    if draw(st.booleans()):
        task["packagesToInstall"] = draw(
            st.lists(st.sampled_from(["numpy==2.1", " torch>=2 ", "a[b]; python_version<'4'", pool.known("pkg", "x==1")]))
        )
    if draw(st.booleans()):
        task["files"] = [_file(pool) for _ in range(draw(st.integers(0, 2)))]


def _outputs(pool: Pool, task: Json) -> list[tuple[str, str]]:
    draw, reference, found = pool.draw, f"{{{{tasks.{task['id']}.", []
    if draw(st.booleans()):
        task["outputs"] = []
        for name in draw(st.lists(v.NAMES, max_size=2, unique=True)):
            kind = draw(st.sampled_from(v.TYPES))
            task["outputs"].append({"name": name, "type": kind, "path": pool.path(kind="file")[0]})
            found.append((f"{reference}outputs.{name}}}}}", kind))
    if draw(st.booleans()):
        task["metrics"] = pool.path(kind="file")[0]
        for key in draw(st.lists(v.METRICS, max_size=2, unique=True)):
            found.append((f"{reference}metrics.{key}}}}}", "number"))
    return found


def _file(pool: Pool) -> Json:
    file: Json = {"path": pool.path(kind="file")[0]}
    if pool.draw(st.booleans()):
        return file | {"content": base64.b64encode(pool.draw(st.binary(max_size=40))).decode(), "encoding": "base64"}
    return file | {"content": pool.draw(TEXTS)}


def _mounts(pool: Pool) -> st.SearchStrategy[list[Json]]:
    kinds: list[st.SearchStrategy[Json]] = [
        st.fixed_dictionaries(
            {"secret": st.just("secret-1") | pool.whole("string", "run")}, optional={"optional": st.booleans()}
        ),
        st.fixed_dictionaries({"configMap": st.just("map-1")}, optional={"optional": st.booleans()}),
        st.sampled_from(
            [{"emptyDir": {}}, {"emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}, {"emptyDir": {"medium": ""}}]
        ),
        st.just({"emptyDir": {"sizeLimit": pool.known("size", "10Gi")}}),
    ]
    if pool.volumes:
        kinds.append(
            st.fixed_dictionaries(
                {"id": st.sampled_from([one["id"] for one in pool.volumes])},
                optional={"acl": st.sampled_from(["RW", "RO"]), "subPath": st.sampled_from(["", ".", "a/b", "데 이터"])},
            )
        )

    def placed(mount: Json) -> Json:
        return mount | {"mountPath": pool.path(kind="directory")[0]}

    return st.lists(st.one_of(kinds), max_size=3).map(lambda mounts: [placed(mount) for mount in mounts])
