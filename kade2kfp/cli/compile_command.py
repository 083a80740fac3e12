"""kade2kfp compile."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from kade2kfp.api import Format, compile
from kade2kfp.cli.common import (
    failed,
    files_argument,
    folder_of,
    output_format,
    read,
    set_option,
    show,
    shown,
    values,
    werror_option,
)
from kade2kfp.files import write_atomically


@click.command("compile")
@files_argument
@click.option(
    "-o", "--out", metavar="PATH", help="The file, or with several documents the folder; `-` for standard output."
)
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing: compare with what is there, show the difference, exit 1 if there is one.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["ir", "pipelineversion"]),
    default="ir",
    show_default=True,
    help="KFP's pipeline YAML, or its Kubernetes-native manifests.",
)
@set_option
@output_format("--output-format", "--output")
@werror_option
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
) -> None:
    r"""Lower pipeline documents into Kubeflow Pipelines v2. Nothing is written where there are errors.

    Without -o the YAML stands beside its document; a document from standard input (`-`) goes to standard output.

    \b
    kade2kfp compile pipeline.json -o pipeline.yaml
    kade2kfp compile pipelines/*.json --check
    """
    targets = [_target(path, out, len(files)) for path in files]
    if len({target for target in targets if target is not None}) < len(
        [target for target in targets if target is not None]
    ):
        raise click.UsageError("Two documents would be written to one file: compile them one by one, each with -o.")
    results, stale = [], False
    for path, target in zip(files, targets, strict=True):
        source = read(path)
        compiled = compile(source, folder=folder_of(path), values=values(source, pairs), format=format_)
        results.append((source, compiled.diagnostics))
        if compiled.yaml is None or failed(compiled.diagnostics, werror=werror):
            continue
        if check:
            stale |= _differs(path, target, compiled.yaml)
        elif target is None:
            click.echo(compiled.yaml, nl=False)
        else:
            write_atomically(target, compiled.yaml)
            steps = len(compiled.checked.plan.nodes) if compiled.checked.plan else 0
            click.echo(f"{shown(path)} -> {shown(str(target))} ({steps} step{'s' if steps != 1 else ''})", err=True)
    show(results, output, stream_is_out=None not in targets)
    wrong = any(failed(found, werror=werror) for _, found in results)
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
    if Path(out).is_dir():
        return Path(out) / name
    if documents > 1:
        raise click.UsageError(f"With several documents -o names a folder that exists, and '{out}' is none.")
    return Path(out)


def _differs(path: str, target: Path | None, text: str) -> bool:
    """Compare with what is committed; shows the difference."""
    import difflib

    if target is None:
        raise click.UsageError("--check compares with a file: name it with -o.")
    name = shown(str(target))
    try:
        old = target.read_text(encoding="utf-8")
    except FileNotFoundError:
        click.echo(f"{name} is missing: write it by `kade2kfp compile {shown(path)} -o {name}`", err=True)
        return True
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(
            f"cannot read {name}: {getattr(error, 'strerror', None) or 'it is not UTF-8'}"
        ) from None
    if old == text:
        return False
    rows = difflib.unified_diff(
        old.splitlines(True), text.splitlines(True), f"{name} (committed)", f"{name} (compiled now)"
    )
    sys.stdout.writelines(row if row.endswith("\n") else row + "\n" for row in rows)
    click.echo(f"{name} is stale: write it anew by `kade2kfp compile {shown(path)} -o {name}`", err=True)
    return True
