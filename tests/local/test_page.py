from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from sample import START, sample_state

from kade2kfp.local.page import page
from kade2kfp.local.page.text import columns, log_line
from kade2kfp.local.state import Artifact, Attempt, Failure, RunState, StepState, StepStatus, from_json, to_json

HOSTILE = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onclick='alert(1)' x='",
    "</title></svg></style><style>*{display:none}</style>",
    "<!--",
    "]]><![CDATA[",
    "&lt;b&gt; &amp; &#0; &nonsense;",
    "$header ${tasks} $$ {0} %s",
    "\u202egnp.exe\u2066 \u200f",
    "\x00\x07\x1b[31m\x1b]0;title\x07\r\n\t\x7f\x85",
    "👩‍👩‍👧 \U0001f3f4 é́́ 特徴量 مرحبا",
    "\ud800\udfff \ufffe \ue000",
    "javascript:alert(1)",
]
VOID = {"meta", "input", "br", "img", "link", "hr"}


class Read(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[tuple[str, ...]] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.other: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[(tag, *sorted(key for key, _ in attrs))] += 1
        self.attributes += [(tag, key, value or "") for key, value in attrs]
        if tag not in VOID and not (self.get_starttag_text() or "").endswith("/>"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    def unknown_decl(self, data: str) -> None:
        self.other.append(data)

    def handle_pi(self, data: str) -> None:
        self.other.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)


def read(state: RunState, logs: Mapping[str, Sequence[str]] | None = None, now: float | None = None) -> Read:
    text = page(state, logs=logs, now=now)
    text.encode("utf-8")
    found = Read(text)
    assert found.open == []
    return found


def full(word: str) -> RunState:
    """A run with the word wherever a text of the document, of a log or of a program can stand."""
    done = StepState(
        "one",
        word,
        word,
        word,
        "succeeded",
        (),
        START,
        START + 1,
        (Attempt(1, word, START, START + 1, 0),),
        {word: word, "list": [word]},
        {word: 0.5},
        (Artifact(word, word, "directory", "Model", word, 1, 2, word),),
        None,
        word,
        word,
    )
    failed = StepState(
        word or "two",
        word,
        word,
        word,
        "failed",
        ("one",),
        START,
        START + 1,
        failure=Failure(word, word, word, (word, word)),
    )
    return RunState(
        word, word, word, word, word, "failed", START, word, {word: word, "object": {word: [word]}}, (done, failed)
    )


@pytest.mark.parametrize("word", HOSTILE)
def test_a_hostile_text_is_text_wherever_it_stands(word: str) -> None:
    found = read(full(word), logs={"one": [word], word: [word]})
    tame = read(full("tame"), logs={"one": ["tame"], "tame": ["tame"]})
    assert found.tags == tame.tags
    assert found.other == tame.other == []
    values = [(tag, key) for tag, key, _ in found.attributes]
    assert values == [(tag, key) for tag, key, _ in tame.attributes]
    # Only what is read to or shown to people may differ.
    spoken = {"aria-label", "title"}
    for (tag, key, value), (_, _, other) in zip(found.attributes, tame.attributes, strict=True):
        assert value == other or key in spoken or (tag == "svg" or tag in ("a", "rect", "path", "use", "text"))
        assert key not in ("href", "id", "class") or value == other


@pytest.mark.parametrize("word", HOSTILE)
def test_no_character_acts_upon_its_surroundings(word: str) -> None:
    text = page(full(word), logs={"one": [word]})
    unwanted = [char for char in text if (ord(char) < 32 and char != "\n") or char in "\x7f\x85\u202e\u2066\u200f"]
    assert unwanted == []


def test_names_of_ten_thousand_characters_are_cut() -> None:
    long = "<" * 10_000
    text = page(full(long), logs={"one": [long] * 1000})
    assert len(text) < len(page(full("<"), logs={"one": ["<"]})) + 500_000
    assert "<" * 3 not in text
    assert "(10,000 characters)" in text
    assert 'width="236"' in text


def test_the_page_needs_nothing_else_and_runs_nothing() -> None:
    found = read(full("x"), logs={"one": ["a"]})
    assert not {"script", "link", "img", "iframe", "object", "embed", "form", "base"} & {tag[0] for tag in found.tags}
    for tag, key, value in found.attributes:
        assert not key.startswith("on"), tag
        assert key not in ("src", "srcset", "action", "data")
        assert key != "href" or value.startswith("#")
        assert key != "style" or "url(" not in value
    policy = [value for tag, key, value in found.attributes if tag == "meta" and "default-src" in value]
    assert len(policy) == 1
    assert policy[0].startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert "@import" not in found.text
    assert "http" not in found.text


def test_links_lead_to_rows_that_are_there() -> None:
    found = read(sample_state())
    ids = Counter(value for _, key, value in found.attributes if key == "id")
    assert set(ids.values()) == {1}
    links = {value[1:] for _, key, value in found.attributes if key == "href"}
    labels = {value for _, key, value in found.attributes if key == "aria-labelledby"}
    assert links | labels <= set(ids)
    assert {"t0", "t1", "t2"} <= links


def test_what_happened_is_told() -> None:
    text = read(sample_state(), logs={"train": ["epoch 1", "no rows"]}).text
    for said in (
        "flow",
        "2025-10-09 08:53:20 UTC",
        "5.0s",
        "process",
        "the command exited with code 3",
        "its last lines are below",
        "K710",
        "epoch 1\nno rows",
        "rows = 3",
        "accuracy = 0.75",
        "/out",
        "artifacts/make-data/out",
        "train failed",
        "1 task never started.",
        "Make data",
        "make-data",
    ):
        assert said in text, said


def test_every_state_has_its_symbol_word_and_colour() -> None:
    states: tuple[StepStatus, ...] = (
        "waiting", "running", "succeeded", "cached", "reused", "failed", "skipped", "cancelled",
    )  # fmt: skip
    steps = tuple(StepState(f"s{one}", one, one, "job", one, started=START, ended=START + 1) for one in states)
    for status in ("running", "succeeded", "failed", "cancelled", "interrupted"):
        text = page(replace(sample_state(), steps=steps, status=status))
        for state in (*states, status):
            assert f'<symbol id="i-{state}"' in text
            assert f'href="#i-{state}"' in text
            assert f".s-{state}" in text


def test_a_running_step_counts_until_now() -> None:
    steps = (StepState("a", "a", "a", "job", "running", (), START, None, (Attempt(1, "", START),)),)
    state = replace(sample_state(), status="running", ended=None, steps=steps)
    text = read(state, now=START + 90).text
    assert "1m30s" in text
    assert "1m15s" in text, "a tick of the axis"
    assert "So far" in read(state).text
    assert "never started" not in read(state).text
    assert "the run was interrupted" in read(replace(state, status="interrupted")).text


def test_metrics_are_compared_by_task() -> None:
    made = sample_state().steps[0]
    steps = (
        replace(made, name="a", metrics={"loss": 0.5, "accuracy": 0.25}),
        replace(made, name="b", metrics={"loss": -1.0, "accuracy": 1}),
        replace(made, name="c", metrics={"worst": math.nan, "best": math.inf}),
    )
    text = page(replace(sample_state(), steps=steps))
    section = text[text.index('<h2 id="metrics">') : text.index('<h2 id="tasks">')]
    # No bars where a number is negative or none.
    assert section.count('class="meter"') == 2
    assert "width:25.0%" in section
    assert "nan" in section
    assert "inf" in section
    assert '<h2 id="metrics">' not in page(replace(sample_state(), steps=sample_state().steps[1:]))


def test_attempts_are_bars_of_their_own() -> None:
    attempts = (Attempt(1, "", START, START + 2, 1), Attempt(2, "", START + 3, START + 4, 0))
    step = StepState("a", "a", "a", "job", "succeeded", (), START, START + 4, attempts)
    text = page(replace(sample_state(), steps=(step,), ended=START + 4))
    assert '<i class="bar s-failed" style="left:0.000%;width:50.000%"></i>' in text
    assert '<i class="wait" style="left:50.000%;width:25.000%"></i>' in text
    assert '<i class="bar s-succeeded" style="left:75.000%;width:25.000%"></i>' in text


@pytest.mark.parametrize("moment", [math.nan, math.inf, -math.inf, -1e300, 1e300, 0.0, START - 50])
def test_times_that_make_no_sense_are_no_traceback(moment: float) -> None:
    step = replace(sample_state().steps[0], started=moment, ended=START, attempts=(Attempt(1, "", moment, moment, 0),))
    for state in (
        replace(sample_state(), steps=(step,)),
        replace(sample_state(), started=moment),
        replace(sample_state(), ended=moment),
        replace(sample_state(), steps=(step,), started=moment, ended=None),
    ):
        text = page(state)
        assert "left:nan" not in text
        assert "width:inf" not in text
        read(state)


def test_a_task_without_a_readable_name_goes_by_its_step_name() -> None:
    for blank in ("", "  "):
        state = replace(sample_state(), steps=(replace(sample_state().steps[0], display_name=blank),))
        assert "<strong><bdi>make-data</bdi></strong>" in page(state)


def test_a_run_without_tasks() -> None:
    text = read(replace(sample_state(), steps=(), parameters={})).text
    assert "This run has no tasks." in text
    assert "No task has started." in text


def test_arrows_come_from_the_caller_else_from_what_steps_wait_for() -> None:
    assert page(sample_state()).count('<path class="arrow') == 2
    assert page(sample_state()).count('<path class="arrow dead') == 1
    wanted = [("make-data", "train"), ("make-data", "report"), ("train", "report"), ("gone", "train")]
    assert page(sample_state(), edges=wanted).count('<path class="arrow') == 3
    ring = [("make-data", "train"), ("train", "make-data")]
    assert page(sample_state(), edges=ring).count('<path class="arrow') == 2


def test_a_large_run_is_one_page_of_reasonable_size_always_the_same() -> None:
    made = sample_state().steps[0]
    steps = tuple(replace(made, name=f"s{one}", after=(f"s{one - 1}",) if one else ()) for one in range(500))
    state = replace(sample_state(), steps=steps)
    text = page(state, logs={step.name: ["line"] * 20 for step in steps})
    assert len(text) < 2_500_000
    assert text == page(from_json(to_json(state)), logs={step.name: ["line"] * 20 for step in steps})
    assert Read(text).tags[("tr", "id", "role")] == 500


def test_logs_are_cut_to_their_end() -> None:
    text = page(sample_state(), logs={"make-data": [f"line {one}" for one in range(5000)]})
    assert "line 4999" in text
    assert "line 4800\n" in text
    assert "line 4799" not in text


def test_many_parameters_are_folded() -> None:
    parameters = {f"p{one}": json.dumps(one) for one in range(13)}
    assert "<summary>13 parameters</summary>" in page(replace(sample_state(), parameters=parameters))


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("  5%\r 50%\r100%\r\n", "100%"),
        ("a\tb", "a       b"),
        ("\x1b[31", "\\x1b[31"),
        ("<b>\x00", "&lt;b&gt;\\x00"),
        ("x" * 9999, "x" * 399 + "…"),
    ],
)
def test_log_lines_are_shown_as_a_terminal_would_in_the_end(line: str, shown: str) -> None:
    assert log_line(line) == shown


def test_wide_characters_take_two_columns() -> None:
    assert columns("abcdef", 6) == "abcdef"
    assert columns("abcdefg", 6) == "abcde…"
    assert columns("特徴量", 6) == "特徴量"
    assert columns("特徴量x", 6) == "特徴…"
    assert columns("<<<<<<<", 4) == "&lt;&lt;&lt;…"
