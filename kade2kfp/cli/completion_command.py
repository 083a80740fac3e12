"""kade2kfp completion."""

from __future__ import annotations

import click

from kade2kfp.cli.streams import out
from kade2kfp.resources import read_text

_EXAMPLES = """\b
Examples:
  kade2kfp completion bash >> ~/.bashrc
  kade2kfp completion zsh > ~/.zfunc/_kade2kfp
  kade2kfp completion fish > ~/.config/fish/completions/kade2kfp.fish
"""


@click.command("completion", epilog=_EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]), required=False, metavar="SHELL")
def command(shell: str | None) -> None:
    """Print what makes bash, zsh or fish complete the words of kade2kfp.

    With the package bash-completion, bash also finds it in ~/.local/share/bash-completion/completions/kade2kfp. Zsh finds
    it in ~/.zfunc where ~/.zshrc says `fpath+=(~/.zfunc); autoload -U compinit; compinit`. Make the folders first.
    """
    if shell is None:
        raise click.UsageError("Name the shell: bash, zsh or fish.")
    out(read_text(f"templates/completion/kade2kfp.{shell}"))
