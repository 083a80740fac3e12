"""Bytes to text: JSON is UTF-8 (RFC 8259, section 8.1)."""

from __future__ import annotations

import codecs

from kade2kfp.source.mistakes import Mistake

_BINARY = (
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\x00", "xz data"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"%PDF-", "a PDF"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x7fELF", "a program"),
)
# The longer marks first: UTF-32's begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def decode(data: bytes) -> tuple[str, Mistake | None]:
    """The text without its byte order mark, and why it cannot be read.

    Where single bytes are wrong they are replaced, so that their line can be shown; else the text is empty.
    """
    for magic, name in _BINARY:
        if data.startswith(magic):
            return "", Mistake("K002", f"this is {name}, not JSON", "name the pipeline document, a text file", 0, 0)
    name = _wide(data)
    if name:
        help_ = f"JSON is UTF-8: convert it with `iconv -f {name} -t UTF-8`, or save it as UTF-8 in the editor"
        return "", Mistake("K002", f"the text is {name}", help_, 0, 0)
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode(), None
    except UnicodeDecodeError as error:
        if b"\0" in data:
            return "", Mistake("K002", "this is binary data, not JSON", "name the pipeline document, a text file", 0, 0)
        return data.decode(errors="replace"), _not_utf8(data, error.start)


def _wide(data: bytes) -> str:
    """UTF-16 or UTF-32, told by the byte order mark; without one, by zeros and by how the document then begins."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    zeros = tuple(not byte for byte in data[:2])
    if zeros not in ((True, False), (False, True), (True, True)):
        return ""
    for name in ("UTF-32BE", "UTF-32LE", "UTF-16BE", "UTF-16LE"):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        if text.lstrip()[:1] in ("{", "["):
            return name
    return ""


def _not_utf8(data: bytes, start: int) -> Mistake:
    at = len(data[:start].decode())
    message = f"the byte 0x{data[start]:02x} is not UTF-8"
    help_ = "JSON is UTF-8: save the file as UTF-8, or convert it: `iconv -f CP949 -t UTF-8` from Korean, `-f LATIN1` from Western European"
    return Mistake("K002", message, help_, at, at + 1)
