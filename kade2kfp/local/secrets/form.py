"""What the file of `--secrets` says: YAML nodes to secrets and config maps.

The file is YAML in one of three forms, the last one in as many documents as one likes:

```yaml
secrets: {registry: {username: ada, password: "..."}, tls: {ca.crt: !!binary "..."}}
configMaps: {settings: {level: debug}}
---
registry: {username: ada}       # serves as a secret and as a config map
---
kind: Secret                    # or ConfigMap, or a List of them, as `kubectl get -o yaml` writes it
metadata: {name: registry}
stringData: {username: ada}
```

Values are text; bytes are `!!binary`, or `data` and `binaryData` of a manifest. Nothing of a value is ever in a message,
nor is a key or name that could be a value in the wrong place.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping

from kade2kfp.document.suggest import did_you_mean
from kade2kfp.local.secrets.nodes import Fields, Items, Node, Scalar, read_yaml
from kade2kfp.source.mistakes import Mistake, Mistakes

NOT_YAML, SHAPE, VALUE = "K721", "K722", "K723"
Found = dict[str, dict[str, Mapping[str, bytes]]]
"""By `secret` and `config map`: values by the objects' names and their keys."""

# apimachinery/pkg/util/validation: IsDNS1123Subdomain and IsConfigMapKey.
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_KEY = re.compile(r"(?!\.\.|\.$)[-._a-zA-Z0-9]{1,253}")
_NAME_HELP = (
    "it has lower-case letters, digits, `-` and `.`, at most 253, and each part begins and ends with a letter or digit"
)
_KEY_HELP = "it has letters, digits, `-`, `_` and `.`, at most 253, and does not begin with `..`"
_SECTIONS = {"secrets": "secret", "configMaps": "config map"}
_COMMON = ("apiVersion", "kind", "metadata", "immutable")
_MANIFESTS = {
    "Secret": (*_COMMON, "type", "data", "stringData"),
    "ConfigMap": (*_COMMON, "data", "binaryData"),
    "List": ("apiVersion", "kind", "metadata", "items"),
}


def objects_of(text: str, mistakes: Mistakes) -> Found:
    """The objects of a text; what is wrong goes to `mistakes` (K721 to K723), with offsets in the text."""
    found: Found = {"secret": {}, "config map": {}}
    for document in read_yaml(text, NOT_YAML, mistakes):
        _document(document, found, mistakes)
    return found


def _document(node: Node, found: Found, mistakes: Mistakes) -> None:
    if isinstance(node, Scalar) and node.kind == "nothing":
        return
    if not isinstance(node, Fields):
        help_ = "write `secrets: {NAME: {KEY: VALUE}}`, `NAME: {KEY: VALUE}`, or a manifest of Kubernetes"
        _wrong(mistakes, SHAPE, f"expected a mapping, found {_kind(node)}", help_, node)
    elif isinstance(node.get("kind"), Scalar):
        _manifest(node, found, mistakes)
    elif any(key.text in _SECTIONS for key, _ in node.fields):
        for key, value in node.fields:
            if key.text not in _SECTIONS:
                help_ = "beside `secrets` and `configMaps` nothing else stands; put it into one of them"
                _wrong(mistakes, SHAPE, "this is neither `secrets` nor `configMaps`", help_, key)
            elif isinstance(value, Fields):
                for name, content in value.fields:
                    _named(name, content, (_SECTIONS[key.text],), found, mistakes)
            elif value.kind != "nothing":
                help_ = f"write `{key.text}: {{NAME: {{KEY: VALUE}}}}`"
                _wrong(mistakes, SHAPE, f"`{key.text}` is no mapping but {_kind(value)}", help_, value)
    else:
        for name, content in node.fields:
            _named(name, content, ("secret", "config map"), found, mistakes)


def _named(name: Scalar, node: Node, kinds: tuple[str, ...], found: Found, mistakes: Mistakes) -> None:
    """`NAME: {KEY: VALUE}`."""
    if not isinstance(node, Fields):
        help_ = "write `NAME: {KEY: VALUE}`"
        _wrong(mistakes, SHAPE, f"a {kinds[0]} is a mapping of keys to values, not {_kind(node)}", help_, node)
    elif any(isinstance(value, Fields) for _, value in node.fields):
        help_ = (
            "write `NAME: {KEY: VALUE}`, or these below `secrets:` and `configMaps:`; a file as a value is text, `|`"
        )
        _wrong(mistakes, SHAPE, f"a mapping cannot be a value of a {kinds[0]}", help_, name)
    else:
        _add(name, dict(_values(node, "", mistakes)), kinds, found, mistakes)


