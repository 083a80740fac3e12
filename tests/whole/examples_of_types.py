"""Values that can be recognised for the fields of each type of task, and of the rest of a document."""

from __future__ import annotations

from .examples_of_fields import CHANGES, CONTENT, DATA, DIGEST, EDITORS, HOLDS, LOGS, POD, SOURCE, TASK, Row

_ALWAYS: Row = ({"runWhen": "always"}, {"runWhen": CHANGES})
_GATE = {
    "timeout": "77s",
    "onTimeout": "resume",
    "onExit": "advance",
    "onReject": "route",
    "message": "the question",
    "values": [
        {
            "name": "n",
            "type": "number",
            "default": 3,
            "description": "What it is.",
            "enum": [3, 4],
            "minimum": 3,
            "maximum": 4,
        },
        {"name": "s", "type": "string", "default": "the default", "pattern": "^the"},
    ],
}
# What the commands are told of a gate stands in an annotation, what the step is told among its arguments.
_GATED: Row = (
    {"advance": "manual", "gate": _GATE},
    {
        "gate": ("the question", "77 resume advance route"),
        "gate.timeout": (" 77 resume", '"timeout":77'),
        "gate.onTimeout": (" 77 resume", '"onTimeout":"resume"'),
        "gate.onExit": (" resume advance",),
        "gate.onReject": (" advance route", '"onReject":"route"'),
        "gate.message": ("the question", '"message":"the question"'),
        "gate.values": ("value-n", "value-s"),
        "gate.values.name": ("value-n", "value-s"),
        "gate.values.type": ("NUMBER_DOUBLE", '"type":"number"'),
        "gate.values.default": ("=3", "=the default", '"default":3'),
        "gate.values.description": ('"description":"What it is."',),
        "gate.values.enum": ('"enum":[3,4]',),
        "gate.values.minimum": ('"minimum":3',),
        "gate.values.maximum": ('"maximum":4',),
        "gate.values.pattern": ('"pattern":"^the"',),
    },
)
_MANUAL = {"advance": "manual", "gate": {"timeout": "99s"}}
_FOR_EACH: tuple[Row, ...] = (
    (
        {"forEach": {"items": ["a", "b", "the-item"], "parallelism": 2}},
        {"forEach": ("t-the-item",), "forEach.items": ("t-the-item",), "forEach.parallelism": CHANGES},
    ),
    (
        {"forEach": {"matrix": {"a": ["the-item", 2]}, "exclude": [{"a": 2}]}},
        {"forEach.matrix": ("t-the-item",), "forEach.exclude": CHANGES},
    ),
    (
        {"forEach": {"each": "before"}, "^before": {"forEach": {"items": ["the-item"]}}},
        {"forEach.each": ("t-the-item",)},
    ),
)
_WORDS: tuple[Row, ...] = (
    ({"command": ["the-command"]}, {"command": ("the-command",)}),
    ({"command": None, "script": "the script"}, {"script": ("the script",)}),
    ({"command": ["run"], "args": ["the-argument"]}, {"args": ("the-argument",)}),
)
_SAID_OF_IT = {
    "id": ("comp-t",),
    "name": ("The Name", "the-name"),
    "description": EDITORS,
    "position": EDITORS,
    "ui": EDITORS,
}


def _of_condition(row: Row) -> Row:
    """What all tasks may have, on a condition, which has no pod."""
    return row[0], {path: _SAID_OF_IT.get(path.split(".")[0], "K209") for path in row[1]}


def _served(row: Row) -> Row:
    """What all tasks may have, on a viewer or serving, whose step is not tried again."""
    said = {"retry": "K209", "tolerations.operator": CHANGES}  # the word of the latter stands in templates/pack.py too
    return row[0], {path: said.get(path, said.get(path.split(".")[0], found)) for path, found in row[1].items()}


