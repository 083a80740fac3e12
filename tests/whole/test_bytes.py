"""Text of the document reaches the user's process byte for byte, or is refused; no document brings in a placeholder."""

from __future__ import annotations

import functools
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .arrival import Arrived, arrived, dumping, run
from .asking import compiled, errors
from .profile import tries
from .texts import HOSTILE, TEXTS, written

LITERALS = (
    "{{workflow.name}}",
    "{{ workflow.uid }}",
    "{{workflow.name",
    "{{{{workflow.name}}}}",
    "{{{x}}}",
    "{{=1+1}}",
    "{{=foo(}}",
    "{{inputs.parameters.a}}",
    "{{pod.name}} {{retries}}",
    "{{$.inputs.parameters['who']}}",
    "{{$}}",
    "$(HOME)",
    "$$(HOME)",
    "$$",
    "$$$",
    "$",
    "$(",
    "$($$(HOME))",
    "${HOME} $HOME `id` $(id)",
    '{"IfPresent": {"InputName": "who", "Then": ["x"]}}',
    "it's \"quoted\" 'twice'",
    "back\\slash\\n\\\\ \\",
    "line\nline\r\nline\ttab",
    "trailing newline\n",
    "\n\n",
    " ",
    "",
    "-n",
    "--",
    "-e x",
    "*?[a]~#;&|<>!",
    "한글 é e\u0301 😀 \u202e \u2028 \x85 \ufeff",
    "\x1b[31m\x07\x01",
    "%s%n%d",
    "a=b",
    "x" * 90_000,
    "'$$(HOME){{x}}\\\n" * 5_000,
)
NAMES = [f"{i}-{text[:12]!r}" for i, text in enumerate(LITERALS)]
everywhere = pytest.mark.parametrize("literal", LITERALS, ids=NAMES)


def document(task: dict[str, Any], **more: Any) -> dict[str, Any]:
    task = {"id": "a", "type": "job", "image": "busybox:1"} | task
    return {"apiVersion": "kade2kfp/v1", "name": "p", "tasks": [task]} | more


def started(root: Path, pipeline: dict[str, Any], **parameters: Any) -> Arrived | None:
    """Compile and run the step `a`, which must succeed: what it was given. None where it is too large, and that is said."""
    text = _yaml(json.dumps(pipeline))
    if text is None:
        return None
    done = run(text, "a", root, **parameters)
    assert done.returncode == 0, done.stderr[-2000:]
    return arrived(root)


@functools.lru_cache(4)  # one pipeline is run with several parameters
def _yaml(pipeline: str) -> str | None:
    found = compiled(pipeline)
    if found.yaml is None and len(pipeline) > 70_000:
        assert [one[:4] for one in errors(found)] == ["K603"]
        return None
    assert found.yaml is not None, errors(found)
    return found.yaml


@everywhere
def test_a_word_of_the_command(literal: str, tmp_path: Path) -> None:
    given = started(tmp_path, document({"command": [*dumping(tmp_path), written(literal), "end"]}))
    assert given is None or given.words == [literal.encode(), b"end"]


@everywhere
def test_a_word_of_args_behind_a_script(literal: str, tmp_path: Path) -> None:
    script = shlex.join(dumping(tmp_path)) + ' "$@"'
    given = started(tmp_path, document({"script": script, "args": [written(literal), "", written(literal[:9])]}))
    assert given is None or given.words == [literal.encode(), b"", literal[:9].encode()]


@everywhere
def test_a_script(literal: str, tmp_path: Path) -> None:
    script = f"{shlex.join(dumping(tmp_path))} {shlex.quote(literal)} end"
    given = started(tmp_path, document({"script": written(script)}))
    assert given is None or given.words == [literal.encode(), b"end"]


@everywhere
def test_the_value_of_a_variable(literal: str, tmp_path: Path) -> None:
    env = [{"name": "A", "value": written(literal)}, {"name": "UID", "value": written(literal[:9])}]
    given = started(tmp_path, document({"command": dumping(tmp_path), "env": env}))
    assert given is None or (given.env[b"A"], given.env[b"UID"]) == (literal.encode(), literal[:9].encode())


@everywhere
def test_the_content_of_a_file(literal: str, tmp_path: Path) -> None:
    file = tmp_path / "it's a file.txt"
    pipeline = document({"command": dumping(tmp_path), "files": [{"path": str(file), "content": literal}]})
    if len(literal) > 64 * 1024:
        assert [one[:4] for one in errors(compiled(pipeline))] == ["K601"]
    else:
        started(tmp_path, pipeline)
        assert file.read_bytes() == literal.encode()


