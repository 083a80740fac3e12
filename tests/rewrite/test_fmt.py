"""fmt's order and layout, case by case."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from kade2kfp import api
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.rewrite import order
from kade2kfp.rewrite.fmt import formatted
from kade2kfp.rewrite.layout import quoted, width
from kade2kfp.source.limits import MAX_BYTES, MAX_DEPTH
from tests.whole.models import ROOTS, TYPES, fields

TOP = Path(__file__).parents[2]


def fmt(text: str | bytes) -> str:
    return formatted(api.parse(text, "pipeline.json"))


def keys(text: str, *way: str | int) -> list[str]:
    """The keys of an object of the formatted text, in their order."""
    found = json.loads(fmt(text))
    for part in way:
        found = found[part]
    return list(found)


@pytest.mark.parametrize(
    "path",
    sorted(TOP.glob("examples/*/pipeline.json")) + sorted(TOP.glob("templates/new/*/*.json")),
    ids=lambda one: "/".join(one.parts[-3:]),
)
def test_what_we_hand_out_is_formatted(path: Path) -> None:
    assert fmt(path.read_bytes()) == path.read_text(encoding="utf-8")


def test_a_document_in_no_order() -> None:
    given = """{"tasks": [{"ui": 1, "x-b": {"z": 1, "a": 2}, "comand": 3, "retry": {"limit": 2}, "x-a": 1, "position":
        {"y": 1, "x": 2}, "command": ["a"], "type": "job", "AType": 0, "name": "N", "id": "a", "env":
        [{"value": "1", "name": "A"}], "image": "i"}], "x-z": 1, "naem": 2, "name": "p", "apiVersion": "kade2kfp/v1"}"""
    assert (
        fmt(given)
        == """{
  "apiVersion": "kade2kfp/v1",
  "name": "p",
  "tasks": [
    {
      "id": "a",
      "type": "job",
      "name": "N",
      "image": "i",
      "command": ["a"],
      "env": [{"name": "A", "value": "1"}],
      "retry": {"limit": 2},
      "comand": 3,
      "AType": 0,
      "position": {"y": 1, "x": 2},
      "ui": 1,
      "x-b": {"z": 1, "a": 2},
      "x-a": 1
    }
  ],
  "naem": 2,
  "x-z": 1
}
"""
    )


@pytest.mark.parametrize("kind", TYPES)
def test_a_task_begins_with_what_it_is_and_then_says_what_only_its_type_has(kind: str) -> None:
    names = list(order.fields(TYPES[kind]))
    assert names[:5] == ["id", "type", "name", "description", "image"]
    assert sorted(names) == sorted(set(fields(TYPES[kind])) - {"position", "ui"})
    shared = [name for name in fields(order.Task) if name in names[5:]]
    assert names[-len(shared) :] == shared


@pytest.mark.parametrize("root", ROOTS)
def test_every_field_has_its_place(root: str) -> None:
    assert set(order.fields(ROOTS[root])) | {"position", "ui"} >= set(fields(ROOTS[root]))


@pytest.mark.parametrize(
    ("task", "way"),
    [
        ('"type": "job", "forEach": {"matrix": {"z": [1], "a": [2]}}', ("forEach", "matrix")),
        ('"type": "job", "labels": {"z": "1", "a": "2"}', ("labels",)),
        ('"type": "job", "nodeSelector": {"z": "1", "a": "2"}', ("nodeSelector",)),
        ('"type": "job", "resources": {"limits": {"z": "1", "a": 2}}', ("resources", "limits")),
        ('"type": "notebook", "parameters": {"z": "1", "a": 2}', ("parameters",)),
        ('"type": "serving", "example": {"json": {"z": 1, "a": {"type": 1, "id": 2}}}', ("example", "json")),
        ('"type": "job", "position": {"z": 1, "a": 2}', ("position",)),
        ('"type": "job", "x-a": {"z": 1, "a": 2}', ("x-a",)),
        ('"type": "nothing", "unknown": {"z": 1, "a": 2}', ("unknown",)),
        ('"type": 7, "unknown": {"z": 1, "a": 2}', ("unknown",)),
        ('"type": "job", "labels": [{"z": 1, "a": 2}]', ("labels", 0)),
    ],
)
def test_maps_keep_the_order_of_their_author(task: str, way: tuple[str | int, ...]) -> None:
    assert keys(f'{{"tasks": [{{{task}}}]}}', "tasks", 0, *way) == ["z", "a"]


def test_maps_of_the_pipeline_keep_theirs_too() -> None:
    inner = '{"z": 1, "a": {"id": 1, "x": 2}, "position": 0, "b": 1}'
    given = f'{{"labels": {inner}, "schedule": {{"parameters": {inner}}}, "parameters": [{{"default": {inner}}}]}}'
    for way in (("labels",), ("schedule", "parameters"), ("parameters", 0, "default")):
        assert keys(given, *way) == ["z", "a", "position", "b"]


@pytest.mark.parametrize("wrong", ["7", "null", "[]", "{}", '"x"', '{"a": 1}', "[1, null, [], {}]"])
@pytest.mark.parametrize(
    "field", ["tasks", "arrows", "parameters", "volumes", "defaults", "schedule", "labels", "position"]
)
def test_what_has_a_wrong_shape_is_formatted_all_the_same(field: str, wrong: str) -> None:
    assert json.loads(fmt(f'{{"{field}": {wrong}}}')) == json.loads(f'{{"{field}": {wrong}}}')


@pytest.mark.parametrize(
    "number",
    [
        "1.0",
        "1e3",
        "1E+03",
        "0.10",
        "-0",
        "-0.0",
        "9007199254740993",
        "1" + "0" * 300,
        "1e-999",
        "3.14159265358979323846",
    ],
)
def test_numbers_keep_their_digits(number: str) -> None:
    assert f'"x": {number}\n' in fmt(f'{{"x":{number}}}')


@pytest.mark.parametrize(
    ("written", "becomes"),
    [
        (r"\u00e9\ud83d\ude00", "é😀"),
        (r"\/", "/"),
        (r"a\nb\tc\u0000\u001b", r"a\nb\tc\u0000\u001b"),
        (r"\"\\", r"\"\\"),
        ("\u202e", r"\u202e"),
        ("\x7f\x85\u2028\ufeff", r"\u007f\u0085\u2028\ufeff"),
        ("\u200b\u00ad\u2066", r"\u200b\u00ad\u2066"),
        ("\U000e0041", r"\udb40\udc41"),
        ("می\u200cخواهم 👩\u200d💻", "می\u200cخواهم 👩\u200d💻"),
        ("</script>", "</script>"),
        ("한글 é e\u0301 \u00a0", "한글 é e\u0301 \u00a0"),
    ],
)
def test_texts_are_readable_and_hide_nothing(written: str, becomes: str) -> None:
    text = fmt(f'{{"{written}": "{written}"}}')
    assert text == f'{{\n  "{becomes}": "{becomes}"\n}}\n'
    assert json.loads(text) == json.loads(f'{{"{written}": "{written}"}}', strict=False)


def test_half_of_a_pair_is_written_as_it_was_where_a_tree_has_one() -> None:
    assert quoted("a\ud800b") == r'"a\ud800b"'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a": 1, "a": 1}',
        "[]",
        '{"a": NaN}',
        '{"a": "\\ud800"}',
        '{"a": 1,}',
        "{} {}",
        '{"a": 1e999}',
        b"\xff{}",
    ],
)
def test_what_cannot_be_read_is_refused(text: str | bytes) -> None:
    assert api.parse(text).diagnostics
    with pytest.raises(CannotDoError):
        fmt(text)


def test_wide_characters_take_two_columns() -> None:
    assert width("한글a") == 5
    assert '  "x": ["' + "한" * 43 + '"]\n' in fmt('{"x": ["%s"]}' % ("한" * 43))
    assert '  "x": [\n    "' + "한" * 45 in fmt('{"x": ["%s"]}' % ("한" * 45))


@pytest.mark.parametrize("room", [-1, 0, 1])
def test_a_line_has_a_hundred_columns_and_its_comma_is_one_of_them(room: int) -> None:
    inner = "y" * (100 - len('  "x": [""],') - room)
    line = f'\n  "x": ["{inner}"],\n'
    assert (line in fmt(f'{{"x": ["{inner}"], "y": 1}}')) is (room >= 0)


def test_a_long_text_is_not_broken() -> None:
    assert f'  "script": "{"a b " * 100}"' in fmt(json.dumps({"script": "a b " * 100}))


def test_any_white_space_and_a_mark_give_one_text() -> None:
    text = '{"name": "p", "tasks": [{"id": "a", "labels": {"b": "c"}}]}'
    wanted = fmt(text)
    for other in (text.replace(" ", ""), text.replace(" ", "\r\n"), text.replace(" ", "\t \r"), "\n\n" + text + "\n\n"):
        assert fmt(other) == wanted
        assert fmt(b"\xef\xbb\xbf" + other.encode()) == wanted
    assert wanted.isascii()
    assert "\r" not in wanted
    assert "\t" not in wanted


def test_the_deepest_document() -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        deep = '{"x-a":' + opening * (MAX_DEPTH - 1) + "1" + closing * (MAX_DEPTH - 1) + "}"
        text = fmt(deep)
        assert json.loads(text) == json.loads(deep)
        assert fmt(text) == text


def seconds(text: str) -> float:
    source, begin = api.parse(text), time.process_time()
    formatted(source)
    return time.process_time() - begin


@pytest.mark.parametrize(
    "item",
    [
        '{"id":"t","type":"job","image":"i","command":["a","b","{{params.x}}"],"env":[{"name":"A","value":"b"}]},',
        '{"id":"t","labels":{"a":"' + "x" * 200 + '"}},',
        "[" * 40 + '"x"' + "]" * 40 + ",",
    ],
    ids=["tasks", "texts", "deep"],
)
def test_time_grows_with_the_text_and_no_faster(item: str) -> None:
    few, many = (f'{{"tasks": [{item * (60_000 * times // len(item))}1]}}' for times in (1, 6))
    least, most = (min(seconds(text) for _ in range(3)) for text in (few, many))  # others use the machine, too
    assert most < 6 * 3 * max(least, 0.02)


def test_the_largest_document() -> None:
    item = '"' + "a" * 60 + '",'
    text = '{"x-a":[' + item * ((MAX_BYTES - 1_500_000) // len(item)) + "1]}"
    made = fmt(text)
    assert len(made) <= MAX_BYTES
    assert not api.parse(made).diagnostics


@pytest.mark.parametrize(
    "text",
    [
        '{"x-a":' + "[" * 90 + "1," * 150_000 + "1" + "]" * 90 + "}",
        '{"x-a":"' + "a" * (MAX_BYTES - 10) + '"}',
    ],
    ids=["deep", "long"],
)
def test_a_document_never_becomes_one_that_is_too_large(text: str) -> None:
    assert not api.parse(text).diagnostics
    with pytest.raises(CannotDoError, match="16 MiB"):
        fmt(text)
