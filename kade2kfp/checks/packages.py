"""Python packages are requirements, and nothing else that pip would take."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.shared import CommandTask
from kade2kfp.plan.analysis import Analysis


def packages(analysis: Analysis) -> Iterator[Diagnostic]:
    """K214: not a requirement by PEP 508, an option of pip, or credentials in a URL."""
    for task in analysis.document.tasks:
        if not isinstance(task, CommandTask) or not task.packages_to_install:
            continue
        from packaging.requirements import InvalidRequirement, Requirement

        for i, written in enumerate(task.packages_to_install):
            at = task.place("packages_to_install", i)
            text = analysis.resolution.compile_text(at, written).strip()
            if "{{" in text:
                continue
            if text.startswith("-"):
                yield Diagnostic(
                    "K214",
                    f"`{text[:60]}` is an option of pip",
                    at,
                    "name packages only, such as `scikit-learn==1.7.2`; set pip's options by PIP_... variables",
                )
                continue
            try:
                requirement = Requirement(text)
            except InvalidRequirement as error:
                reason = str(error).splitlines()[0]
                yield Diagnostic(
                    "K214",
                    f"`{text[:60]}` is not a requirement: {reason}",
                    at,
                    "write it as `name==version` (PEP 508)",
                )
                continue
            if requirement.url and re.match(r"[^/]*//[^/]*@", requirement.url):
                yield Diagnostic(
                    "K214",
                    f"the URL of `{requirement.name}` holds credentials",
                    at,
                    "put them into a secret, and set PIP_INDEX_URL from it",
                )
