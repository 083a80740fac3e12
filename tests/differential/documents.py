"""Documents that do something, made at random from a number: the same number, the same document."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from random import Random
from typing import Any

from . import scripts, values
from .world import CLAIM, STORE

Json = dict[str, Any]
_IDS = ["make", "Train_1", "4-b", "evaluate", "z", "metrics", "con1", "x" * 40]
_FROM = ["/out", "/outer/inner", "/data set/ü", "/a/b.c/d", "/models/v1.2"]
_FROM_FILE = ["/res/model.bin", "/res/a b.txt", "/out.d/Makefile.am"]


@dataclass
class _Made:
    """A task on its way: its lines come last, when its arrows are known."""

    task: Json
    outs: list[Json] = field(default_factory=list)
    ins: list[tuple[str, str]] = field(default_factory=list)
    before: set[str] = field(default_factory=set)
    shares: set[str] = field(default_factory=set)
    results: list[str] = field(default_factory=list)


def document(seed: int) -> Json:
    """A document of two to six tasks; seldom one that is not valid."""
    return _Maker(Random(seed), Random(f"gates of {seed}")).document()


def varied(document: Json, seed: int) -> Json:
    """Other values for its parameters, but for where things lie."""
    random = Random(seed)
    found = document.get("parameters", [])
    return {one["name"]: values.value(random, one["type"]) for one in found if one["name"].startswith("p_")}


class _Maker:
    def __init__(self, random: Random, gates: Random) -> None:
        self.random = random
        self.gates = gates
        self.made: list[_Made] = []
        self.arrows: list[Json] = []
        self.volumes: list[Json] = []
        self.parameters: list[Json] = []
        self.references: list[tuple[str | None, str]] = []
        self.user: Json = {}

    def chance(self, of: float) -> bool:
        return self.random.random() < of

    def document(self) -> Json:
        random = self.random
        self._parameters()
        if self.chance(0.3):
            self.user = random.choice([{"runAsUser": 1000}, {"runAsUser": 0}, {"runAsUser": 7, "runAsGroup": 9}])
        if self.chance(0.5):
            self.volumes.append({"id": "nas", "claimName": random.choice([CLAIM, "{{params.claim}}"])})
        if self.chance(0.4):
            self.volumes.append({"id": "work", "create": {"size": "1Gi"}})
        for volume in self.volumes:
            if self.chance(0.2):
                volume["prepare"] = False
        for id_ in random.sample(_IDS, random.randint(2, 6)):
            self._task(id_)
        for one in self.made:
            self._script(one)
        defaults: Json = {"image": "python:3.11-slim"}
        if self.user:
            defaults["securityContext"] = self.user
        if self.chance(0.2):
            defaults["env"] = [{"name": "E1", "value": self._text(None)}]
        if self.chance(0.1):
            defaults["retry"] = {"limit": 1}
        found: Json = {"apiVersion": "kade2kfp/v1", "name": "flow", "parameters": self.parameters}
        found |= {"volumes": self.volumes, "defaults": defaults}
        return found | {"tasks": [one.task for one in self.made], "arrows": self.arrows}

    def _parameters(self) -> None:
        for name, default in (("claim", CLAIM), ("secret", "keys"), ("base", "http://127.0.0.1:9")):
            self.parameters.append({"name": name, "type": "string", "default": default})
        for kind in self.random.sample(values.TYPES, self.random.randint(0, 4)):
            name = f"p_{kind}"
            self.parameters.append({"name": name, "type": kind, "default": values.value(self.random, kind)})
            self.references.append((None, f"params.{name}"))

    def _task(self, id_: str) -> None:
        random = self.random
        if self.chance(0.12):
            self._load_data(id_)
            return
        task: Json = {"id": id_, "type": "job"}
        if self.chance(0.2):
            task |= {"type": "container"} | self._gate()
        one = _Made(task)
        for other in random.sample(self.made, min(len(self.made), random.choice([0, 1, 1, 1, 2, 2, 3]))):
            self._arrow(other, one)
        for volume in self.volumes:
            if self.chance(0.4):
                mount = {"id": volume["id"], "mountPath": f"/mnt/{volume['id']}"}
                task.setdefault("volumes", []).append(mount)
                one.shares.add(volume["id"])
        self._mounts(task)
        if self.chance(0.6):
            task["args"] = [self._text(one) for _ in range(random.randint(1, 3))]
        if self.chance(0.5):
            task["env"] = [{"name": "E0", "value": self._text(one)}]
        self._env(task)
        if self.chance(0.15):
            places = ["/tmp", *[path for path, kind in one.ins if kind != "file"]]
            # A user's own file system is root's in a pod; on this machine it is the user's.
            task["workingDir"] = random.choice(places if self.user else [*places, "/work/dir"])
        if self.chance(0.2) and "gate" not in task:
            task["retry"] = {"limit": random.randint(1, 2)}
        if self.chance(0.1):
            task["inherit"] = False
        self._results(one)
        self.made.append(one)

    def _gate(self) -> Json:
        """A container that goes on by itself, or one with a gate that needs nobody: its command ends, or the time is over."""
        gates = self.gates
        if gates.random() < 0.4:
            return {"advance": "auto"}
        names = gates.sample(["lr", "LR", "a_b", "note"], gates.randint(0, 2))
        kinds = [(name, gates.choice(values.TYPES)) for name in names]
        asked = [{"name": name, "type": kind, "default": values.value(gates, kind)} for name, kind in kinds]
        said: Json = gates.choice([{}, {"onReject": "route"}, {"onReject": "fail"}])
        if gates.random() < 0.6:
            said |= {"timeout": "60s", "onExit": gates.choice(["advance", "advance", "advance", "fail"])}
        else:
            said |= {"timeout": "1s", "onTimeout": gates.choice(["resume", "reject"])}
        return {"gate": said | {"message": str(values.value(gates, "string")).replace("{{", "{{{{"), "values": asked}}

    def _results(self, one: _Made) -> None:
        """Output parameters and metrics, and what is said at a gate, which tasks made later may refer to."""
        task, random = one.task, self.random
        if "gate" in task:
            names = ["decision", *(f"values.{value['name']}" for value in task["gate"]["values"])]
            self.references += [(task["id"], f"tasks.{task['id']}.{name}") for name in names]
        for number in range(random.choice([0, 0, 1, 1, 2])):
            kind, path = random.choice(values.TYPES), f"/tmp/o/{number}.txt"
            task.setdefault("outputs", []).append({"name": f"o{number}", "type": kind, "path": path})
            one.results.append(scripts.written(path, values.text(random, kind)))
            self.references.append((task["id"], f"tasks.{task['id']}.outputs.o{number}"))
        if self.chance(0.35):
            task["metrics"] = "/tmp/m/metrics.json"
            numbers = {key: random.choice(values.METRICS) for key in ("acc", "n.b", "ä")}
            wrong = random.choice(values.NOT_METRICS) if self.chance(0.3) else "1"
            inside = ", ".join(f'"{key}": {number}' for key, number in {**numbers, "other": wrong}.items())
            one.results.append(scripts.written(task["metrics"], f"{{{inside}}}\n"))
            for key in ["acc", "n.b", *(["other"] if self.chance(0.05) else [])]:
                self.references.append((task["id"], f"tasks.{task['id']}.metrics.{key}"))

    def _load_data(self, id_: str) -> None:
        task: Json = {"id": id_, "type": "loadData", "path": self.random.choice(["/data", "/in put/set"])}
        url, more = self.random.choice(
            [
                ("{{params.base}}/set.zip", {"source": "http"}),
                ("{{params.base}}/set/a.txt", {"source": "http", "decompress": "none"}),
                ("{{params.base}}/none", {"source": "http"}),
                (f"{STORE}/set", {}),
                (f"{STORE}/set.zip", {}),
            ]
        )
        self.made.append(_Made(task | {"url": url} | more))

    def _arrow(self, one: _Made, other: _Made) -> None:
        random = self.random
        number = len(other.ins)
        other.before |= one.before | {one.task["id"]}
        if one.task["type"] == "loadData":
            out = {"fromPath": one.task["path"], "kind": "directory"}
        elif self.chance(0.15):
            self.arrows.append({"fromTask": one.task["id"], "toTask": other.task["id"]})
            return
        elif one.outs and self.chance(0.6):
            out = random.choice(one.outs)
        else:
            out = self._out(one)
        if out["kind"] == "file":
            to_path = random.choice([f"/in/{number}/f.bin", f"/in folder/{number}"])
            there = to_path if to_path.endswith(".bin") else f"{to_path}/{out['fromPath'].rpartition('/')[2]}"
        else:
            to_path = there = random.choice([f"/in/{number}", f"/ein gang/{number}/x"])
        arrow: Json = {"fromTask": one.task["id"], **out, "toTask": other.task["id"], "toPath": to_path}
        if out["kind"] == "file" and not to_path.endswith(".bin"):
            arrow.pop("kind")  # it goes into a folder, as with cp
        self.arrows.append(arrow)
        other.ins.append((there, out["kind"]))

    def _out(self, one: _Made) -> Json:
        kind = self.random.choice(["directory", "directory", "file"])
        taken = [out["fromPath"] for out in one.outs]
        free = [path for path in (_FROM if kind == "directory" else _FROM_FILE) if path not in taken]
        out: Json = {"fromPath": self.random.choice(free), "kind": kind} if free else dict(one.outs[0])
        shared = [volume["id"] for volume in self.volumes]
        if free and shared and self.chance(0.4):
            out["volume"] = self.random.choice(shared)
        elif free and self.chance(0.2) and one.shares and kind == "directory":
            out["fromPath"] = f"/mnt/{min(one.shares)}/kept by {one.task['id']}"
        one.outs.append(out)
        return out

    def _mounts(self, task: Json) -> None:
        mounts = task.setdefault("volumes", [])
        if self.chance(0.2):
            mounts.append({"emptyDir": self.random.choice([{}, {"medium": "Memory"}]), "mountPath": "/scratch/e"})
        if self.chance(0.15):
            mounts.append({"secret": self.random.choice(["keys", "{{params.secret}}"]), "mountPath": "/secrets/keys"})
        if self.chance(0.15):
            mounts.append({"configMap": "settings", "mountPath": "/etc/settings"})
        if self.chance(0.1):
            mounts.append({"secret": "none", "optional": True, "mountPath": "/secrets/none"})
        if self.chance(0.1) and self.volumes:
            mounts.append({"id": self.volumes[0]["id"], "subPath": "base", "acl": "RO", "mountPath": "/mnt/base"})

    def _env(self, task: Json) -> None:
        choices: list[Json] = [
            {"name": "S_TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
            {"name": "S_PEM", "valueFrom": {"secretKeyRef": {"name": "{{params.secret}}", "key": "pem"}}},
            {"name": "S_NONE", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "none", "optional": True}}},
            {"name": "C_MODE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "mode"}}},
            {"name": "C_EMPTY", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "empty"}}},
            {"name": "C_NONE", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "x", "optional": True}}},
            {"name": "E2", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['team']"}}},
        ]
        if self.chance(0.35):
            task.setdefault("env", []).extend(self.random.sample(choices, self.random.randint(1, 3)))
            task["labels"] = {"team": "a"}

    def _text(self, one: _Made | None) -> str:
        """A text with references or none; a reference makes its task one that comes before."""
        known = [(task, name) for task, name in self.references if one is not None or task is None]
        if not known or self.chance(0.3):
            return str(values.value(self.random, "string")).replace("{{", "{{{{")
        task, name = self.random.choice(known)
        if one is not None and task is not None:
            one.before |= {task} | next(other.before for other in self.made if other.task["id"] == task)
        return self.random.choice(["{{%s}}", "{{ %s }}", "a {{%s}} b", "--x={{%s}}", "$({{%s}}$"]) % name

    def _script(self, one: _Made) -> None:
        """The lines, from what came in to what goes out."""
        task, random = one.task, self.random
        if task["type"] == "loadData":
            return
        if _just_waits(task):
            task.pop("args", None)
            return
        if not one.outs and not one.results and self.chance(0.3):
            task["command"] = random.choice([["printf", "%s,"], ["env", "-i", "echo"], ["/no/such/program"], ["false"]])
            return
        lines = [":", *scripts.said(random)]
        for path, kind in one.ins:
            lines += scripts.read(random, path, kind)
        lines += self._mounted(one)
        if self.chance(0.3) and self.references:
            params = [name for task_id, name in self.references if task_id is None]
            lines += [f"cat <<'END'\n{{{{{random.choice(params)}}}}}\nEND"] if params else []
        if "retry" in task:
            lines.insert(random.randint(0, len(lines)), scripts.tried_again(random))
        if self.chance(0.3):
            path = random.choice(["/code/run.sh", "/code/a b.sh"])
            content = '#!/bin/sh\necho "ran $0 $#"; pwd\n'
            file: Json = {"path": path, "content": content}
            if self.chance(0.5):
                file |= {"content": base64.b64encode(content.encode()).decode(), "encoding": "base64"}
            task["files"] = [file]
            lines.append(f"'{path}' one two; sh '{path}'")
        for out in one.outs:
            lines += scripts.filled(random, out["fromPath"], out["kind"])
            same = [path for path, kind in one.ins if kind == out["kind"]]
            if same and self.chance(0.4):
                lines += scripts.handed_on(random, out["fromPath"], random.choice(same), out["kind"])
        lines += one.results
        task["script"] = "\n".join(line if line.startswith("cat <<") else _literal(line) for line in lines)

    def _mounted(self, one: _Made) -> list[str]:
        found = []
        for mount in one.task.get("volumes", []):
            path = mount["mountPath"]
            if "emptyDir" in mount:
                found.append(f"ls -A {path}; echo x > {path}/x; cat {path}/x")
            elif "secret" in mount or "configMap" in mount:
                found.append(f"ls {path}; cat {path}/* 2>/dev/null | cksum")
            elif mount.get("acl") == "RO":
                found.append(f"ls {path}")
            else:
                id_ = one.task["id"]
                known = [other for other in self.made if other.task["id"] in one.before and mount["id"] in other.shares]
                found.append(f"echo by {id_} >> {path}/'of {id_}'; chmod +x {path}/'of {id_}'")
                found += [f"cat {path}/'of {other.task['id']}'" for other in known]
        return found


def _just_waits(task: Json) -> bool:
    """Whether nothing runs behind the task's gate: where the time decides, a command would be ended anywhere."""
    return str(task.get("gate", {}).get("timeout")) == "1s"


def _literal(line: str) -> str:
    return line.replace("{{", "{{{{")
