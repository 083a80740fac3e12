"""Texts as users and attackers write them."""

from __future__ import annotations

from hypothesis import strategies as st

from kade2kfp.checks.characters import broken

HOSTILE = (
    "{{workflow.name}}",
    "{{=1+1}}",
    "{{$.inputs.parameters['who']}}",
    "{{$}}",
    "{{channel:task=;name=who;type=String;}}",
    '{"IfPresent": {"InputName": "who"}}',
    "$(HOME)",
    "$$",
    "$$(HOME)",
    "\x1b[31m",
    "\x1b]0;title\x07",
    "\u202e",
    "`id`; $(id) | cat",
    "'",
    '"',
    "\\",
    "\n",
    "\r\n",
    "\t",
    "\u2028",
    "\x85",
    "\ufeff",
    "{",
    "}",
    "$",
    "한글",
    "é",
    "e\u0301",
    "😀",
    "- a: &b !!python/object *c",
    "%s %d",
    " ",
)
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0").filter(lambda char: not broken(char))
ANY = st.text(CHARACTERS, max_size=12)
"""Any text that a process can be given."""
TEXTS = st.one_of(ANY, st.lists(st.sampled_from(HOSTILE) | ANY, max_size=4).map("".join))
"""Any text, often with what KFP, Argo, Kubernetes, a shell, YAML or a terminal would act upon."""
FILLED = TEXTS.filter(lambda text: text.strip() != "")
SHOWN = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20) | FILLED.map(lambda text: text[:200])
"""Names and descriptions: any text, NUL too."""


def written(literal: str) -> str:
    """A literal text as a document has it in a field that takes references."""
    return literal.replace("{{", "{{{{")


def unchanged(text: str) -> bool:
    """Whether a value of a parameter may be this text: nobody replaces a part of it on its way."""
    return not any(bad in text for bad in ("{{", "$(", "$$"))
