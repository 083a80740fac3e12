"""What a document made at random has so far, for what comes next to refer to; and the fields that tasks and defaults share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from . import values as v
from .texts import ANY, TEXTS, written

Json = dict[str, Any]


_RUN = (("{{run.id}}", "run"), ("{{ run.name }}", "run"))


def _param(parameter: Json) -> str:
    return f"{{{{params.{parameter['name']}}}}}"


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

    def known(self, wanted: str, default: str | float) -> str:
        """A reference to a parameter whose value is known at compile."""
        if wanted not in self.given:
            kind = "string" if isinstance(default, str) else "number"
            self.given[wanted] = {"name": self._fresh(f"known_{wanted}"), "type": kind, "default": default}
        return f"{{{{params.{self.given[wanted]['name']}}}}}"

    def string(self) -> str:
        """A reference to a parameter of type string that has no default."""
        self.given.setdefault("string", {"name": self._fresh("any_string"), "type": "string"})
        return f"{{{{ params.{self.given['string']['name']} }}}}"

    def claim(self) -> str:
        """A reference to a parameter that names a claim, and nothing else: a claim and a secret of one name are refused."""
        self.given.setdefault("claim", {"name": self._fresh("any_claim"), "type": "string"})
        return _param(self.given["claim"])

    def references(self) -> list[tuple[str, str]]:
        """All references that are known at run time, with their types."""
        return [*((_param(one), one["type"]) for one in self.all_parameters()), *self.outputs, *_RUN]

    def whole(self, *kinds: str) -> st.SearchStrategy[str]:
        """A field that is one reference of one of these types, to what nobody knows at compile: a default must fit too."""
        free = [one for one in self.all_parameters() if one is not self.given.get("claim")]
        unknown = [(_param(one), one["type"]) for one in free if "default" not in one]
        known = [*unknown, *self.outputs, *_RUN]
        return st.sampled_from([self.string(), *(text for text, kind in known if kind in kinds)])

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
                st.sampled_from(["pull", {"name": "pull-2"}])
                | st.builds(dict, name=self.whole("string") | st.just(self.known("pull", "pull-3"))),
                max_size=2,
                unique_by=_name_of,
            ),
            "env": self._env(),
            "resources": self._resources(),
            "nodeSelector": st.dictionaries(
                v.LABEL_KEYS, v.LABEL_VALUES | st.just(self.known("zone", "eu-1")), max_size=2
            ),
            "tolerations": st.lists(_TOLERATIONS, max_size=2),
            "securityContext": st.sampled_from(
                [
                    {"runAsUser": 1000},
                    {"runAsUser": 0, "runAsGroup": 0},
                    {"runAsNonRoot": True},
                    {"runAsNonRoot": False},
                    {},
                ]
            ),
            "labels": st.dictionaries(v.LABEL_KEYS, v.LABEL_VALUES, max_size=2),
            "annotations": st.dictionaries(v.LABEL_KEYS, ANY.filter(lambda text: _annotation(text)), max_size=2),
            "retry": self._retry(),
            "timeout": v.DURATIONS | st.just(self.known("wait", "90s")),
            "cache": st.booleans(),
        }

    def _env(self) -> st.SearchStrategy[list[Json]]:
        name = self.whole("string", "run")
        reference = st.builds(
            dict,
            name=st.just("conf-1") | name | st.just(self.known("conf", "conf.of-2")),
            key=st.sampled_from(["a", "B_c.d-e", ".a", "x" * 253]),
        )
        optional = st.builds(lambda one, flag: one | {"optional": flag}, reference, st.booleans())
        source = st.one_of(
            st.builds(dict, secretKeyRef=reference | optional),
            st.builds(dict, configMapKeyRef=reference | optional),
            st.sampled_from(
                [
                    {"fieldRef": {"fieldPath": path}}
                    for path in ("metadata.name", "metadata.labels['a.b/c']", "status.podIP")
                ]
            ),
            st.just({"fieldRef": {"fieldPath": "spec.nodeName", "apiVersion": "v1"}}),
        )
        variable = st.one_of(
            st.fixed_dictionaries({"name": v.ENV_NAMES}, optional={"value": self.text()}),
            st.builds(dict, name=v.ENV_NAMES, valueFrom=source),
        )
        return st.lists(variable, max_size=3, unique_by=lambda one: one["name"])

    def _resources(self) -> st.SearchStrategy[Json]:
        reference = self.whole("string", "integer", "number")
        requests = st.fixed_dictionaries(
            {},
            optional={
                "cpu": v.CPUS[0] | reference | self._amount("asked_cpu", v.CPUS[0]),
                "memory": v.MEMORIES[0] | reference | self._amount("asked_memory", v.MEMORIES[0]),
            },
        )
        limits = st.fixed_dictionaries(
            {},
            optional={
                "cpu": v.CPUS[1] | reference | self._amount("most_cpu", v.CPUS[1]),
                "memory": v.MEMORIES[1] | reference | self._amount("most_memory", v.MEMORIES[1]),
                "nvidia.com/gpu": v.DEVICES | reference | self._amount("devices", v.DEVICES),
            },
        )
        return st.fixed_dictionaries({}, optional={"requests": requests, "limits": limits})

    def _amount(self, wanted: str, amounts: st.SearchStrategy[str | float]) -> st.SearchStrategy[str]:
        """A reference to a parameter whose default is one of these quantities, a number or a text."""
        return amounts.map(lambda amount: self.known(f"{wanted}_{len(self.given)}", amount))

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
        ).filter(lambda retry: retry.get("on") != "pod" or "maxBackoff" not in retry)


def _mixed(parts: tuple[str, list[tuple[str, str]]]) -> str:
    first, rest = parts
    return written(first) + "".join(reference + written(text) for reference, text in rest)


def _name_of(secret: str | Json) -> str:
    return (secret if isinstance(secret, str) else str(secret["name"])).replace(" ", "")


def _annotation(text: str) -> bool:
    control = any(char < " " and char not in "\b\t\n\f\r" for char in text)
    return not control and not any(bad in text for bad in ("{{", "$(", "$$"))


_TOLERATIONS = st.one_of(
    st.just({"operator": "Exists"}),
    st.builds(dict, key=v.LABEL_KEYS, value=v.LABEL_VALUES, effect=st.sampled_from(["NoSchedule", "PreferNoSchedule"])),
    st.just({"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30}),
    st.just({"key": "gpu", "operator": "Equal", "value": "yes"}),
)
