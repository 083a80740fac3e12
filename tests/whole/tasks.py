"""Valid tasks, made at random: loadData, job, container and notebook."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import strategies as st

from . import values as v
from .gates import executed, gated
from .pool import Pool
from .texts import FILLED, SHOWN, TEXTS

Json = dict[str, Any]


_EXPRESSIONS = st.one_of(
    st.builds(
        dict,
        key=v.LABEL_KEYS,
        operator=st.sampled_from(["In", "NotIn"]),
        values=st.lists(v.LABEL_VALUES, min_size=1, max_size=2),
    ),
    st.builds(dict, key=v.LABEL_KEYS, operator=st.sampled_from(["Exists", "DoesNotExist"])),
    st.builds(
        dict,
        key=v.LABEL_KEYS,
        operator=st.sampled_from(["Gt", "Lt"]),
        values=st.integers(0, 2**63 - 1).map(lambda number: [str(number)]) | st.just(["007"]),
    ),
)
_FIELDS = st.builds(
    dict,
    key=st.just("metadata.name"),
    operator=st.sampled_from(["In", "NotIn"]),
    values=st.sampled_from([["node-1"], ["1.example.org"], ["a" * 63 + ".b"]]),
)
_TERM = st.one_of(
    st.builds(dict, matchExpressions=st.lists(_EXPRESSIONS, min_size=1, max_size=2)),
    st.builds(dict, matchFields=st.lists(_FIELDS, min_size=1, max_size=2)),
    st.builds(dict, matchExpressions=st.lists(_EXPRESSIONS, max_size=1), matchFields=st.lists(_FIELDS, min_size=1)),
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
    kind = draw(st.sampled_from(["job", "job", "container", "notebook", "loadData"]))
    task: Json = {"id": id_, "type": kind}
    puts_out: list[tuple[str, str]] = []
    if kind == "loadData":
        _load_data(pool, task)
    else:
        waits = kind in ("container", "notebook") and draw(st.booleans())
        if kind == "container" and draw(st.booleans()):
            task["ports"] = [{"containerPort": 8080}, {"containerPort": 1, "name": "ssh-2"}]
        if not has_image or draw(st.booleans()):
            task["image"] = draw(v.IMAGES | pool.whole("string"))
        if waits:
            puts_out = gated(pool, task)
        elif kind == "container":
            task["advance"] = "auto"
        elif kind == "notebook":
            executed(pool, task)
        if kind != "notebook" and not (waits and draw(st.booleans())):
            _command(pool, task)
        _surroundings(pool, task)
        puts_out += _outputs(pool, task)
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
    if "gate" in task:
        known |= {"timeout": st.sampled_from(["30d", "721h"])}
        del known["retry"]
    for name in draw(st.lists(st.sampled_from(sorted(known)), unique=True, max_size=6)):
        task[name] = draw(known[name])
    pool.outputs += puts_out
    return task


def _load_data(pool: Pool, task: Json) -> None:
    draw = pool.draw
    task["path"], _ = pool.path()
    url = draw(
        st.sampled_from(
            ["https://example.org/a.zip", "http://h/x?a=$$b&c=%7B", "s3://bucket/key", "minio://b/k", "param", "mixed"]
        )
    )
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


def _surroundings(pool: Pool, task: Json) -> None:
    draw = pool.draw
    if draw(st.booleans()):
        task["workingDir"] = pool.path(kind="directory")[0]
    if draw(st.booleans()):
        task["packagesToInstall"] = draw(
            st.lists(
                st.sampled_from(["numpy==2.1", " torch>=2 ", "a[b]; python_version<'4'", pool.known("pkg", "x==1")])
            )
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
            {"secret": st.sampled_from(["secret-1", pool.known("secret", "secret-9")]) | pool.whole("string", "run")},
            optional={"optional": st.booleans()},
        ),
        st.fixed_dictionaries(
            {"configMap": st.sampled_from(["map-1", pool.known("map", "map-9")])}, optional={"optional": st.booleans()}
        ),
        st.sampled_from(
            [{"emptyDir": {}}, {"emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}}, {"emptyDir": {"medium": ""}}]
        ),
        st.just({"emptyDir": {"sizeLimit": pool.known("size", "10Gi")}}),
    ]
    if pool.volumes:
        kinds.append(
            st.fixed_dictionaries(
                {"id": st.sampled_from([one["id"] for one in pool.volumes])},
                optional={
                    "acl": st.sampled_from(["RW", "RO"]),
                    "subPath": st.sampled_from(["", ".", "a/b", "데 이터"]),
                },
            )
        )

    def placed(mount: Json) -> Json:
        return mount | {"mountPath": pool.path(kind="directory")[0]}

    return st.lists(st.one_of(kinds), max_size=3).map(lambda mounts: [placed(mount) for mount in mounts])