@everywhere
def test_beside_a_value_that_is_known_at_run_time(literal: str, tmp_path: Path) -> None:
    text = "{{params.who}}" + written(literal) + "{{params.who}}{{params.who}}"
    parameters = [{"name": "who", "type": "string"}]
    env = [{"name": "A", "value": text}]
    command = [*dumping(tmp_path), text]
    both = document({"command": command, "env": env}, parameters=parameters)
    word = document({"command": command}, parameters=parameters)
    variable = document({"command": dumping(tmp_path), "env": env}, parameters=parameters)
    # One after the other where both are more than KFP can carry.
    pipelines = [both] if _yaml(json.dumps(both)) else [word, variable]
    for value in ("you", "{", "$", "(HOME)", "{workflow.name}}", "$.inputs.parameters['who']}}"):
        arrives = (value + literal + value * 2).encode()
        for pipeline in pipelines:
            given = started(tmp_path, pipeline, who=value)
            assert given is None or given.words == ([] if pipeline is variable else [arrives])
            assert given is None or pipeline is word or given.env[b"A"] == arrives


@tries(25, 2000)
@given(words=st.lists(TEXTS, max_size=4), env=TEXTS, content=TEXTS, script=st.booleans())
def test_any_text(words: list[str], env: str, content: str, script: bool, tmp_path_factory: Any) -> None:
    root = tmp_path_factory.mktemp("any")
    command = dumping(root)
    quoted = " ".join(map(shlex.quote, [*command, *words]))
    said: dict[str, Any] = {"script": written(quoted)} if script else {"command": [*command, *map(written, words)]}
    file = root / "file"
    said |= {"env": [{"name": "A", "value": written(env)}], "files": [{"path": str(file), "content": content}]}
    given = started(root, document(said))
    assert given is not None
    assert given.words == [word.encode() for word in words]
    assert given.env[b"A"] == env.encode()
    assert file.read_bytes() == content.encode()


def test_an_argument_of_100_kilobytes(tmp_path: Path) -> None:
    literal = "x" * 100_000
    given = started(tmp_path, document({"command": [*dumping(tmp_path), literal]}))
    assert given is not None
    assert given.words == [literal.encode()]


@pytest.mark.parametrize(
    "task",
    [
        {"command": ["run", "x" * 102_400]},
        {"command": ["run"], "args": ["$$" * 60_000]},
        {"script": "x" * 131_072},
        {"command": ["run"], "env": [{"name": "A", "value": "x" * 131_072}]},
        {"command": ["run"], "env": [{"name": f"A{i}", "value": "x" * 30_000} for i in range(4)]},
        {"command": ["run"], "env": [{"name": "A", "value": "{{{{" + "x" * 102_400}]},
    ],
    ids=["word", "args", "script", "env", "several variables", "env by the script"],
)
def test_more_than_kfp_can_carry_is_refused_in_one_clear_error(task: dict[str, Any]) -> None:
    found = compiled(document(task))
    assert found.yaml is None
    assert [one[:4] for one in errors(found)] == ["K603"]
    assert "KiB" in found.diagnostics[-1].message


@pytest.mark.parametrize("field", ["command", "args", "script", "env"])
def test_what_no_process_can_be_given_is_refused(field: str) -> None:
    said = {
        "command": {"command": ["run", "a\0b"]},
        "args": {"command": ["run"], "args": ["\0"]},
        "script": {"script": "echo \0"},
        "env": {"command": ["run"], "env": [{"name": "A", "value": "\0"}]},
    }[field]
    assert [one.code for one in compiled(document(said)).diagnostics] == ["K203"]


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.startswith("{{")])
@pytest.mark.parametrize("field", ["command", "script", "env", "name", "description", "label", "annotation", "image"])
def test_a_document_brings_in_no_placeholder(field: str, text: str) -> None:
    """As it is, it is no reference: an error. Display names are any text: nothing in them is substituted."""
    said: dict[str, Any] = {
        "command": {"command": ["run", text]},
        "script": {"script": text},
        "env": {"command": ["run"], "env": [{"name": "A", "value": text}]},
        "name": {"command": ["run"], "name": text},
        "description": {"command": ["run"], "description": text},
        "label": {"command": ["run"], "labels": {"a": text}},
        "annotation": {"command": ["run"], "annotations": {"a": text}},
        "image": {"command": ["run"], "image": text},
    }[field]
    found = compiled(document(said))
    if field in ("name", "description"):
        assert found.yaml is not None
        assert text not in found.yaml
        assert "{\u200b{" in found.yaml or "{\\u200B{" in found.yaml
    else:
        assert found.yaml is None
        assert {one.code for one in found.diagnostics} <= {"K300", "K302"}
