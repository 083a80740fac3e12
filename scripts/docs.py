"""Writes the generated pages of the manual: docs/format.md from the models, docs/codes.md from the codes' pages,
docs/commands.md and the man page from the commands.

`python scripts/docs.py` writes them; with --check it writes nothing and fails where one is stale.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le
from docs_commands import commands_page
from docs_describe import describe_page
from docs_man import man_page
from pydantic import BeforeValidator
from pydantic.fields import FieldInfo

from kade2kfp.diagnostics.pages import FAMILIES, all_codes, page
from kade2kfp.diagnostics.severity import severity
from kade2kfp.document import types
from kade2kfp.document.base import Model, Takes, alias, takes
from kade2kfp.document.pipeline import Arrow, Defaults, Envelope, Parameter, Volume
from kade2kfp.document.shared import CommandTask, PullSecretRef, Task
from kade2kfp.plan.inherit import DEFAULTED, INHERITED
from kade2kfp.tasks import TASK_TYPES

ROOT = Path(__file__).resolve().parents[1]
# The lists of the envelope, which are read element by element, and what their elements are.
ELEMENTS: Mapping[str, str] = {
    "parameters": "list of [Parameter](#parameter)",
    "volumes": "list of [Volume](#volume)",
    "defaults": "[Defaults](#defaults)",
    "tasks": "list of [tasks](#what-all-tasks-share)",
    "arrows": "list of [Arrow](#arrow)",
}
PARTS: tuple[type[Model], ...] = (Parameter, Volume, Arrow, Defaults)
KINDS = (
    (types.Name, "[name](#names-paths-durations-quantities)"),
    (types.Id, "[id](#names-paths-durations-quantities)"),
    (types.EnvName, "name of a variable"),
    (types.DnsName, "[Kubernetes name](#names-paths-durations-quantities)"),
    (types.DataKey, "key"),
    (types.Duration, "[duration](#names-paths-durations-quantities)"),
    (types.Quantity, "[quantity](#names-paths-durations-quantities)"),
    (types.CompileQuantity, "[quantity](#names-paths-durations-quantities)"),
    (types.AbsolutePath, "absolute path"),
    (types.RelativePath, "relative path"),
    (types.SubPath, "relative path"),
    (types.AnyPath, "path"),
    (types.CompileInteger, "whole number"),
)
WORDS = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`", Any: "any value"}
WHEN = {Takes.COMPILE: "at compile", Takes.RUN: "at run time"}

INTRO = """\
# The document format

*This page is generated from the models by `make docs`.*

A pipeline is one JSON file. The same is available as a JSON Schema, [`schemas/pipeline.v1.json`](../schemas/pipeline.v1.json):
name it as `$schema`, and an editor completes and explains the fields.

- An unknown field is an error, with a suggestion. Only `position`, `ui` and keys that begin with `x-` belong to the
  drawing editor: they are kept and not read.
- `null` is the same as absent. The one exception is `volume` of an arrow.
- A key that stands twice in one object is an error.
- **Fields in bold** are required.
- *References* says when a field takes [references](references.md) such as `{{params.NAME}}`: at run time, or only what
  is known at compile. Where it is empty, a reference is an error; names and descriptions that people read are taken as
  they are.

## Names, paths, durations, quantities

| | |
|---|---|
| name | a letter, then at most 62 letters, digits, `_` and `-` |
| id | like a name, and may begin with a digit, as UUIDs do |
| Kubernetes name | lower-case letters, digits, `-` and `.`, at most 253; begins and ends with a letter or digit |
| absolute path | begins with `/`, without `..` |
| duration | `90s`, `30m`, `8h`, `7d`, or combined, largest first: `1h30m`; longer than zero |
| quantity | as Kubernetes writes it: `500m`, `2`, `512Mi`, `1.5Gi`; a number is taken too |
"""


def format_page() -> str:
    """docs/format.md."""
    parts = [INTRO.rstrip()]
    parts += section("The pipeline", Envelope, lead="The whole document.")
    for part in PARTS:
        parts += section(part.__name__, part)
    parts += section("What all tasks share", Task, leave={"type"}, lead="Every task has these, whatever its type.")
    parts.append(inheritance())
    lead = "Jobs, containers and notebooks run a user's command, and have these besides."
    parts += section("Tasks that run a command", CommandTask, leave=set(Task.model_fields), lead=lead)
    parts.append("\n## Task types")
    for task in TASK_TYPES:
        base = CommandTask if issubclass(task, CommandTask) else Task
        shared = "[what all tasks share](#what-all-tasks-share)"
        if base is CommandTask:
            shared += " and [what tasks that run a command share](#tasks-that-run-a-command)"
        lead = f"{about(task)} Besides {shared}:"
        parts += section(type_name(task), task, leave=set(base.model_fields) - {"type"}, level=3, lead=lead)
    parts.append("\n## Objects\n\nIn the order of the alphabet.")
    for model in sorted(nested(), key=lambda one: one.__name__):
        parts += section(model.__name__, model, level=3)
    return "\n".join(parts).rstrip() + "\n"


def section(
    title: str, model: type[Model], *, leave: set[str] | None = None, level: int = 2, lead: str = ""
) -> Iterator[str]:
    """A model's heading, what it is, and a row for each field that is not left out."""
    yield f"\n{'#' * level} {title}\n"
    yield (lead or about(model)) + "\n"
    yield "| Field | Type | References | What it is |\n|---|---|---|---|"
    for name, info in model.model_fields.items():
        if name in (leave or ()):
            continue
        shown = f"`{alias(model, name)}`"
        what = ELEMENTS.get(name, "") if model is Envelope else ""
        row = (
            f"**{shown}**" if info.is_required() else shown,
            what or words(info.annotation, info.metadata),
            WHEN.get(takes(model, name), ""),
            described(info),
        )
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def about(model: type[Model]) -> str:
    """What the model is: its docstring, as one line."""
    return " ".join((model.__doc__ or "").split())