_COMMAND: tuple[Row, ...] = (
    *TASK,
    _ALWAYS,
    ({"image": "example.org/image:7"}, {"image": ("example.org/image:7",)}),
    ({"cache": False}, {"cache": CHANGES}),
    (
        {"inherit": False, "^before": {"env": [{"name": "A_NAME", "value": "a-telling-value"}]}, "^arrows": [DATA]},
        {"inherit": CHANGES},
    ),
    ({"workingDir": "/the/folder"}, {"workingDir": ("/the/folder",)}),
    (
        {"files": [{"path": "/the/file", "content": CONTENT, "encoding": "base64"}]},
        {
            "files": ("/the/file", CONTENT),
            "files.path": ("/the/file",),
            "files.content": (CONTENT,),
            "files.encoding": (CONTENT,),
        },
    ),
    ({"files": [{"path": "/the/file", "source": "source.txt"}]}, {"files.source": (SOURCE,)}),
    ({"packagesToInstall": ["the-package==7"]}, {"packagesToInstall": ("the-package==7",)}),
    (
        {"outputs": [{"name": "the_output", "type": "integer", "path": "/the/output"}]},
        {
            "outputs": ("the_output",),
            "outputs.name": ("the_output",),
            "outputs.type": ("NUMBER_INTEGER",),
            "outputs.path": ("/the/output",),
        },
    ),
    ({"metrics": "/the/metrics.json"}, {"metrics": ("/the/metrics.json",)}),
)

