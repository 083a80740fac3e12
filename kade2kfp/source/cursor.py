"""Where the scanner stands in the text: what is open around it, what was found so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NoReturn

from kade2kfp.diagnostics.model import Pointer
from kade2kfp.source import tokens
from kade2kfp.source.mistakes import Mistake, Mistakes, shown
from kade2kfp.source.places import Place, Places


class StopError(Exception):
    """What comes next cannot be told. The mistake is noted; there is no value."""


@dataclass(slots=True)
class Frame:
    """An object or array that is open, and the item of it that is being read."""

    value: Any
    place: Place
    key: str | int = 0
    started: bool = False
    comma: int = -1
    """Where the comma after the last item stands, while nothing follows it."""
    first_keys: dict[str, int] = field(default_factory=dict)
    """Of keys that came twice, where the first one stands."""

    @property
    def is_list(self) -> bool:
        """Whether it is an array."""
        return type(self.value) is list

    @property
    def brackets(self) -> str:
        """The bracket that opens it and the one that closes it."""
        return "[]" if self.is_list else "{}"


@dataclass(slots=True)
class Cursor:
    """A position in a text. `torn` says that a value is missing, so that the whole cannot be used."""

    text: str
    places: Places
    pos: int = 0
    torn: bool = False
    frames: list[Frame] = field(default_factory=list)
    mistakes: Mistakes = field(default_factory=Mistakes)

    def at(self) -> Pointer:
        """The pointer of the item that is being read."""
        return tuple(frame.key for frame in self.frames)

    def around(self) -> Pointer:
        """The pointer of the object or array that is open."""
        return self.at()[:-1]

    def next(self) -> str:
        """The character at the position; empty at the end."""
        return self.text[self.pos : self.pos + 1]

    def note(
        self,
        code: str,
        message: str,
        help_: str,
        start: int,
        end: int,
        at: Pointer | None = None,
        *,
        on_key: bool = False,
        related: tuple[str, int, int] | None = None,
    ) -> None:
        """Note a mistake; `at` is the item that is being read where nothing else is said."""
        pointer = self.at() if at is None else at
        self.mistakes.add(Mistake(code, message, help_, start, end, pointer, on_key, related))

    def stop(self, message: str, help_: str, start: int, end: int, **more: Any) -> NoReturn:
        """Note a mistake in the syntax behind which nothing can be read."""
        self.note("K003", message, help_, start, end, **more)
        raise StopError

    def unexpected(self, help_: str) -> NoReturn:
        """Stop at what stands here."""
        if not self.next():
            self.unclosed()
        word = tokens.WORD.match(self.text, self.pos)
        end = word.end() if word else self.pos + 1
        what = shown(self.text[self.pos : end])
        self.stop(f"unexpected {what}", help_, self.pos, end, at=self.around())

    def unclosed(self) -> NoReturn:
        """Stop at the end of the file, inside of an object or array."""
        frame, end = self.frames[-1], len(self.text.rstrip())
        self.stop(
            f"this `{frame.brackets[0]}` is never closed",
            f"put `{frame.brackets[1]}` behind its last item; or is the file cut off?",
            frame.place.start,
            frame.place.start + 1,
            at=self.around(),
            related=("the file ends here", end, end),
        )

    def skip(self) -> None:
        """Go on to what is no white space, and note what only other languages skip."""
        text = self.text
        while True:
            match = tokens.SPACE.match(text, self.pos)
            self.pos = match.end() if match else self.pos
            if comment := tokens.COMMENT.match(text, self.pos):
                self._comments(comment.end())
            elif odd := tokens.ODD_SPACE.match(text, self.pos):
                message = f"U+{ord(odd[0][0]):04X} is not white space in JSON"
                self.note("K003", message, "put a plain space in its place", *odd.span(), self.around())
                self.pos = odd.end()
            elif text.startswith("/*", self.pos):
                self.stop("this comment is never closed", _NO_COMMENTS, self.pos, self.pos + 2, at=self.around())
            elif mark := tokens.MERGE.match(text, self.pos):
                self.stop("a merge's conflict is not resolved", _MERGE, *mark.span(), at=self.around())
            elif fence := tokens.FENCE.match(text, self.pos):
                self.stop("a line of Markdown, not of JSON", _FENCE, *fence.span(), at=self.around())
            else:
                return

    def _comments(self, end: int) -> None:
        """Comments that follow each other are one mistake, at the first."""
        self.note("K003", "JSON has no comments", _NO_COMMENTS, self.pos, end, self.around())
        while True:
            space = tokens.SPACE.match(self.text, end)
            comment = tokens.COMMENT.match(self.text, space.end() if space else end)
            if comment is None:
                self.pos = end
                return
            end = comment.end()


_NO_COMMENTS = "say it in a `description`, or under a key that begins with `x-`"
_MERGE = "keep what shall stand there, and take the lines with <<<<<<<, ======= and >>>>>>> out"
_FENCE = "take the lines with ``` out: a file holds the document alone"
