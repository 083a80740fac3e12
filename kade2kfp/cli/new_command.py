"""kade2kfp new."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import click

from kade2kfp.cli.streams import out
from kade2kfp.diagnostics.escape import terminal
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.resources import resource

_DOCUMENT = "pipeline.json"
_EXAMPLES = """\b
Examples:
  kade2kfp new
  kade2kfp new train
  kade2kfp new sweep pipelines/rates --name "Learning rates"
"""


@click.command("new", epilog=_EXAMPLES)
@click.argument("template", required=False, metavar="[TEMPLATE]")
@click.argument("folder", required=False, metavar="[FOLDER]")
@click.option("--list", "list_", is_flag=True, help="List the templates.")
@click.option("--name", metavar="TEXT", help="The pipeline's name: any text.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
def command(template: str | None, folder: str | None, list_: bool, name: str | None, force: bool) -> None:
    """Make a folder with a pipeline that works, to begin with.

    FOLDER is called like the template where it is not given. Without TEMPLATE, the templates are listed.
    """
    known = templates()
    if list_ or template is None:
        width = max(map(len, known))
        rows = [f"{one:{width}}  {about}" for one, about in known.items()]
        out("\n".join([*rows, "", "To begin with one: kade2kfp new TEMPLATE [FOLDER]", ""]))
        return
    if template not in known:
        raise click.UsageError(f"There is no template '{template}': {did_you_mean(template, known, noun='templates')}")
    if folder == "":
        raise click.UsageError("FOLDER is empty: type a folder's name, or leave it out.")
    files = {one.name: one.read_bytes() for one in resource(f"templates/new/{template}").iterdir() if one.is_file()}
    if name is not None:
        files[_DOCUMENT] = _named(files[_DOCUMENT], name)
    target = Path(folder if folder is not None else template)
    try:
        write_all(target, files, force=force)
    except OSError as error:
        raise click.ClickException(f"cannot write {target}: {(error.strerror or str(error)).lower()}") from None
    shown = "".join(f"{terminal(str(target / one))}\n" for one in sorted(files))
    document = str(target / _DOCUMENT)
    typed = shlex.quote(f"./{document}" if document.startswith("-") else document)
    out(f"{shown}next: kade2kfp run {terminal(typed)}\n")


def templates() -> dict[str, str]:
    """The names of all templates with what each is; the simplest comes first."""
    folders = [one for one in resource("templates/new").iterdir() if one.is_dir()]
    documents = {one.name: json.loads(one.joinpath(_DOCUMENT).read_text(encoding="utf-8")) for one in folders}
    return {name: documents[name]["description"] for name in sorted(documents, key=lambda one: (one != "hello", one))}


def _named(document: bytes, name: str) -> bytes:
    """A template's document with another name. Raises click.BadParameter where a pipeline cannot be called that."""
    from kade2kfp.api import parse, validate
    from kade2kfp.diagnostics.severity import errors

    try:
        said = json.dumps(name, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise click.BadParameter("it is not text in UTF-8", param_hint="--name") from None
    rows = document.split(b"\n")
    (at,) = (number for number, row in enumerate(rows) if row.startswith(b'  "name": '))
    rows[at] = b'  "name": ' + said + b","
    changed = b"\n".join(rows)
    if wrong := [one for one in validate(parse(changed)).diagnostics if errors([one])]:
        raise click.BadParameter("; ".join(filter(None, (wrong[0].message, wrong[0].help))), param_hint="--name")
    return changed


def write_all(target: Path, files: Mapping[str, bytes], *, force: bool) -> None:
    """Write files, by their names, into a folder, which is made with its parents where it is not there; all or none.

    Raises click.ClickException where some are there already and `force` is not said, OSError where that cannot be done.
    """
    if os.path.lexists(target) and not target.is_dir():
        raise click.ClickException(f"{target} is there and is no folder: name another FOLDER.")
    there = sorted(name for name in files if os.path.lexists(target / name))
    if there and not force:
        names = ", ".join(str(target / name) for name in there)
        raise click.ClickException(f"{names} would be replaced: name another FOLDER, or say --force.")
    with ExitStack() as undo:
        if target.is_dir():
            aside = Path(tempfile.mkdtemp(prefix=".kade2kfp-", dir=target))
            undo.callback(os.rmdir, aside)
            for name, data in files.items():
                _put(target / name, data, aside, undo.callback)
            undo.pop_all()  # the files stay
            shutil.rmtree(aside, ignore_errors=True)
            return
        parent = Path(os.path.abspath(target)).parent
        for one in reversed([one for one in (parent, *parent.parents) if not one.exists()]):
            one.mkdir()
            undo.callback(one.rmdir)
        with tempfile.TemporaryDirectory(prefix=".kade2kfp-", dir=parent) as beside:
            made = Path(beside, "folder")
            made.mkdir()
            for name, data in files.items():
                (made / name).write_bytes(data)
            os.rename(made, target)
        undo.pop_all()


def _put(target: Path, data: bytes, aside: Path, undo: Callable[..., object]) -> None:
    """Write a file that is not there; what is there is put aside before."""
    if os.path.lexists(target):
        os.rename(target, aside / target.name)
        undo(os.rename, aside / target.name, target)
    with open(target, "xb") as file:
        undo(target.unlink)
        file.write(data)
