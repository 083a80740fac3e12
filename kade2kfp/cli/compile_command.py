"""kade2kfp compile."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kade2kfp.cli.common import (
    failed,
    files_argument,
    folder_of,
    output_format,
    read,
    set_option,
    shown,
    typed_as,
    values,
    werror_option,
)
from kade2kfp.cli.rules import RulesChoice, rules_for, rules_options
from kade2kfp.cli.showing import Showing, limit_of, showing_options
from kade2kfp.cli.streams import out as write_out
from kade2kfp.cli.streams import say
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.files import write_atomically

if TYPE_CHECKING:
    from kade2kfp.api import Format

_EXAMPLES = """\b
Examples:
  kade2kfp compile pipeline.json -o pipeline.yaml
  kade2kfp compile pipelines/*.json --check
"""


@click.command("compile", epilog=_EXAMPLES)
@files_argument
@click.option("-o", "--out", metavar="PATH", help="The file, or the folder of several; `-` prints.")
@click.option("--check", is_flag=True, help="Write nothing: show the difference, exit 1 if any.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["ir", "pipelineversion"]),
    default="ir",
    help="KFP's YAML, or Kubernetes-native manifests.",
)
@set_option
@output_format("--output-format", "--output")
@werror_option
@rules_options
@showing_options
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    out: str | None,
    check: bool,
    format_: Format,
    pairs: tuple[str, ...],
    output: str,
    werror: bool,
    choice: RulesChoice,
    limit: int | None,
    color: str,
) -> None:
    """Lower pipeline documents into Kubeflow Pipelines v2, if they have no errors.

    Without -o the YAML stands beside its document; a document from standard input (`-`) goes to standard output.
    """
    from kade2kfp.api import compile

    targets = [_target(path, out, len(files)) for path in files]
    if len({target for target in targets if target is not None}) < len(
        [target for target in targets if target is not None]
    ):
        raise click.UsageError("Two documents would be written to one file: compile them one by one, each with -o.")
    for target in targets:
        _keep_documents(target, files)
    again = "".join(f" --set {shlex.quote(pair)}" for pair in pairs)
    again += "" if format_ == "ir" else f" --format {format_}"
    again += f" --config {shlex.quote(choice.config)}" if choice.config else " --no-config" * choice.no_config
    to_out = None not in targets
    every = [rules_for(path, choice, output=output, stream_is_out=to_out) for path in files]
    showing = Showing(output, stream_is_out=to_out, limit=limit_of(limit, every), color=color)
    wrong = stale = False
    for path, target, rules in zip(files, targets, every, strict=True):
        source = read(path)
        compiled = compile(source, folder=folder_of(path), values=values(source, pairs), format=format_, rules=rules)
        if compiled.yaml is None or failed(compiled.diagnostics, werror=werror or rules.werror):
            wrong = True
        elif check:
            stale |= _differs(path, target, compiled.yaml, again, output)
        elif target is None:
            write_out(compiled.yaml)
        else:
            write_atomically(target, compiled.yaml)
            steps = len(compiled.checked.plan.nodes) if compiled.checked.plan else 0
            names = f"{terminal(shown(path))} -> {terminal(shown(str(target)))}"
            say(f"{names} ({steps} step{'s' if steps != 1 else ''})")
        showing.add(source, compiled.diagnostics)
    showing.end()
    ctx.exit(1 if wrong or stale else 0)


def _target(path: str, out: str | None, documents: int) -> Path | None:
    """Where a document's YAML goes; None is standard output."""
    if out == "-" or (out is None and path == "-"):
        if documents > 1:
            raise click.UsageError("Several documents cannot go to standard output: name a folder with -o.")
        return None
    name = ("pipeline" if path == "-" else Path(path).stem) + ".yaml"
    if out is None:
        return Path(path).with_name(name)
    if os.path.isdir(out):
        return Path(out) / name
    if documents > 1:
        raise click.UsageError(f"With several documents -o names a folder that exists, and '{out}' is none.")
    if out.endswith("/"):
        raise click.UsageError(f"There is no folder '{out}'.")
    return Path(out)


def _keep_documents(target: Path | None, files: tuple[str, ...]) -> None:
    """No document is overwritten by what it becomes. Raises click.UsageError."""
    for path in files if target is not None else ():
        try:
            same = path != "-" and os.path.samefile(target or "", path)
        except (OSError, ValueError):  # one of them is not there: reading or writing it says so
            continue
        if same:
            raise click.UsageError(f"'{target}' is the document itself: name another file with -o.")


def _say_out(text: str) -> None:
    write_out(text + "\n")


def _differs(path: str, target: Path | None, text: str, more: str, output: str) -> bool:
    """Compare with what is committed; tells the difference. `more` are the options that the text was compiled with."""
    import difflib

    if target is None:
        raise click.UsageError("--check compares with a file: name it with -o.")
    name = terminal(shown(str(target)))
    again = f"write it by `kade2kfp compile {typed_as(path)} -o {typed_as(str(target))}{terminal(more)}`"
    try:
        if target.exists() and not target.is_file():
            raise click.ClickException(f"cannot read {name}: it is not a file")
        old = target.read_text(encoding="utf-8")
    except FileNotFoundError:
        _say_stale(f"{name} is missing: {again}", path, output)
        return True
    except (OSError, UnicodeDecodeError) as error:
        reason = (getattr(error, "strerror", None) or "it is not UTF-8").lower()
        raise click.ClickException(f"cannot read {name}: {reason}") from None
    if old == text:
        return False
    rows = difflib.unified_diff(
        old.splitlines(True), text.splitlines(True), f"{name} (committed)", f"{name} (compiled now)"
    )
    tell = _say_out if output == "text" else say
    tell("\n".join(terminal(row.rstrip("\r\n")) for row in rows))
    _say_stale(f"{name} is stale: {again}", path, output)
    return True


def _say_stale(text: str, path: str, output: str) -> None:
    if output == "github":
        from kade2kfp.diagnostics.github import annotation

        # At the document: whoever changes that sees it there.
        write_out(annotation("error", [text], shown(path), title="stale"))
    else:
        say(text)
