"""References are written as references are here, not as in other tools."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.base import Takes
from kade2kfp.plan.analysis import Analysis


def lost_references(analysis: Analysis) -> Iterator[Diagnostic]:
    """K314 (warning): a declared name in the syntax of another tool, which arrives as it stands."""
    for lost in analysis.resolution.lost:
        place, one = lost.place, lost.found
        reference = f"{{{{{one.meant}}}}}"
        message = f"`{one.text}` is no reference, it would arrive as it stands"
        help_ = f"write `{reference}`"
        if one.text.startswith("${{"):
            message = f"the `$` of `{one.text}` would stay before the value"
            help_ += r"; where a shell shall see a `$`, write `\$` before it"
        elif place.takes is Takes.NEVER:
            help_ = "write the value out: no reference can stand here"
        yield Diagnostic("K314", message, place.pointer, help_, within=(one.start, one.end))