TYPES: dict[str, tuple[Row, ...]] = {
    "loadData": (
        *TASK,
        ({"runWhen": "always"}, {"runWhen": "K509"}),
        ({"type": "loadData"}, {"type": CHANGES}),
        ({"image": "example.org/image:7"}, {"image": "K209"}),
        ({"inherit": False}, {"inherit": HOLDS}),
        ({"cache": False, "sha256": DIGEST}, {"cache": CHANGES, "sha256": (DIGEST,)}),
        ({"url": "https://example.org/the-data"}, {"url": ("https://example.org/the-data",)}),
        ({"url": "{{params.p}}", "source": "http"}, {"source": CHANGES}),
        ({"path": "/the/path"}, {"path": ("/the/path",)}),
        ({"decompress": "tar.xz"}, {"decompress": CHANGES}),
        (
            {"headersFrom": {"secretName": "the-secret"}},
            {"headersFrom": ("the-secret",), "headersFrom.secretName": ("the-secret",)},
        ),
        ({"maxBytes": 7654321}, {"maxBytes": ("7654321",)}),
    ),
    "job": (*_COMMAND, *_WORDS, ({"type": "job"}, {"type": CHANGES}), *_FOR_EACH),
    "container": (
        *_COMMAND,
        *_WORDS,
        ({"type": "container"}, {"type": CHANGES}),
        (
            {"ports": [{"containerPort": 8765, "name": "the-port"}]},
            {"ports": ("8765:the-port",), "ports.containerPort": ("8765:the-port",), "ports.name": ("8765:the-port",)},
        ),
        (
            _MANUAL
            | {
                "ssh": {
                    "port": 2345,
                    "authorizedKeysFrom": {"secretKeyRef": {"name": "the-secret", "key": "the-key", "optional": True}},
                }
            },
            {
                "ssh": ("2345", "the-secret"),
                "ssh.port": ("2345", '"ssh":2345'),
                "ssh.authorizedKeysFrom": ("the-secret",),
                "ssh.authorizedKeysFrom.secretKeyRef": ("the-secret",),
                "ssh.authorizedKeysFrom.secretKeyRef.name": ("the-secret",),
                "ssh.authorizedKeysFrom.secretKeyRef.key": ("/kade/ssh/the-key",),
                "ssh.authorizedKeysFrom.secretKeyRef.optional": CHANGES,
            },
        ),
        ({"advance": "auto"}, {"advance": CHANGES}),
        (_MANUAL, {"advance": HOLDS}),
        _GATED,
    ),
    "notebook": (
        *_COMMAND,
        *((_MANUAL | patch, found) for patch, found in _WORDS),
        (
            {"startPath": "/the/start", "notebook": "the.ipynb", "type": "notebook", "advance": "auto"},
            {
                "startPath": ("/the/start/the.ipynb",),
                "notebook": ("/the/start/the.ipynb",),
                "type": CHANGES,
                "advance": CHANGES,
            },
        ),
        ({"parameters": {"rate": 7.5, "name": "{{params.p}}"}}, {"parameters": ("rate", "7.5", "name")}),
        (
            _MANUAL | {"startPath": "/the/start", "port": 8765},
            {"startPath": ("/the/start", '"startPath":"/the/start"'), "port": ("JUPYTER_PORT=8765", '"port":8765')},
        ),
        _GATED,
    ),
    "viewer": (
        *map(_served, TASK),
        ({"runWhen": "always"}, {"runWhen": "K509"}),
        ({"image": "example.org/image:7"}, {"image": ("example.org/image:7",)}),
        ({"cache": False}, {"cache": "K209"}),
        ({"inherit": False}, {"inherit": HOLDS}),
        (
            {"type": "viewer", "logPath": "/the/logs", "^arrows": [LOGS | {"toPath": "/the/logs"}], "port": 8765, "paused": True, "timeToLive": "77s"},
            {
                "type": CHANGES,
                "logPath": ("/the/logs",),
                "port": (8765,),
                "paused": CHANGES,
                "timeToLive": (77,),
            },
        ),
        (
            {"command": ["the-tool"], "packagesToInstall": ["the-package==7"]},
            {"command": ("the-tool",), "packagesToInstall": ("the-package==7",)},
        ),
        (
            {"flavor": "kubeflow", "logPath": "/logs", "^arrows": [{**LOGS, "volume": "nas"}]},
            {"flavor": ("tensorboard.kubeflow.org/v1alpha1",)},
        ),
    ),
    "serving": (
        *map(_served, TASK),
        ({"runWhen": "always"}, {"runWhen": "K509"}),
        ({"image": "example.org/image:7"}, {"image": ("example.org/image:7",)}),
        ({"cache": False}, {"cache": "K209"}),
        ({"inherit": False}, {"inherit": HOLDS}),
        (
            {
                "type": "serving",
                "framework": "onnx",
                "port": 8765,
                "replicas": 73,
                "readyTimeout": "77s",
                "packagesToInstall": ["the-package==7"],
                "example": {"path": "/the/path", "json": {"the-key": 7}},
            },
            {
                "type": CHANGES,
                "framework": ("onnx",),
                "port": (8765,),
                "replicas": (73,),
                "readyTimeout": (77,),
                "packagesToInstall": ("the-package==7",),
                "example": ("/the/path",),
                "example.path": ("/the/path",),
                "example.json": ("the-key",),
            },
        ),
        (
            {"files": [{"path": "the-file.txt", "content": CONTENT, "encoding": "base64"}]},
            {
                "files": (CONTENT, "the-file.txt"),
                "files.path": ("the-file.txt",),
                "files.content": (CONTENT,),
                "files.encoding": HOLDS,
            },
        ),
        ({"files": [{"path": "s.txt", "source": "source.txt"}]}, {"files.source": (SOURCE,)}),
        (
            {"volume": "other", "^volumes": [{"id": "nas", "claimName": "the-claim"}, {"id": "other", "claimName": "another"}]},
            {"volume": ("another",)},
        ),
        (
            {"autoscale": {"minReplicas": 43, "maxReplicas": 73, "targetCPUUtilizationPercentage": 77}},
            {
                "autoscale": (43, 73, 77),
                "autoscale.minReplicas": (43,),
                "autoscale.maxReplicas": (73,),
                "autoscale.targetCPUUtilizationPercentage": (77,),
            },
        ),
        ({"flavor": "kserve"}, {"flavor": ("serving.kserve.io/v1beta1",)}),
    ),
    "condition": (
        *map(_of_condition, TASK),
        ({"runWhen": "always"}, {"runWhen": "K509"}),
        ({"image": "example.org/image:7"}, {"image": "K209"}),
        ({"cache": False}, {"cache": "K209"}),
        ({"inherit": False}, {"inherit": HOLDS}),
        (
            {"type": "condition", "test": {"left": 4242, "operator": ">=", "right": 4343}},
            {
                "type": CHANGES,
                "test": CHANGES,
                "test.left": (4242,),
                "test.operator": (">=",),
                "test.right": (4343,),
            },
        ),
        (
            {"approval": {"message": "the question", "timeout": "77s", "onTimeout": "resume"}},
            {
                "approval": ("the question",),
                "approval.message": ("the question",),
                "approval.timeout": ("t 77 resume",),
                "approval.onTimeout": ("t 77 resume",),
            },
        ),
        (
            {"forEach": {"each": "before"}, "^before": {"forEach": {"items": ["a"]}}},
            {"forEach": "K505", "forEach.each": "K505"},
        ),
        *((row, dict.fromkeys(found, "K504")) for row, found in _FOR_EACH[:2]),
    ),
    "select": (
        *TASK,
        ({"runWhen": "always"}, {"runWhen": "K509"}),
        ({"type": "select"}, {"type": CHANGES}),
        ({"image": "example.org/image:7"}, {"image": "K209"}),
        ({"inherit": False}, {"inherit": HOLDS}),
        ({"cache": False}, {"cache": CHANGES}),
        ({"metric": "the-metric"}, {"metric": ("the-metric",)}),
        ({"mode": "min"}, {"mode": CHANGES}),
        ({"path": "/the/path"}, {"path": ("/the/path",)}),
    ),
}  # fmt: skip
"""Patches of the task `t`; `^before` patches the task before it, `^...` a field of the pipeline."""

