"""kade2kfp explain."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from textwrap import wrap

import click

from kade2kfp.cli.streams import out
from kade2kfp.diagnostics.pages import FAMILIES, all_codes, page
from kade2kfp.diagnostics.severity import severity
from kade2kfp.document.suggest import closest

_COLUMNS = 100
_COLOURS = {"error": "31", "warning": "33", "note": "36"}
_EXAMPLES = """\b
Examples:
  kade2kfp explain K301
  kade2kfp explain K3
  kade2kfp explain --list
"""


@click.command("explain", epilog=_EXAMPLES)
@click.argument("codes", nargs=-1, metavar="[CODE...]")
@click.option("--list", "list_", is_flag=True, help="List all codes, or those that begin so.")
def command(codes: tuple[str, ...], list_: bool) -> None:
    """Say what a code means, why it is there, and how to mend it.

    CODE is copied from a message; the beginning of one, such as K3, lists its family.
    """
    known = all_codes()
    asked = [one.strip().strip("[]").upper() for code in codes for one in code.split(",")]
    if not asked and not list_:
        raise click.UsageError("Name a code, such as K301, or say --list.")
    for code in asked:
        if not code or not any(name.startswith(code) for name in known):
            near = closest(code, known, cutoff=0.75) if len(code) >= len("K301") else None
            help_ = f"did you mean `{near}`?" if near else "`kade2kfp explain --list` lists them"
            raise click.UsageError(f"There is no code '{code}': {help_}")
    bold = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    if list_:
        wanted = [name for name in known if not asked or name.startswith(tuple(asked))]
        out(_listed(wanted, bold=bold))
        return
    parts = []
    for code in dict.fromkeys(asked):
        if code in known:
            parts.append(_page(code, bold=bold))
        else:
            parts.append(_listed([name for name in known if name.startswith(code)], bold=bold))
    out("\n\n".join(parts))


def _listed(codes: Iterable[str], *, bold: bool) -> str:
    """A line for each code with its severity and title, below the headings of their families."""
    rows: list[str] = []
    family = ""
    for code in codes:
        if code[:2] != family:
            family = code[:2]
            rows += [""] * bool(rows) + [_bold(f"{family}: {FAMILIES.get(family, 'Others')}", bold)]
        kind = severity(code).value
        rows.append(f"{code}  {_coloured(f'{kind:7}', kind, bold)}  {page(code).title}")
    return "\n".join(rows) + "\n"


def _page(code: str, *, bold: bool) -> str:
    """A page as text: its headings without marks, its paragraphs broken into lines, its examples indented."""
    kind = severity(code).value
    rows = [f"{_bold(f'{code}: {page(code).title}', bold)} ({_coloured(kind, kind, bold)})", ""]
    columns = min(_COLUMNS, shutil.get_terminal_size((_COLUMNS, 24)).columns)
    code_block = False
    for line in page(code).body.splitlines():
        if line.lstrip().startswith("```"):
            code_block = not code_block
        elif code_block:
            rows.append(f"    {line}".rstrip())
        elif line.startswith("#"):
            rows.append(_bold(line.lstrip("# "), bold))
        elif line.startswith("|"):
            rows.append(line)
        else:
            hang = "  " if line.startswith(("- ", "* ")) else ""
            rows += wrap(line, columns, subsequent_indent=hang, break_long_words=False, break_on_hyphens=False) or [""]
    return "\n".join(rows) + "\n"


def _bold(text: str, bold: bool) -> str:
    return f"\x1b[1m{text}\x1b[0m" if bold else text


def _coloured(text: str, kind: str, bold: bool) -> str:
    return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m" if bold else text