def _add(name: Scalar, values: Mapping[str, bytes], kinds: tuple[str, ...], found: Found, mistakes: Mistakes) -> None:
    if not _NAME.fullmatch(name.text):
        _wrong(mistakes, SHAPE, f"Kubernetes takes no such name for a {kinds[0]}", _NAME_HELP, name)
        return
    for kind in kinds:
        if name.text in found[kind]:
            _wrong(mistakes, SHAPE, f"the {kind} `{name.text}` is there twice", "keep one of them", name)
            return
        found[kind][name.text] = values


def _manifest(node: Fields, found: Found, mistakes: Mistakes) -> None:
    kind = node.get("kind")
    known = _MANIFESTS.get(kind.text) if isinstance(kind, Scalar) else None
    if known is None or not isinstance(kind, Scalar):
        help_ = "of Kubernetes' manifests only Secret, ConfigMap, and List of these are read"
        _wrong(mistakes, SHAPE, "a manifest of another kind", help_, kind or node)
        return
    for key, _ in node.fields:
        if key.text not in known:
            help_ = did_you_mean(key.text, known)
            _wrong(mistakes, SHAPE, f"a manifest of kind {kind.text} has no such field", help_, key)
    if kind.text == "List":
        items = node.get("items")
        for item in items.items if isinstance(items, Items) else ():
            if isinstance(item, Fields) and isinstance(of := item.get("kind"), Scalar) and of.text != "List":
                _manifest(item, found, mistakes)
            else:
                _wrong(mistakes, SHAPE, "this is no manifest", "a List has items of kind Secret and ConfigMap", item)
        return
    metadata = node.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Fields) else None
    if not isinstance(name, Scalar) or name.kind == "nothing":
        _wrong(mistakes, SHAPE, f"this {kind.text} has no name", "give it `metadata: {name: NAME}`", kind)
        return
    values: dict[str, bytes] = {}
    # What stands in both: of a Secret stringData wins, as on a cluster; for a ConfigMap it is refused there.
    fields = (
        (("data", True), ("stringData", False)) if kind.text == "Secret" else (("data", False), ("binaryData", True))
    )
    for field, encoded in fields:
        given = node.get(field)
        if isinstance(given, Fields):
            more = dict(_values(given, "binary" if encoded else "", mistakes))
            if kind.text == "ConfigMap" and (twice := sorted(values.keys() & more)):
                _wrong(mistakes, SHAPE, f"`{twice[0]}` is in `data` and in `binaryData`", "keep one of them", given)
            values |= more
        elif given is not None and given.kind != "nothing":
            help_ = f"write `{field}: {{KEY: VALUE}}`"
            _wrong(mistakes, SHAPE, f"`{field}` is no mapping but {_kind(given)}", help_, given)
    _add(name, values, ("secret" if kind.text == "Secret" else "config map",), found, mistakes)


def _values(node: Fields, encoded: str, mistakes: Mistakes) -> Iterator[tuple[str, bytes]]:
    """Keys and values of an object; `encoded` is `binary` where each value is base64."""
    for key, value in node.fields:
        if not _KEY.fullmatch(key.text):
            _wrong(mistakes, SHAPE, "Kubernetes takes no such key", _KEY_HELP, key)
        elif value.kind == "nothing":
            # The key is not told: `{hunter2}` is a mapping too.
            _wrong(mistakes, VALUE, "this key has no value", 'write `KEY: VALUE`; the empty text is `""`', key)
        elif not isinstance(value, Scalar):
            help_ = "write the text itself; a file's text goes behind `KEY: |`, indented"
            _wrong(mistakes, VALUE, f"the value of `{key.text}` is no text but {value.kind}", help_, value)
        elif value.kind not in ("text", "binary") and not encoded:
            help_ = "put it into quotes: readers of YAML disagree on what is one, and change it (`0123`, `1e3`, `yes`)"
            _wrong(mistakes, VALUE, f"the value of `{key.text}` is no text but {value.kind}", help_, value)
        elif encoded or value.kind == "binary":
            try:
                yield key.text, base64.b64decode("".join(value.text.split()), validate=True)
            except (binascii.Error, ValueError):
                help_ = "encode it by `base64 -w0 FILE`" + ("; text goes into `stringData`" if encoded else "")
                _wrong(mistakes, VALUE, f"the value of `{key.text}` is not base64", help_, value)
        else:
            try:
                # JSON writes what lies beyond U+FFFF as two halves, which PyYAML leaves apart.
                text = value.text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
            except UnicodeDecodeError:
                _wrong(mistakes, VALUE, f"the value of `{key.text}` has half a character", "write it whole", value)
            else:
                yield key.text, text.encode()


def _kind(node: Node) -> str:
    return f"a {node.kind}" if node.kind in ("text", "binary") else node.kind


def _wrong(mistakes: Mistakes, code: str, message: str, help_: str, at: Node) -> None:
    # Of a list or mapping its beginning: the end of one in blocks is lines away.
    mistakes.add(Mistake(code, message, help_, at.start, at.end if isinstance(at, Scalar) else at.start + 1))