OTHERS: dict[str, tuple[Row, ...]] = {
    "pipeline": (
        ({"$schema": "../the.schema.json"}, {"$schema": EDITORS}),
        ({"apiVersion": "kade2kfp/v1"}, {"apiVersion": CHANGES}),
        ({"name": "The Name"}, {"name": ("the-name",)}),
        ({"slug": "the-slug"}, {"slug": ("the-slug",)}),
        ({"description": "What it does."}, {"description": ("What it does.",)}),
        ({"onExit": "before", "arrows": []}, {"onExit": CHANGES}),
        (
            {
                "schedule": {
                    "cron": "0 3 * * *",
                    "timezone": "UTC",
                    "catchup": True,
                    "maxConcurrency": 3,
                    "parameters": {"p": "the-value"},
                }
            },
            dict.fromkeys(
                (
                    "schedule",
                    *(f"schedule.{one}" for one in ("cron", "timezone", "catchup", "maxConcurrency", "parameters")),
                ),
                "K513",
            ),
        ),
        ({"schedule": {"every": "8h", "parameters": {"p": "the-value"}}}, {"schedule.every": "K513"}),
        ({"labels": {"the-key": "the-value"}}, {"labels": ("the-key", "the-value")}),
        ({"timeout": "77s"}, {"timeout": (77,)}),
        ({"timeToLive": "88s"}, {"timeToLive": (88,)}),
        ({"position": {"x": 7654321}}, {"position": EDITORS}),
        ({"ui": "the editor's"}, {"ui": EDITORS}),
    ),
    "parameter": (
        (
            {
                "name": "p",
                "type": "number",
                "default": 77.5,
                "minimum": 66,
                "maximum": 88,
                "description": "What it is.",
            },
            {
                "name": ("p",),
                "type": ("NUMBER_DOUBLE",),
                "default": (77.5,),
                "minimum": ("66",),
                "maximum": ("88",),
                "description": ("What it is.",),
            },
        ),
        ({"type": "string", "enum": ["the-value"]}, {"enum": ("the-value",)}),
        ({"type": "string", "pattern": "^the.*"}, {"pattern": ("^the.*",)}),
    ),
    "volume": (
        ({"id": "nas", "claimName": "another-claim"}, {"id": CHANGES, "claimName": ("another-claim",)}),
        (
            {
                "claimName": None,
                "create": {"size": "3Gi", "accessModes": ["ReadWriteMany"], "storageClassName": "the-class"},
            },
            {
                "create": ("3Gi",),
                "create.size": ("3Gi",),
                "create.accessModes": ("ReadWriteMany",),
                "create.storageClassName": ("the-class",),
            },
        ),
        ({"prepare": False, "^arrows": [DATA | {"volume": "nas"}]}, {"prepare": CHANGES}),
    ),
    "arrow": (
        (
            DATA | {"artifactType": "Model"},
            {
                "fromTask": ("before",),
                "fromPath": ("/the/out",),
                "toTask": CHANGES,
                "toPath": ("/the/in",),
                "artifactType": ("system.Model",),
            },
        ),
        (DATA | {"kind": "file"}, {"kind": CHANGES}),
        (DATA | {"volume": "nas"}, {"volume": ("the-claim",)}),
        (
            DATA | {"inherit": False, "^before": {"env": [{"name": "A_NAME", "value": "a-telling-value"}]}},
            {"inherit": CHANGES},
        ),
        ({"branch": "then"}, {"branch": "K328"}),
        ({"id": "the-arrow"}, {"id": EDITORS}),
        ({"position": {"x": 7654321}}, {"position": EDITORS}),
        ({"ui": "the editor's"}, {"ui": EDITORS}),
    ),
    "defaults": (
        *POD,
        ({"image": "example.org/image:7", "^t": {"image": None}}, {"image": ("example.org/image:7",)}),
        ({"cache": False}, {"cache": CHANGES}),
        (
            {
                "toolboxImage": "example.org/image:7",
                "^t": {"type": "loadData", "url": "http://a/b", "path": "/a", "image": None, "command": None},
            },
            {"toolboxImage": ("example.org/image:7",)},
        ),
        ({"volume": "nas", "^arrows": [DATA]}, {"volume": ("the-claim",)}),
    ),
}
