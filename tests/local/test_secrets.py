"""The file of --secrets: its forms, its mistakes, what a plan misses in it, and what logs must not show."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kade2kfp.diagnostics
from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.diagnostics.text import render
from kade2kfp.local.secrets import MAX_BYTES, Objects, masks, missing, problem, read_secrets, read_text
from kade2kfp.steps.model import Plan, Step
from kade2kfp.steps.parts import EnvFrom, EnvValue, SecretMount
from kade2kfp.steps.sources import Param

CODES = Path(kade2kfp.diagnostics.__file__).parent / "codes"
SECRET = "hunter2"


def objects(text: str | bytes) -> Objects:
    found = read_text(text.encode() if isinstance(text, str) else text, "s.yaml")
    assert isinstance(found, Objects), found
    return found


def mistakes(text: str | bytes) -> list[Diagnostic]:
    found = read_text(text.encode() if isinstance(text, str) else text, "s.yaml")
    assert isinstance(found, list), found
    return found


def test_the_three_forms_in_one_file() -> None:
    found = objects("""\
secrets:
  registry: {username: ada, password: "0123"}
  tls: {ca.crt: !!binary aGVs bG8=, empty: ""}
configMaps:
  settings:
    level: debug
    script: |
      echo 한국
---
both: {key: 'a: b'}
---
""")
    assert found.secrets == {
        "registry": {"username": b"ada", "password": b"0123"},
        "tls": {"ca.crt": b"hello", "empty": b""},
        "both": {"key": b"a: b"},
    }
    assert found.config_maps == {
        "settings": {"level": b"debug", "script": "echo 한국\n".encode()},
        "both": {"key": b"a: b"},
    }


def test_manifests_of_kubernetes_as_people_have_them() -> None:
    found = objects("""\
apiVersion: v1
kind: Secret
metadata: {name: registry, namespace: kubeflow, labels: {a: "1"}}
type: Opaque
immutable: true
data: {password: aHVudGVyMg==, user: YWRh}
stringData: {user: bob}
---
apiVersion: v1
kind: List
items:
- kind: ConfigMap
  metadata: {name: settings}
  data: {level: debug}
  binaryData: {bytes: AP8=}
- kind: Secret
  metadata: {name: none-yet}
  data:
