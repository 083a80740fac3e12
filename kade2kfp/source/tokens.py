"""The tokens of JSON text (RFC 8259), and of what people write in their place, as regular expressions.

All quantifiers that could backtrack are possessive, so that time is linear in the text whatever it holds.
"""

from __future__ import annotations

import re

_WS = r"[ \t\n\r]*+"
_PLAIN = r'"([^"\\\x00-\x1f]*+)"'

SPACE = re.compile(_WS)
MEMBER = re.compile(rf"{_WS}(,)?+{_WS}{_PLAIN}{_WS}:{_WS}")
"""To the value of an object's next member: the comma before it, its key."""
ELEMENT = re.compile(rf'{_WS}(,)?+{_WS}(?=["{{\[0-9tfn-])')
"""To an array's next element: the comma before it."""
SIMPLE = re.compile(rf"{_PLAIN}|(-?(?:0|[1-9][0-9]{{0,17}}+))(?![\w.+-])|(true|false|null)(?![\w.+-])")
"""A value that needs no further look: a text without escapes, a short integer, a word."""
NUMBER = re.compile(r"(-?(?:0|[1-9][0-9]*+))((?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+)(?![\w.+-])")
"""A number: its whole part, and fraction with exponent."""
QUOTED = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
"""A text in double quotes, whatever stands in it."""
ODD_QUOTED = re.compile(r"'(?:[^'\\\r\n]|\\.)*+'|`(?:[^`\\\r\n]|\\.)*+`|[“”„][^“”\"\r\n]*+[“”]|[‘’][^‘’\r\n]*+[‘’]")
"""A text in quotes that are not JSON's."""
WORD = re.compile(r"[^\s,:=\"'`{}\[\]]++")
"""A run of characters that no quotes hold: a Python literal, a number of another language, a bare text."""
LITERAL_END = re.compile(rf"{_WS}(?:[,}}\]#]|/[/*]|\Z)")
"""What may follow a value."""
KEY_END = re.compile(rf"{_WS}[:=]")
"""What may follow a key, or stands where a colon should."""
COMMENT = re.compile(r"(?://|#)[^\r\n]*+|/\*[^*]*+(?:\*(?!/)[^*]*+)*+\*/")
ODD_SPACE = re.compile(r"(?:[^\S \t\n\r]|[\ufeff\u200b-\u200f\u2060])++")
"""White space that JSON does not know, such as the no-break space of a web page."""
ESCAPE = re.compile(
    r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([\"\\/bfnrt])|)"
)
"""An escape in a text: a surrogate pair, a code point, a letter; with no group, a backslash that begins none."""
CONTROL = re.compile(r"[\x00-\x1f]")
FENCE = re.compile(r"(?<![^\r\n])`{3}[^\r\n]*+")
"""A line of Markdown, as around a document that was copied out of a page or a chat."""
MERGE = re.compile(r"(?<![^\r\n])(?:<{7}|={7}|>{7}|\|{7})(?![^ \r\n])[^\r\n]*+")
"""A mark that git leaves where two changes of the same lines met."""
