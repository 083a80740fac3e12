"""The text that goes into pods: nothing in it is substituted on the way, and it is the template's program."""

from __future__ import annotations

import ast
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kade2kfp.resources import read_text
from kade2kfp.steps.python_text import embed_python, shrink


def test_nothing_in_it_is_substituted_on_the_way() -> None:
    text = embed_python("load_data.py")
    assert text.isascii()
    assert not [found for found in ("{{", "$$", "$(") if found in text]


def test_it_stays_small() -> None:
    assert len(embed_python("load_data.py")) < 25_000


def meaning(source: str) -> str:
    """The syntax tree without docstrings and positions."""
    return ast.dump(WithoutDocstrings().visit(ast.parse(source)))


class WithoutDocstrings(ast.NodeTransformer):
    """Drops statements that are only a string; a block left empty passes."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        return ast.Pass() if is_text(node) else self.generic_visit(node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for block in ("body", "orelse", "finalbody"):
            body = getattr(node, block, None)
            if isinstance(body, list):
                kept = [item for item in body if not isinstance(item, ast.Pass)]
                setattr(node, block, kept)
        return node


def is_text(item: ast.stmt) -> bool:
    value = item.value if isinstance(item, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


SAMPLES = [
    "",
    "x = 1",
    '"""doc"""\n# note\nx = 1  # note\n\n\ny = "# no note"\n',
    'class A:\n    """doc"""\n',
    'def f():\n    """doc"""\n    # note\n\n\nx = f\n',
    'def f():\n    "a" "b"\n    return """\n  kept # kept\n\n    kept"""\n',
    'x = f"{1!r:>{10}} # {\'a\'}" f"""\n  {2}  # kept\n"""\n',
    "x = [\n    1,  # one\n\n    # two\n    2,\n]\nif x and not x or x is None: y = x if x else -1\n",
    "x = 1 \\\n    + 2\nfor a in (1, 2): print(a); b = a\n",
    "x = { (1, 2): { 3 } }\ny = 1 .real\nz = 1 - -1\nw = x [0] if 0x1 else 2\n",
    "def f(*, a: int = 1, **k: object) -> None:\n\tif a:\n\t\tpass\n\telse:\n\t\traise E from None\n",
    "lambda *a, **k: (yield)\nprint('a'if 1 else'b')\n@d\nclass B(A, m=M): x: int = 3\n",
    "if 1:\n    pass\n# at the left\n    x = 2\n",
    'x = "\x0c"\n\x0cy = 1\n',
]


@pytest.mark.parametrize("source", SAMPLES)
def test_what_is_left_means_the_same(source: str) -> None:
    assert meaning(shrink(source)) == meaning(source)
    assert shrink(shrink(source)) == shrink(source)


def test_braces_are_kept_apart() -> None:
    assert "{{" not in shrink("x = {\n{1: 2}[1]}\n")


def test_the_template_means_the_same() -> None:
    assert meaning(embed_python("load_data.py")) == meaning(read_text("templates/load_data.py"))


def test_it_is_the_same_under_every_python() -> None:
    digest = hashlib.sha256("".join(map(shrink, SAMPLES)).encode()).hexdigest()
    assert digest == "9d56b5a1ddb3687330e14d252e555d08ab91ca1009cdffd6b87f2932d118b2a1"


@given(st.text(st.sampled_from("ab1 ._=+-*<>!()[]{},:\n'\"#@")))
def test_any_program_means_the_same(source: str) -> None:
    try:
        before = meaning(source)
    except (SyntaxError, ValueError):
        return
    assert meaning(shrink(source)) == before


def test_a_template_that_is_not_there_is_told() -> None:
    with pytest.raises(FileNotFoundError):
        embed_python("nothing.py")
