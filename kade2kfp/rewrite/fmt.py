"""fmt: a document in the one order and layout. It says what it said before, to the digit."""

from __future__ import annotations

from kade2kfp.rewrite.layout import laid_out
from kade2kfp.rewrite.order import ordered
from kade2kfp.rewrite.tree import tree
from kade2kfp.source import Source


def formatted(source: Source) -> str:
    """The text of a document in its order and layout; the same text again where it is in them already.

    Raises CannotDoError where the source has diagnostics, or where the text would be larger than a document may be.
    """
    return laid_out(ordered(tree(source)))
