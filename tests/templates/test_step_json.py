"""The awk program that reads metrics against Python's json: the same is refused, the same numbers are found."""

from __future__ import annotations

import json
import math
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from .step_script import AWKS, environment, program, start

# What decides in JSON, whole and in pieces, and bytes that are no UTF-8.
PIECES = [
    *rb'{ } [ ] " , : \ \u \ud83d \ude00 \u00e9 \n \/ / 0 1 9 e E + - . 1e999 a "a" "b":1 true null NaN Infinity'.split(),
    *(bytes([byte]) for byte in b" \n\t\r\0\1\v\x1f\x7f\x80\xff"),
    *("é".encode(), "😀".encode(), "\u00a0".encode(), "\u2028".encode(), "\ufeff".encode()),
    *(b"\xed\xa0\x80", b"\xc0\x80", b"\xe0\x80\x80", b"\xf4\x90\x80\x80"),  # a surrogate, too long, too large
]
NUMBERS = st.integers(-(10**20), 10**20) | st.floats() | st.sampled_from([0, -0.0, 1e308, 5e-324, 0.1])
KEYS = st.text(st.sampled_from('ab:,{}"\\/\n\0é中😀\u2028\x7f\ud83d\ude00 1'), max_size=4)
VALUES = st.recursive(
    NUMBERS | st.booleans() | st.none() | KEYS,
    lambda of: st.lists(of, max_size=3) | st.dictionaries(KEYS, of, max_size=3),
    max_leaves=6,
)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """JSON in some layout, mostly of a flat object, with a few bytes of it changed."""
    value = draw(st.dictionaries(KEYS, NUMBERS | VALUES, max_size=5) | VALUES)
    separators = draw(st.sampled_from([None, (",", ":"), (" , ", "\t:\r\n")]))
    indent = draw(st.sampled_from([None, 1]))
    text = json.dumps(value, ensure_ascii=draw(st.booleans()), indent=indent, separators=separators)
    raw = text.encode(errors="surrogatepass")
    for _ in range(draw(st.sampled_from([0, 0, 1, 2, 4]))):
        place, cut = draw(st.integers(0, len(raw))), draw(st.integers(0, 2))
        raw = raw[:place] + draw(st.sampled_from([b"", *PIECES])) + raw[place + cut :]
    return raw


def expected(raw: bytes) -> dict[str, float] | None:
    """The finite numbers of an object by Python's json, None for what is no JSON object in UTF-8."""
    try:
        value = json.loads(raw.decode("utf-8-sig"), parse_int=float)
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    # A key with half a surrogate pair is no text, and KFP would refuse the file.
    return {
        key: number
        for key, number in value.items()
        if isinstance(number, float) and math.isfinite(number) and not any("\ud800" <= c <= "\udfff" for c in key)
    }


@pytest.fixture(scope="module", params=AWKS)
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        Path(name, "awk").symlink_to(program(request.param))
        yield Path(name)


def read(folder: Path, raw: bytes) -> dict[str, float] | None:
    words = ("+", f"metrics\ns3://b/m\n{folder}/kfp/metrics", "m", f"{folder}/m.json")
    env = {"PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(
        start("dash", *words, "--", "dd", "status=none", f"of={folder}/m.json"),
        env={**environment("dash"), **env},
        input=raw,
        capture_output=True,
        timeout=60,
        check=False,
    )
    if done.returncode == 65:
        assert b"is no JSON object: " in done.stderr
        return None
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert all(line.startswith(b"kade2kfp: metrics: not a finite number: ") for line in lines), lines
    found: dict[str, float] = json.loads((folder / "kfp" / "metrics").read_text(), parse_int=float)
    whole = json.loads((folder / "kfp" / "output_metadata.json").read_text(), parse_int=float)
    assert whole["artifacts"]["metrics"]["artifacts"][0]["metadata"] == found
    return found


@settings(max_examples=80, deadline=None)
@given(documents())
@example(b"")
@example(b'\xef\xbb\xbf{"a":1}')
@example(b'{"a":1,}')
@example(b'{"a":01}')
@example(b'{"a":1 2}')
@example(b'{"a":1.5.5,"b":--1}')
@example(b'{"a":1e999,"b":-1e999,"c":1e-999,"d":1.8e308}')
@example(b'{"a":-NaN}')
@example(b'{"a":tr ue}')
@example(b'{"a":1}\1')
@example(b'{"a":1}\0')
@example(b'{"a":1}\r\n\t ')
@example(b'{"a\nb":1}')
@example(b'{"\\u0061":1,"a":2}')
@example(b'{"\\ud83d\\ude00":1,"\\ud83d":2,"\\ude00\\ud83d":3,"\\ud83dx":4}')
@example(b'{"\\"a\\\\":1,"b\\\\\\"":2}')
@example(b'{"a":"x\\\\","b":"\\\\\\"","c":3}')
@example(b'{"a":"\\x"}')
@example(b'{"a":"\\u12g4"}')
@example(b'{"a":{"b":{"c":[{}, [], [1, "a:{", 2]]}}, "d":4}')
@example(b'{"a":[}, "d":4]}')
@example(b'{"a":' + b"[" * 200 + b"]" * 200 + b',"b":1}')
@example(b'{"a":' + b"9" * 400 + b',"b":' + b"9" * 300 + b"}")
@example(b"{1:1}")
@example(b"{:1}")
@example(b'{"a"::1}')
@example(b'{"a":1}{')
def test_awk_reads_what_python_reads(folder: Path, raw: bytes) -> None:
    assert read(folder, raw) == expected(raw)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))
def test_awk_refuses_what_python_refuses(folder: Path, inside: bytes) -> None:
    for raw in (b'{"a":' + inside + b"}", b'{"' + inside + b'":1}'):
        assert read(folder, raw) == expected(raw)
