"""Values of each type, and texts of output files: usual ones, and those that shells, JSON and Go tell apart."""

from __future__ import annotations

from random import Random
from typing import Any

TYPES = ("string", "integer", "number", "boolean", "array", "object")
_STRINGS = ["", "a", "two words", "  edges  ", "-n", "ünï 데", "line\nbreak\n", "'q' \"d\"", "`id`", "a\\nb\\", "$HOME",
            "*", "\t", "a=b", "%s%d", "#", "~", "!x", "<&>", "{x}", "1e3", "null", "--"]  # fmt: skip
_INTEGERS = [0, 1, -1, 7, 10**6, 123456789, 2**53, -(2**53)]
_NUMBERS = [0.0, 0.5, -0.25, 1, 3.0, 1e-7, 1e-5, 0.0001, 123456.789, 1234567.5, 1e6, 1e15, 1e20, 1e21, 1e300, 5e-324,
            0.1 + 0.2, 4.655316178437316e20, 2.0**63, -(2.0**63)]  # fmt: skip
_ARRAYS = [[], [1], [1.5, "x", True], ["a b", "<&>", "\u2028", 'q"', "\\"], [[], {}, [[1e21, 1e-7]]],
           [4.655316178437316e20, 2**53, -0.0], ["ünï", "\U0001f600"]]  # fmt: skip
_OBJECTS = [{}, {"b": 1, "a": 2}, {"k": {"z": [1, {"y": []}], "": "empty"}}, {"ü": "<&>", "A": 1e20, "a b": False}]
_VALUES: dict[str, list[Any]] = {
    "string": _STRINGS,
    "integer": _INTEGERS,
    "number": _NUMBERS,
    "boolean": [True, False],
    "array": _ARRAYS,
    "object": _OBJECTS,
}
_TEXTS: dict[str, list[str]] = {
    "string": [*_STRINGS, "trailing\n\n", "\n", "\r\n", "a\rb", "\u2028", "x" * 3000],
    "integer": ["0", "7\n", " -3 ", "+5", "007", "9007199254740992", "-9007199254740992"],
    "number": ["0", "0.5\n", "1e-7", "1E5", ".5", "5.", "-2.50", "1e300", "123456.789", "1e21", "  3  ", "-0.0", "1e-400"],
    "boolean": ["true", "false\n", "True", "FALSE", " true "],
    "array": ["[]", "[1, 2.50, 1e3]\n", '["a", "b c", "\\u00fc", "\\ud83d\\ude00"]', '[ [ ], { "b": 1, "a": [null] } ]',
              '["<&>", "\\u2028", "\\n", "\\/"]', "[465531617843731628032, 1e-7, 1E21, 100000000000000000000]"],
    "object": ["{}", '{"b": 1, "a": {"c": [true]}}\n', '{"": null, "x y": "\\"", "n": 1.0}', '{"z":1,"A":2,"ü":3}'],
}  # fmt: skip
_WRONG: dict[str, list[str]] = {
    "string": ["{{x}}", "$(y)", "a$$b"],
    "integer": ["", "1.5", "x", "9007199254740993", "0x1", "1 2", "--1", "1e3"],
    "number": ["", "nan", "inf", "1e309", "9e308", "x", "1,5", "1e", "0x1p3", "1_0"],
    "boolean": ["", "yes", "1", "tRue", "true false"],
    "array": ["", "{}", "[1,]", "[1", "1", "[NaN]", "[1e400]", '["\\ud800"]', "[01]", "[1] 2", '["a\tb"]', "['a']"],
    "object": ["", "[]", '{"a":1,"a":2}', "{a:1}", '{"a":1}}', '{"\\udc00": 1}', '{"a": Infinity}', '{"a" 1}'],
}
METRICS = [
    "1",
    "0.75",
    "-3",
    "1e-7",
    "1e21",
    "123456.789",
    "0",
    "1E5",
    "465531617843731628032",
    "1e300",
    "2.50",
    "-0.0",
]
NOT_METRICS = ['"x"', "NaN", "1e999", "null", "true", "[1]", "{}"]


def value(random: Random, kind: str) -> Any:
    """A parameter's value."""
    return random.choice(_VALUES[kind])


def text(random: Random, kind: str) -> str:
    """What a command writes as an output of that type; seldom what is none."""
    return random.choice(_WRONG[kind] if random.random() < 0.04 else _TEXTS[kind])
