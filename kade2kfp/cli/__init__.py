"""The command line: one file a command. Each is imported only when it is called."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

from kade2kfp import __version__

_COMMANDS = {
    "compile": "Lower pipeline documents into Kubeflow Pipelines v2.",
    "schema": "Print the JSON Schema of the document format.",
    "validate": "Check pipeline documents.",
}


class _Lazy(click.Group):
    """A group that imports a command when it is called, and knows the others by name and one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"kade2kfp.cli.{cmd_name}_command")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands with a line each, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; a suggestion where there is none."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from kade2kfp.document.suggest import did_you_mean

            known = did_you_mean(args[0], _COMMANDS, noun="commands")
            raise click.UsageError(f"There is no command '{args[0]}': {known}", ctx) from error


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 fine, 1 the document has errors, 2 wrong usage, 70 a bug of kade2kfp.",
)
@click.version_option(__version__, prog_name="kade2kfp")
def group() -> None:
    r"""Check a drawn machine-learning pipeline and compile it for Kubeflow Pipelines v2.

    \b
    kade2kfp validate pipeline.json
    kade2kfp compile pipeline.json -o pipeline.yaml
    """


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process with its exit code (architecture.md, Diagnostics)."""
    try:
        code = group.main(args=list(argv) if argv is not None else None, prog_name="kade2kfp", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Abort:
        click.echo("kade2kfp: interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has gone: say nothing, and let nothing be flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except KeyboardInterrupt:
        click.echo("kade2kfp: interrupted", err=True)
        sys.exit(130)
    except Exception as error:
        from kade2kfp.cli.bug import report

        report(error)
        sys.exit(70)
