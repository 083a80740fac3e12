"""What a command says when it cannot do what was asked for."""

from __future__ import annotations


class CannotDoError(Exception):
    """What was asked for cannot be done; nothing was changed. The text says why, `help` what to do."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.help = help
