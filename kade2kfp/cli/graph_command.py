"""kade2kfp graph."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import click

from kade2kfp.cli.common import folder_of, read, set_option, show, shown, typed_as, values
from kade2kfp.cli.rules import RulesChoice, config_options, rules_for
from kade2kfp.cli.streams import out as write_out
from kade2kfp.cli.streams import say
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.diagnostics.severity import errors
from kade2kfp.files import write_atomically

Format = Literal["svg", "mermaid", "dot"]
_FORMATS: dict[str, Format] = {".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid", ".dot": "dot", ".gv": "dot"}
_EXAMPLES = """\b
Examples:
  kade2kfp graph pipeline.json -o pipeline.svg
  kade2kfp graph pipeline.json --format dot | dot -Tpdf > pipeline.pdf
"""


@click.command("graph", epilog=_EXAMPLES)
@click.argument("file", metavar="FILE")
@click.option(
    "-o", "--out", metavar="PATH", help="The file to write: .svg, .mmd, .dot or .gv; `-` for standard output."
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["svg", "mermaid", "dot"]),
    help="What to draw; without -o it is mermaid.",
)
@click.option(
    "--theme",
    type=click.Choice(["auto", "light", "dark"]),
    default="auto",
    show_default=True,
    help="Colours of an SVG; auto follows the reader's.",
)
@click.option(
    "--direction",
    type=click.Choice(["auto", "right", "down"]),
    default="auto",
    show_default=True,
    help="Where it leads; auto goes by its shape.",
)
@set_option
@config_options
@click.pass_context
def command(
    ctx: click.Context,
    file: str,
    out: str | None,
    format_: Format | None,
    theme: Literal["auto", "light", "dark"],
    direction: Literal["auto", "right", "down"],
    pairs: tuple[str, ...],
    choice: RulesChoice,
) -> None:
    """Draw a pipeline as SVG, Mermaid or DOT. One with errors is drawn as far as it can be read.

    It shows the document itself: images have the names that they have there, also where the team's rules mirror them.
    """
    format_ = format_ or _format(out)
    if theme != "auto" and format_ != "svg":
        raise click.UsageError(f"--theme is for SVG, and this is {format_}: write it with -o NAME.svg or --format svg.")
    if out not in (None, "-") and file != "-":
        _keep(file, Path(str(out)))
    from kade2kfp.api import validate

    rules = rules_for(file, choice)
    source = read(file)
    checked = validate(source, folder=folder_of(file), values=values(source, pairs), rules=rules)
    if checked.analysis is None or not checked.analysis.document.tasks:
        show([(source, checked.diagnostics)], "text", stream_is_out=False)
        ctx.exit(1)
    from kade2kfp.graph import as_dot, as_mermaid, as_svg, graph_of

    graph = graph_of(checked.analysis)
    plain = as_mermaid if format_ == "mermaid" else as_dot
    text = as_svg(graph, theme, direction) if format_ == "svg" else plain(graph, direction)
    if out is None or out == "-":
        write_out(text)
    else:
        write_atomically(Path(out), text)
        tasks = len(graph.boxes)
        say(f"{terminal(shown(file))} -> {terminal(shown(out))} ({tasks} task{'s' if tasks != 1 else ''})")
    wrong = errors(list(checked.diagnostics))
    if wrong:
        count, them = ("1 error", "it") if wrong == 1 else (f"{wrong:,} errors", "them")
        say(f"{count}: `kade2kfp validate {typed_as(file)}` tells {them}; what could be read is drawn")
    ctx.exit(1 if wrong else 0)


def _format(out: str | None) -> Format:
    """What a file's name asks for. Raises click.UsageError where it does not say."""
    if out is None or out == "-":
        return "mermaid"
    suffix = os.path.splitext(out)[1].lower()
    if suffix not in _FORMATS:
        raise click.UsageError(f"What is '{out}' to be? Name it .svg, .mmd or .dot, or say --format.")
    return _FORMATS[suffix]


def _keep(file: str, out: Path) -> None:
    """No document is overwritten by its picture. Raises click.UsageError."""
    try:
        same = os.path.samefile(file, out)
    except (OSError, ValueError):  # one of them is not there: reading or writing it says so
        return
    if same:
        raise click.UsageError(f"'{out}' is the document itself: name another file with -o.")