""")
    assert found.secrets == {"registry": {"password": b"hunter2", "user": b"bob"}, "none-yet": {}}
    assert found.config_maps == {"settings": {"level": b"debug", "bytes": b"\x00\xff"}}


def test_json_is_yaml_with_its_pairs_of_surrogates_too() -> None:
    text = json.dumps({"secrets": {"a": {"face": "\U0001f600", "tab": "\t\n\x01"}}})
    assert objects(text).secrets["a"] == {"face": "\U0001f600".encode(), "tab": b"\t\n\x01"}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "secrets:\nconfigMaps: {}\n", "\ufeffsecrets: {}"])
def test_nothing_is_no_mistake(text: str) -> None:
    assert objects(text) == Objects({}, {})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # numbers, booleans and what others take for them
        *(
            (f"a: {{b: {value}}}", f"1:8 K723 the value of `b` is no text but {word}")
            for value, word in [
                ("0123", "a number"),
                ("1e3", "a number"),
                ("0o17", "a number"),
                ("1_000", "a number"),
                ("-.5", "a number"),
                (".inf", "a number"),
                ("12:30:45", "a number"),
                ("yes", "a boolean"),
                ("Off", "a boolean"),
                ("true", "a boolean"),
                ("n", "a boolean"),
                ("2026-01-31", "a date"),
                ("=", "a word of YAML's own"),
                ("[hunter2]", "a list"),
            ]
        ),
        ("a: {b: ~}", "1:5 K723 this key has no value"),
        ("a:\n  b:\n", "2:3 K723 this key has no value"),
        ("a: {hunter2}", "1:5 K723 this key has no value"),
        ("a: {b: !!binary hunter2}", "1:8 K723 the value of `b` is not base64"),
        ('a: {b: "\\ud800"}', "1:8 K723 the value of `b` has half a character"),
        ("kind: Secret\nmetadata: {name: a}\ndata: {b: hunter2}", "3:11 K723 the value of `b` is not base64"),
        ("kind: Secret\nmetadata: {name: a}\nstringData: {b: 1}", "3:17 K723 the value of `b` is no text but a number"),
        # a shape that says nothing
        ("hunter2", "1:1 K722 expected a mapping, found a text"),
        ("- a", "1:1 K722 expected a mapping, found a list"),
        ("a: hunter2", "1:4 K722 a secret is a mapping of keys to values, not a text"),
        ("secrets: hunter2", "1:10 K722 `secrets` is no mapping but a text"),
        ("secrets: {a: {b: {c: d}}}", "1:11 K722 a mapping cannot be a value of a secret"),
        ("secret: {a: {b: c}}", "1:1 K722 a mapping cannot be a value of a secret"),
        ("secrets: {}\nhunter2: {}", "2:1 K722 this is neither `secrets` nor `configMaps`"),
        ("A_b: {c: d}", "1:1 K722 Kubernetes takes no such name for a secret"),
        ("configMaps: {-a: {c: d}}", "1:14 K722 Kubernetes takes no such name for a config map"),
        ("a..b: {c: d}", "1:1 K722 Kubernetes takes no such name for a secret"),
        ("a: {hunter2 x: d}", "1:5 K722 Kubernetes takes no such key"),
        ("a: {..: d}", "1:5 K722 Kubernetes takes no such key"),
        ("a: {b/c: d}", "1:5 K722 Kubernetes takes no such key"),
        ("a: {b: c}\n---\nsecrets: {a: {}}", "3:11 K722 the secret `a` is there twice"),
        ("kind: Deployment", "1:7 K722 a manifest of another kind"),
        ("kind: Secret", "1:7 K722 this Secret has no name"),
        (
            "kind: Secret\nmetadata: {name: a}\nstringdata: {b: c}",
            "3:1 K722 a manifest of kind Secret has no such field",
        ),
        ("kind: Secret\nmetadata: {name: a}\ndata: hunter2", "3:7 K722 `data` is no mapping but a text"),
        ("kind: List\nitems: [hunter2]", "2:9 K722 this is no manifest"),
        (
            "kind: ConfigMap\nmetadata: {name: a}\ndata: {b: c}\nbinaryData: {b: aaaa}",
            "4:13 K722 `b` is in `data` and in `binaryData`",
        ),
        # what is not plain YAML
        ("a: {b: 1x, b: hunter2}", "1:12 K721 this key is there twice"),
        ("a: {b: c}\na: {d: e}", "2:1 K721 this key is there twice"),
        ("a: {b: *hunter2}", "1:8 K721 anchors and aliases (`&`, `*`) are not read"),
        ("a: {b: &hunter2 x}", "1:8 K721 anchors and aliases (`&`, `*`) are not read"),
        ("a: &x {b: c}\nd: {<<: *x}", "1:4 K721 anchors and aliases (`&`, `*`) are not read"),
        ("a: {b: !hunter2 }", "1:8 K721 of tags only `!!str` and `!!binary` are read"),
        ("a: {b: !hunter2!x y}", "1:8 K721 this is not YAML"),
        ("a: {b: @hunter2}", "1:8 K721 this is not YAML"),
        ("a: b: c", "1:5 K721 this is not YAML: mapping values are not allowed here"),
        ("a:\n\tb: c", "2:1 K721 this is not YAML"),
        ("a: {b: 'hunter2}", "1:17 K721 this is not YAML: found unexpected end of stream"),
        ("a: {b: \0}", "1:8 K721 this is not YAML: holds a character that no YAML may hold"),
        ("? {hunter2: x}\n: b", "1:3 K721 a mapping cannot be a key"),
        ("[" * 200_000, "1:33 K721 it is more than 32 levels deep"),
    ],
)
def test_mistakes_tell_their_place_and_no_value(text: str, wanted: str) -> None:
    found = mistakes(text)
    told = [f"{one.span.line}:{one.span.column} {one.code} {one.message}" for one in found if one.span]
    assert wanted in told
    assert len(told) == len(found) <= 2
    assert SECRET not in "".join(render(found, lambda _: "")) + repr(found)


def test_all_mistakes_are_told_at_once_in_order() -> None:
    found = mistakes("secrets:\n  A: {b: c}\n  d: {e: 1, f: yes, e: x}\nconfigMaps: []\n")
    assert [one.code for one in found] == ["K722", "K723", "K723", "K721", "K722"]
    assert found[3].related[0].span is not None
    assert (found[3].related[0].span.line, found[3].related[0].span.column) == (3, 7)


def test_a_billion_laughs_are_refused_at_once() -> None:
    text = "a: &a [x, x]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(100))
    assert [one.code for one in mistakes(text)] == ["K721"]


@pytest.mark.parametrize("code", ["K721", "K722", "K723"])
def test_example_of_a_page_gives_the_code_and_its_fix_nothing(code: str) -> None:
    example, fix = re.findall(r"^```yaml\n(.*?)^```$", (CODES / f"{code}.md").read_text(), re.MULTILINE | re.DOTALL)
    assert [one.code for one in mistakes(example)] == [code]
    assert objects(fix).secrets


def test_what_cannot_be_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"#" * (MAX_BYTES + 1))
    (tmp_path / "latin").write_bytes("a: {b: é}".encode("latin-1"))
    (tmp_path / "wide").write_bytes("a: {b: c}".encode("utf-16"))
    for name, word in {
        "none": "no such file",
        ".": "is a directory",
        "pipe": "not a regular file",
        "large": "more than 1,048,576 bytes",
        "latin": "not UTF-8 (at byte 8)",
        "wide": "not UTF-8",
        "nul\0": "no file can have this name",
        "/dev/zero": "not a regular file",
    }.items():
        found = read_secrets(tmp_path / name)
        assert isinstance(found, list)
        assert (found[0].code, found[0].span, word in found[0].message) == ("K720", None, True), found
        assert found[0].file == str(tmp_path / name)


def test_a_file_that_others_may_read_is_read_with_a_note(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("a: {b: c}")
    for mode, noted in ((0o600, False), (0o400, False), (0o640, True), (0o604, True)):
        path.chmod(mode)
        found = read_secrets(path)
        assert isinstance(found, Objects)
        assert ("chmod 600" in found.note) is noted
        assert found.secrets == {"a": {"b": b"c"}}


def test_standard_input() -> None:
    code = "from kade2kfp.local.secrets import read_secrets; print(repr(read_secrets('-')))"
    for text, said in ((b"a: {b: hunter2}", "secrets=['a']"), (b"#" * (MAX_BYTES + 1), "file='<stdin>'")):
        ran = subprocess.run([sys.executable, "-c", code], input=text, capture_output=True, timeout=60)
        assert said in ran.stdout.decode(), ran.stderr
        assert SECRET not in ran.stdout.decode()


def test_repr_tells_no_value() -> None:
    found = objects("secrets: {a: {b: hunter2}}\nconfigMaps: {c: {d: hunter2}}")
    assert repr(found) == str(found) == f"{found}" == "Objects(secrets=['a'], config_maps=['c'])"


def plan(*steps: Step) -> Plan:
    return Plan("p", "p", nodes=steps)


def step(name: str, *needs: EnvFrom | EnvValue | SecretMount) -> Step:
    env = tuple(one for one in needs if not isinstance(one, SecretMount))
    mounts = tuple(one for one in needs if isinstance(one, SecretMount))
    return Step(name, name, name, ("image",), (("true",),), env=env, mounts=mounts)


def test_what_steps_miss_is_told_for_each() -> None:
    have = objects("secrets: {registry: {username: ada, nul: !!binary AGE=}}\nconfigMaps: {settings: {level: debug}}")
    user = EnvFrom("A", "secret", ("registry",), "usrname")
    wrong_kind = EnvFrom("B", "configMap", ("registry",), "username")
    nul = EnvFrom("C", "secret", ("reg", "istry"), "nul")
    mount = SecretMount("configMap", ("setting",), "/etc/settings")
    found = missing(
        plan(
            step("fine", EnvFrom("A", "secret", ("registry",), "username"), EnvValue("X", ("1",))),
            step("user", user, wrong_kind, nul),
            step("mount", mount, SecretMount("secret", ("registry",), "/etc/registry")),
            step("pod", EnvFrom("D", "field", (), "metadata.name")),
        ),
        have,
    )
    assert found == [
        ("user", user, "the secret `registry` has no key `usrname`; did you mean `username`?"),
        ("user", wrong_kind, "there is no config map `registry`; known are: `settings`"),
        ("user", nul, "`nul` of the secret `registry` has a byte 0, which no variable can hold"),
        ("mount", mount, "there is no config map `setting`; did you mean `settings`?"),
    ]


def test_what_may_be_missing_and_what_is_known_later_is_not_missed() -> None:
    later = EnvFrom("C", "secret", (Param("which", "string"),), "key")
    optional = (
        EnvFrom("A", "secret", ("none",), "key", True),
        EnvFrom("B", "secret", ("some",), "none", True),
        SecretMount("secret", ("none",), "/x", True),
    )
    have = objects("secrets: {some: {key: x}}")
    assert missing(plan(step("a", later, *optional)), have) == []
    assert problem(later, "some", have) == ""
    assert problem(later, "other", have) == "there is no secret `other`; known are: `some`"
    assert problem(later, "other", Objects({}, {})) == "there is no secret `other`"


def test_masks_are_the_forms_in_which_a_secret_is_printed() -> None:
    value = 'p@ss "wörd"/1'
    found = masks(objects(json.dumps({"secrets": {"a": {"b": f" {value}\n"}}, "configMaps": {"c": {"d": "debug"}}})))
    for form in (
        value.encode(),
        f" {value}\n".encode(),
        base64.b64encode(value.encode()),
        base64.b64encode(value.encode()).rstrip(b"="),
        b"p%40ss%20%22w%C3%B6rd%22%2F1",
        b"p%40ss+%22w%C3%B6rd%22%2F1",
        b'p@ss \\"w\\u00f6rd\\"/1',
        'p@ss \\"wörd\\"/1'.encode(),
    ):
        assert form in found
    assert b"debug" not in found
    assert [len(mask) for mask in found] == sorted((len(mask) for mask in found), reverse=True)


def test_lines_of_a_secret_are_masked_and_empty_ones_are_not() -> None:
    found = masks(objects('a: {key: "-----BEGIN\\n  abcd1234\\r\\nxyz\\n\\n", none: "", blank: " \\n"}'))
    assert {b"-----BEGIN", b"abcd1234"} <= set(found)
    assert b"xyz" not in found
    assert b"" not in found


def test_bytes_that_are_no_text_are_masked_too() -> None:
    found = masks(objects("a: {b: !!binary //79/A==}"))
    assert {b"\xff\xfe\xfd\xfc", b"//79/A==", b"//79/A", b"%FF%FE%FD%FC"} <= set(found)
