"""A step's container command: the user's own, or step.sh with the operations that the step needs.

Both backends use it; they differ only in where things lie, which `Places` says. The operations are described in
templates/step.sh.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from itertools import groupby
from math import ceil
from typing import Literal, Protocol

from kade2kfp.steps.model import Step
from kade2kfp.steps.parts import ArtifactOutput, EnvValue, Gate
from kade2kfp.steps.script import embed
from kade2kfp.steps.sources import Arrived, Json, RunInfo, Source, Text, any_source

# What Argo, Kubernetes or KFP's driver would take for its own is cut in between, and put together in the step:
# Argo substitutes `{{...}}` (util/template), Kubernetes expands `$(VAR)` and folds `$$`, each twice
# (third_party/forked/golang/expansion), the driver reads an argument that begins with `{"IfPresent":` as a condition
# (backend/src/v2/driver/util.go, isConditionClause).
_CUT = re.compile(r"""(?<=\{)(?=\{|"IfPresent":)|(?<=\$)(?=[$(])""")


# Variables that some shell sets, changes or takes for its own at its start.
_SHELLS_OWN = frozenset(
    [
        "_",
        "IFS",
        "PWD",
        "OLDPWD",
        "PPID",
        "UID",
        "EUID",
        "GROUPS",
        "RANDOM",
        "SRANDOM",
        "SECONDS",
        "EPOCHSECONDS",
        "EPOCHREALTIME",
        "LINENO",
        "OPTIND",
        "OPTARG",
        "OPTERR",
        "PS1",
        "PS2",
        "PS3",
        "PS4",
        "SHLVL",
        "SHELLOPTS",
        "HOSTNAME",
        "HOSTTYPE",
        "MACHTYPE",
        "OSTYPE",
        "DIRSTACK",
        "FUNCNAME",
        "PIPESTATUS",
        "POSIXLY_CORRECT",
        "COLUMNS",
        "LINES",
        "ENV",
    ]
)


class Places(Protocol):
    """Where a backend puts what a step reads and writes: paths, or placeholders that become paths."""

    def value(self, source: Source) -> str:
        """The text of a source."""

    def input_path(self, name: str) -> str:
        """Where the artifact input has arrived."""

    def input_uri(self, name: str) -> str:
        """The artifact input's URI; empty where there is none."""

    def output_path(self, name: str) -> str:
        """Where the artifact output must be left."""

    def output_uri(self, name: str) -> str:
        """The artifact output's URI."""

    def parameter_file(self, name: str) -> str:
        """The file for an output parameter's value."""

    def port(self, number: int) -> int:
        """The port that a server of the step's listens on, for the one that the document says."""


Piece = tuple[Literal["+", "s"], str]
"""A piece of a text, and the operation of step.sh that appends it to the register."""
_STATUS = RunInfo("status")


def pieces(text: Text, places: Places) -> list[Piece]:
    """The text as pieces, none of which holds anything that would be replaced on its way; at least one.

    Values count too: between a value and what stands beside it is a cut wherever the two could form something. How the
    run has ended is a piece of its own, never the last: the step makes a word of what KFP says.
    """
    parts: list[Piece] = [("+", "")]
    after_value = False
    for is_value, part in _runs(text, places):
        if part is None:
            if not parts[-1][1]:
                parts.pop()
            parts += [("s", places.value(_STATUS)), ("+", "")]
            after_value = False
            continue
        first, *rest = [part] if is_value else _CUT.split(part)
        before = parts[-1][1]
        starts_something = after_value and (is_value or first.startswith(("{", "$", "(", '"IfPresent":')))
        if starts_something or (is_value and before.endswith(("{", "$"))):
            parts.append(("+", first))
        else:
            parts[-1] = ("+", before + first)
        parts += [("+", one) for one in rest]
        after_value = is_value
    return parts


def _runs(text: Text, places: Places) -> Iterator[tuple[bool, str | None]]:
    """The text as values and literals, each with whether it is a value; no two literals beside each other, none empty.

    None stands for how the run has ended.
    """
    for is_value, run in groupby(text, key=lambda part: not isinstance(part, str)):
        if is_value:
            for part in run:
                if not isinstance(part, str):
                    yield True, None if part == _STATUS else _value(part, places)
        elif joined := "".join(part for part in run if isinstance(part, str)):
            yield False, joined


def _value(part: Source | Arrived, places: Places) -> str:
    if isinstance(part, Arrived):
        return places.input_path(part.input) if part.what == "path" else places.input_uri(part.input)
    return places.value(part)


def is_plain(text: Text) -> bool:
    """Whether the text is all literal and needs no protection."""
    return not any_source(text) and not _CUT.search("".join(str(part) for part in text))


def needs_script(step: Step) -> bool:
    """Whether the step cannot be started directly and so needs a shell in its image."""
    return bool(
        any(arrived.path for arrived in step.inputs)
        or step.outputs
        or step.parameters
        or step.metrics
        or step.files
        or step.requirements
        or step.working_dir
        or step.folders
        or (step.retry and step.retry.on == "exit")
        or step.gate
        or any(isinstance(env, EnvValue) and not is_plain(env.value) for env in step.env)
        or any(len(pieces(argument, _NOWHERE)) > 1 for argument in step.command)
    )


def plain_env(step: Step) -> Iterator[tuple[str, str]]:
    """Names and values of the variables that the container may have directly; the others come through step.sh."""
    through_shell = needs_script(step)
    for env in step.env:
        if isinstance(env, EnvValue) and not _by_script(env, through_shell):
            yield env.name, "".join(str(part) for part in env.value)


def _by_script(env: EnvValue, through_shell: bool) -> bool:
    """Whether step.sh must set the variable: for its value, or since the shell has one of that name for itself."""
    return not is_plain(env.value) or (through_shell and (env.name in _SHELLS_OWN or env.name.startswith("BASH")))


def container_command(step: Step, places: Places) -> tuple[list[str], list[str]]:
    """The container's command and args: Kubernetes' words, whatever the image's entrypoint is."""
    arguments = [pieces(argument, places) for argument in step.command]
    if not needs_script(step):
        flat = [text for ((_, text),) in arguments]
        return flat[:1], flat[1:]
    args = list(_operations(step, places))
    split = _split(arguments)
    for argument in arguments[:split]:
        args += _operation("a", argument)
    args.append("--")
    args += [text for ((_, text),) in arguments[split:]]
    return ["sh", "-c", embed(letters(step)), "step"], args


def _split(arguments: list[list[Piece]]) -> int:
    """How many of the arguments have to come by operations: all up to the last that is in pieces."""
    return max((i + 1 for i, argument in enumerate(arguments) if len(argument) > 1), default=0)


def letters(step: Step) -> frozenset[str]:
    """The operations of step.sh that the step uses."""
    used = set(list(_operations(step, _NOWHERE))[::2])
    arguments = [pieces(argument, _NOWHERE) for argument in step.command]
    for argument in arguments[: _split(arguments)]:
        used |= set(_operation("a", argument)[::2])
    return frozenset(used)


def _operation(letter: str, parts: list[Piece]) -> list[str]:
    """All parts but the last gathered in the register, then the operation with the last as its value."""
    *first, (_, last) = parts
    return [word for piece in first for word in piece] + [letter, last]


def _literal(letter: str, value: str) -> list[str]:
    """An operation whose register is taken: its value's pieces go in front of the value."""
    *first, (_, last) = pieces((value,), _NOWHERE)
    return [word for _, part in first for word in ("v", part)] + [letter, last]


def _operations(step: Step, places: Places) -> Iterator[str]:
    for folder in step.folders:
        yield from _literal("n", folder)
    for env in step.env:
        if isinstance(env, EnvValue) and _by_script(env, through_shell=True):
            yield from _operation("e", pieces((f"{env.name}=", *env.value), places))
    for file in step.files:
        yield from ("+", base64.b64encode(file.content).decode())
        yield from _literal("f", file.path)
    for arrived in (one for one in step.inputs if one.path):
        yield from ("+", places.input_path(arrived.name))
        yield from _literal("i" if arrived.kind == "directory" else "j", arrived.path)
    for output in step.outputs:
        if isinstance(output, ArtifactOutput):
            letter = "o" if output.kind == "directory" else "p"
            yield from ("+", places.output_path(output.name))
            yield from _literal(letter.upper() if output.keep else letter, output.path)
        else:
            yield from _literal("d" if output.kind == "directory" else "D", output.path)
    for requirement in step.requirements:
        yield from _literal("q", requirement)
    if step.working_dir:
        yield from _literal("w", step.working_dir)
    for parameter in step.parameters:
        about = f"{parameter.type}\n{parameter.name}\n{places.parameter_file(parameter.name)}"
        yield from ("+", about)
        yield from _literal("r", parameter.path)
    if step.metrics:
        about = f"metrics\n{places.output_uri('metrics')}\n{places.output_path('metrics')}"
        yield from ("+", about)
        yield from _literal("m", step.metrics.path)
        for key in step.metrics.keys:
            yield from ("+", places.parameter_file(f"metric-{key}"))
            yield from _literal("k", key)
    if step.retry and step.retry.on == "exit":
        retry = step.retry
        # No exponents: step.sh reckons with whole seconds and a plain decimal.
        factor = f"{retry.factor:.3f}".rstrip("0").rstrip(".")
        yield from ("t", f"{retry.limit} {ceil(retry.backoff)} {factor} {ceil(retry.max_backoff)}")
    if step.gate:
        yield from _gate(step.gate, step, places)


def _gate(gate: Gate, step: Step, places: Places) -> Iterator[str]:
    for piece in pieces(gate.message, places):
        yield from piece
    yield from ("g", f"{step.name} {gate.timeout} {gate.on_timeout} {gate.on_exit} {gate.on_reject} {gate.ways}")
    if gate.only_if:
        for operand, letter, spec in (
            (gate.only_if.left, "T", f"{gate.only_if.type} {gate.only_if.operator}"),
            (gate.only_if.right, "U", "-"),
        ):
            text = operand if isinstance(operand, Source) else _as_text(operand)
            for piece in pieces((text,), places):
                yield from piece
            yield from (letter, spec)
    for value in gate.values:
        for piece in [] if value.required else pieces(("=" + _as_text(value.default),), places):
            yield from piece
        yield from ("V", value.name)
    if step.jupyter:
        yield from ("e", "JUPYTER_TOKEN_FILE=/kade/run/token")
        yield from ("e", "JUPYTER_RUNTIME_DIR=/kade/run/jupyter")
        yield from ("e", f"JUPYTER_PORT={places.port(step.jupyter.port)}")
        yield from ("J", "own" if step.jupyter.own else "server")
    if step.ssh:
        yield from ("+", step.ssh.keys)
        yield from ("S", str(places.port(step.ssh.port)))


def _as_text(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        value = int(value)  # 2.0 is a whole number too, and step.sh knows those by their digits
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


class _Nowhere:
    """Places for asking what a step needs, without a backend."""

    def value(self, source: Source) -> str:
        return "{{$.inputs.parameters['parameter']}}"

    def input_path(self, name: str) -> str:
        return f"{{$.inputs.artifacts['{name}'].path}}"

    input_uri = output_path = output_uri = parameter_file = input_path

    def port(self, number: int) -> int:
        return number


KFP_LIKE = _NOWHERE = _Nowhere()
