"""Python packages are requirements, and nothing else that pip would take."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.plan.analysis import Analysis

# What nearly all are, and PEP 508 has: told here, since packaging takes longer to import than all checks take.
_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?:==[0-9]+(?:\.[0-9]+)*)?", re.ASCII)


def packages(analysis: Analysis) -> Iterator[Diagnostic]:
    """K214: not a requirement by PEP 508, an option of pip, or credentials in a URL."""
    for task in analysis.document.tasks:
        for i, written in enumerate(getattr(task, "packages_to_install", None) or ()):
            at = task.place("packages_to_install", i)
            if analysis.document.is_torn(at):
                continue
            text = analysis.resolution.compile_text(at, written).strip()
            if "{{" in written and at not in analysis.resolution.settled:
                continue
            if problem := requirement_problem(text):
                yield Diagnostic("K214", problem[0], at, problem[1])


def requirement_problem(text: str) -> tuple[str, str] | None:
    """Why pip is not given a text as a requirement, and how to write it; None where it is one."""
    if text.startswith("-"):
        help_ = "name packages only, such as `scikit-learn==1.7.2`; set pip's options by PIP_... variables"
        return f"`{text[:60]}` is an option of pip", help_
    if _PLAIN.fullmatch(text):
        return None
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        return f"`{text[:60]}` is not a Python package as pip takes it", _help(text)
    if requirement.url and re.match(r"[^/]*//[^/]*@", requirement.url):
        help_ = "put them into a secret, and set PIP_INDEX_URL from it"
        return f"the URL of `{requirement.name}` holds credentials", help_
    return None


def _help(text: str) -> str:
    single = re.fullmatch(r"([A-Za-z0-9._-]+)\s*=\s*([A-Za-z0-9._+!-]+)", text)
    if single:
        return f"did you mean `{single[1]}=={single[2]}`?"
    if re.fullmatch(r"[A-Za-z0-9._-]+([\s,]+[A-Za-z0-9._-]+)+", text):
        return "write one package an entry"
    return "write it as `name==version` (PEP 508)"
