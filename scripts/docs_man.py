"""man/kade2kfp.1: the man page, in roff's man macros, from what the commands declare of themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from textwrap import wrap

from docs_commands import EXIT_CODES, Entry, entries

from kade2kfp import __version__
from kade2kfp.cli import group
from kade2kfp.cli.declared import about, arguments_of, metavar, names_of, options_of, whole_of

DATE = "2026-11-21"
"""When the frame below was last written. The page's text is of the version that it names."""
VARIABLES = (
    ("KADE2KFP_HOME", "Where runs of this machine are kept; else kade2kfp below $XDG_DATA_HOME or ~/.local/share."),
    ("KADE2KFP_CONFIG", "The configuration; else kade2kfp/config.yaml below $XDG_CONFIG_HOME or ~/.config."),
    ("KADE2KFP_CONTEXT", "The context of the configuration that is meant where no option names a cluster."),
    ("KFP_ENDPOINT", "The address of Kubeflow Pipelines where neither an option nor a context names one."),
    ("KFP_NAMESPACE", "The namespace of runs on a cluster."),
    ("KFP_EXISTING_TOKEN", "A token that is sent to KFP_ENDPOINT."),
    ("KADE2KFP_COOKIE", "A cookie that is sent to KFP_ENDPOINT."),
    ("AWS_ENDPOINT_URL", "The object store of artifacts on a cluster."),
    ("NO_COLOR", "If it is not empty, nothing is coloured."),
)
FILES = (
    ("~/.config/kade2kfp/config.yaml", "Clusters by name, and which is meant by default."),
    ("~/.local/share/kade2kfp", "Runs of this machine, their cache, and environments of Python packages."),
)


def man_page() -> str:
    """The page's text."""
    every = entries()
    rows = [
        f'.TH KADE2KFP 1 "{DATE}" "kade2kfp {_escaped(__version__)}" "User Commands"',
        ".\\\" Generated from the commands by `make docs'.",
        ".SH NAME",
        "kade2kfp \\- machine\\-learning pipelines that were drawn, for Kubeflow Pipelines and for one machine",
        ".SH SYNOPSIS",
        ".B kade2kfp",
        ".I COMMAND",
        "[\\fIOPTIONS\\fR] [\\fIARGS\\fR]...",
        ".SH DESCRIPTION",
        *_paragraph(group.help or ""),
        ".PP",
        *_paragraph(
            "`kade2kfp COMMAND --help` fits a screen; `kade2kfp COMMAND --help-all` tells what is here. `-` as a file is "
            "standard input. What is asked for goes to standard output, all else to standard error."
        ),
        ".SH COMMANDS",
    ]
    for one in every:
        rows += _command(one)
    rows += [".SH EXIT STATUS", *_terms(EXIT_CODES)]
    rows += [".SH ENVIRONMENT", *_terms(VARIABLES), ".SH FILES", *_terms(FILES)]
    rows += [".SH SEE ALSO", *_paragraph("The manual, in the folder `docs` of the source; `kade2kfp explain CODE`.")]
    return "\n".join(rows) + "\n"


def _command(entry: Entry) -> Iterator[str]:
    told = about(entry.command)
    yield f".SS {_escaped(entry.words)} {_escaped(entry.usage)}"
    for number, one in enumerate(told.paragraphs):
        yield from ([".PP"] if number else [])
        yield from _paragraph(one)
    yield from _terms((name, what) for name, what in arguments_of(entry.command) if what)
    yield from _terms((f"{names_of(one)} {metavar(one)}".rstrip(), whole_of(one)) for one in options_of(entry.command))
    if told.examples:
        yield from (".PP", "Examples:", ".PP", ".RS 4", ".nf", *map(_line, told.examples), ".fi", ".RE")
    for one in told.notes:
        yield ".PP"
        yield from _paragraph(one)


def _terms(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, what in rows:
        yield from (".TP", f"\\fB{_escaped(name)}\\fR", *_paragraph(what))


def _paragraph(said: str) -> Iterator[str]:
    """Sentences, each on a line of its own, as roff wants them; what stands in backquotes is bold."""
    for sentence in re.split(r"(?<=[.:;]) ", " ".join(said.split())):
        parts = re.split(r"`([^`]+)`", sentence)
        marked = "".join(f"\\fB{_escaped(one)}\\fR" if odd % 2 else _escaped(one) for odd, one in enumerate(parts))
        yield from map(_guarded, wrap(marked, 78, break_long_words=False, break_on_hyphens=False))


def _line(said: str) -> str:
    return _guarded(_escaped(said))


def _guarded(line: str) -> str:
    """A line that roff takes for no request: those begin with a dot or an apostrophe."""
    return f"\\&{line}" if line.startswith((".", "'", "\\(aq")) else line


def _escaped(said: str) -> str:
    r"""Text as roff's: `\` begins its escapes, a plain hyphen may become another sign, as may quotes, `^` and `~`."""
    signs = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", '"': "\\(dq"}
    return "".join(signs.get(char, char if char.isascii() else f"\\[u{ord(char):04X}]") for char in said)
