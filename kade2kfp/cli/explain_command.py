"""kade2kfp explain."""

from __future__ import annotations

from importlib.resources import files

import click

from kade2kfp.diagnostics.severity import severity
from kade2kfp.document.suggest import did_you_mean


@click.command("explain", epilog="\b\nExamples:\n  kade2kfp explain K301\n  kade2kfp explain --list")
@click.argument("code", required=False)
@click.option("--list", "list_", is_flag=True, help="All codes, a line each.")
def command(code: str | None, list_: bool) -> None:
    """Say what a code means, why it is there, and how to mend it."""
    pages = {page.name.removesuffix(".md"): page for page in files("kade2kfp.diagnostics").joinpath("codes").iterdir()}
    if list_:
        for name in sorted(pages):
            click.echo(f"{name}  {severity(name):7}  {_title(pages[name].read_text(encoding='utf-8'))}")
        return
    if code is None:
        raise click.UsageError("Name a code, such as K301, or --list.")
    wanted = code.strip("[]").upper()
    if wanted not in pages:
        raise click.UsageError(f"There is no code '{code}': {did_you_mean(wanted, pages) or 'see --list'}")
    text = pages[wanted].read_text(encoding="utf-8")
    body = text.split("---\n", 2)[-1].strip()
    click.echo(f"{wanted}: {_title(text)} ({severity(wanted)})\n\n{body}")


def _title(page: str) -> str:
    return next((line.removeprefix("title:").strip() for line in page.splitlines() if line.startswith("title:")), "")