def described(info: FieldInfo) -> str:
    """A field's description, and the default that a boolean has."""
    text = info.description or ""
    return f"{text} Default: `{str(info.default).lower()}`." if isinstance(info.default, bool) else text


def type_name(model: type[Model]) -> str:
    """What the document says as a task's `type`."""
    return str(get_args(model.model_fields["type"].annotation)[0])


def words(annotation: Any, metadata: Any = ()) -> str:
    """A field's type in words, with links to the objects."""
    for kind, word in KINDS:
        if any(isinstance(mark, BeforeValidator) and mark in get_args(kind) for mark in metadata):
            return word
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return words(args[0], args[1:])
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(words(one) for one in args if one is not type(None)))
    if origin is Literal:
        return ", ".join(f'`"{one}"`' for one in args)
    if origin is list:
        return f"list of {words(args[0])}"
    if origin is dict:
        return f"object of {words(args[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Model):
        link = f"[{annotation.__name__}](#{anchor(annotation.__name__)})"
        return f"{link} or its name" if annotation is PullSecretRef else link
    marks = [inner for mark in metadata for inner in (mark.metadata if isinstance(mark, FieldInfo) else [mark])]
    limits = [f"at least {mark.ge}" for mark in marks if isinstance(mark, Ge)]
    limits += [f"at most {mark.le}" for mark in marks if isinstance(mark, Le)]
    return WORDS[annotation] + (f", {', '.join(limits)}" if limits else "")


def anchor(title: str) -> str:
    """The anchor that a heading gets."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def nested() -> list[type[Model]]:
    """The models that stand in others and have no section of their own."""
    own: set[type[Model]] = {Envelope, *PARTS, Task, CommandTask, *TASK_TYPES}
    found: dict[type[Model], None] = {}
    todo: list[type[Model]] = list(own)
    while todo:
        for info in todo.pop().model_fields.values():
            for model in models_in(info.annotation):
                if model not in own and model not in found:
                    found[model] = None
                    todo.append(model)
    return list(found)


def models_in(annotation: Any) -> Iterator[type[Model]]:
    """The models that a type names."""
    if isinstance(annotation, type) and not get_args(annotation) and issubclass(annotation, Model):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def inheritance() -> str:
    """What a task takes from elsewhere when it does not say it itself."""

    def names(fields: tuple[str, ...], more: tuple[str, ...]) -> str:
        return ", ".join(f"`{name}`" for name in sorted(alias(CommandTask, field) for field in (*fields, *more)))

    return (
        "\nWhat a task does not say itself, it takes from elsewhere:\n\n"
        "- along arrows that carry data, a job, container or notebook from the one before it: "
        f"{names(INHERITED, ('env', 'volumes'))}. Variables go by name and mounts by path; secrets stay where they are;\n"
        f"- then from `defaults`: {names(DEFAULTED, ('env', 'labels', 'annotations'))}.\n\n"
        '`"inherit": false`, on the task or on an arrow, stops the first. '
        "More about it: [arrows and volumes](arrows.md#what-is-inherited)."
    )


def codes_page() -> str:
    """docs/codes.md: each code with its severity and title, linked to its page."""
    rows = [
        "# Codes",
        "",
        "*This page is generated from the codes' own pages by `make docs`.*",
        "",
        "Every diagnostic has a code. Its page says what it means, why it matters, and how to put it right. An error",
        "stops the compilation; a warning does so with `--werror`; a note never does.",
    ]
    codes = all_codes()
    for family, subject in FAMILIES.items():
        here = [code for code in codes if code.startswith(family)]
        if not here:
            continue
        rows += ["", f"## {family}: {subject}", "", "| Code | Severity | |", "|---|---|---|"]
        for code in here:
            link = f"[{code}](../kade2kfp/diagnostics/codes/{code}.md)"
            title = page(code).title.replace("|", "\\|")
            rows.append(f"| {link} | {severity(code).value} | {title} |")
    return "\n".join(rows) + "\n"


PAGES = {
    "docs/format.md": format_page,
    "docs/codes.md": codes_page,
    "docs/commands.md": commands_page,
    "docs/describe.md": describe_page,
    "man/kade2kfp.1": man_page,
}


def main(argv: list[str]) -> int:
    """Writes the pages, or with --check says which are stale."""
    stale = 0
    for name, made in PAGES.items():
        path, text = ROOT / name, made()
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if "--check" in argv:
            print(f"{name} is stale: write it anew by `make docs`", file=sys.stderr)
            stale = 1
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"{name} written")
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
