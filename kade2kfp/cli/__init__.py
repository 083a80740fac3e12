"""The command line: one file a command. Each is imported only when it is called."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from kade2kfp import __version__
from kade2kfp.cli.help import turned, with_help
from kade2kfp.cli.streams import lost, prepare, say

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_COMMANDS = {
    "artifacts": "Look at runs: their tasks, files, logs.",
    "bento": "Schemas, a Bento, completion for shells.",
    "compare": "Runs side by side; what was made of what.",
    "compile": "Check pipelines; compile them to KFP v2.",
    "completion": "Schemas, a Bento, completion for shells.",
    "context": "Is a cluster fit, and its roles; choose one.",
    "describe": "Say what a pipeline is and needs; draw it.",
    "doctor": "Is a cluster fit, and its roles; choose one.",
    "explain": "Check pipelines; compile them to KFP v2.",
    "fmt": "Begin a document; put one in order, renew it.",
    "gates": "Decide at tasks that wait for a person.",
    "graph": "Say what a pipeline is and needs; draw it.",
    "lineage": "Runs side by side; what was made of what.",
    "logs": "Look at runs: their tasks, files, logs.",
    "new": "Begin a document; put one in order, renew it.",
    "open": "Reach a running task: ports, or a shell.",
    "predict": "Use endpoints and tools that runs leave.",
    "rbac": "Is a cluster fit, and its roles; choose one.",
    "reject": "Decide at tasks that wait for a person.",
    "rerun": "Run a pipeline, here or on Kubeflow.",
    "resume": "Decide at tasks that wait for a person.",
    "run": "Run a pipeline, here or on Kubeflow.",
    "runs": "Look at runs: their tasks, files, logs.",
    "schema": "Schemas, a Bento, completion for shells.",
    "serving": "Use endpoints and tools that runs leave.",
    "show": "Look at runs: their tasks, files, logs.",
    "ssh": "Reach a running task: ports, or a shell.",
    "stop": "Run a pipeline, here or on Kubeflow.",
    "submit": "Run a pipeline, here or on Kubeflow.",
    "upgrade": "Begin a document; put one in order, renew it.",
    "validate": "Check pipelines; compile them to KFP v2.",
    "viewer": "Use endpoints and tools that runs leave.",
}
"""Each command with its line in the help, where those of the same line stand together."""


class _Lazy(click.Group):
    """A group that imports a command when it is called, and knows the others by name and one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in _COMMANDS:
            return None
        if ctx.resilient_parsing:  # a shell completes: the command's words are enough
            from kade2kfp.cli import complete

            if words := complete.command(cmd_name):
                return words
        module = importlib.import_module(f"kade2kfp.cli.{cmd_name}_command")
        command: click.Command = module.command
        return with_help(command)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The words of the command line; `help COMMAND` is `COMMAND --help`."""
        return super().parse_args(ctx, turned(args))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """What may stand there: the commands with a line each, without importing them, and the options."""
        from kade2kfp.cli import complete

        return [*complete.commands(_COMMANDS, incomplete), *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands with a line each, without importing them."""
        together: dict[str, list[str]] = {}
        for name, line in sorted(_COMMANDS.items()):
            together.setdefault(line, []).append(name)
        with formatter.section("Commands"):
            formatter.write_dl([(", ".join(names), line) for line, names in together.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; a suggestion where there is none."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from kade2kfp.cli.usage import unknown_command

            raise unknown_command(args[0], ctx, list(_COMMANDS)) from error


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=(
        "\b\nExamples:\n  kade2kfp compile pipeline.json -o pipeline.yaml\n"
        "Exit codes: 0 fine, 1 errors, 2 usage, 3 failed, 70 bug, 124 late, 130 Ctrl-C"
    ),
)
@click.version_option(__version__, prog_name="kade2kfp")
def group() -> None:
    """Check drawn machine-learning pipelines, run them, compile them for Kubeflow."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process with its exit code (architecture.md, Diagnostics)."""
    _make_haste()
    prepare()
    sys.unraisablehook = _unraisable
    if shell := os.environ.get("_KADE2KFP_COMPLETE"):
        from kade2kfp.cli.complete import answer

        answer(group, shell)
        sys.exit(0)
    try:
        code = _run(argv)
    except click.ClickException as error:
        _refuse(error)
        code = error.exit_code
    if argv is None:  # all is done: who interrupts now shall see no traceback of the interpreter's shutdown
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(code)


def _unraisable(what: sys.UnraisableHookArgs) -> None:
    """An interrupt that came where Python cannot raise it, such as in a callback of an import, comes again a moment later."""
    if what.exc_type is KeyboardInterrupt:
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.001)
    else:
        sys.__unraisablehook__(what)


def _make_haste() -> None:
    """Spare a process that lives for a moment what is made for others: a third of what `validate` takes.

    Nearly all that is imported stays, so the collector looks through it in vain; and pydantic would read what every
    installed package says of itself, for plugins of its own.
    """
    gc.set_threshold(100_000, 50, 100)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def _run(argv: Sequence[str] | None) -> int:
    """The exit code of a command line. Raises click.ClickException for what the user can mend."""
    try:
        code = group.main(args=list(argv) if argv is not None else None, prog_name="kade2kfp", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (click.exceptions.Abort, KeyboardInterrupt):
        say("kade2kfp: interrupted")
        return 130
    except click.ClickException:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None:  # help, which click writes, found no room
            failed = lost(error)
            if isinstance(failed, click.ClickException):
                raise failed from None
            return failed.exit_code
        from kade2kfp.cli.bug import report

        report(error)
        return 70


def _refuse(error: click.ClickException) -> None:
    """Say what is wrong with the command line; what it quotes may come from anywhere."""
    from kade2kfp.diagnostics.escape import terminal

    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):  # click 8.1 has none
        error.show()
        return
    if isinstance(error, click.UsageError):
        from kade2kfp.cli.usage import refusal

        say("\n".join(refusal(error)))
        return
    rows = error.format_message().splitlines()
    say("Error: " + "\n".join(terminal(row) for row in rows))
