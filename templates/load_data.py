"""Loads one file, archive or folder for a pipeline's step: fetches, verifies, unpacks, moves it in place.

    load_data.py --to PATH [--file] [options] URL
    load_data.py --to PATH [--file] [options] --from-file PATH

Exit codes (BSD's sysexits): 0, 64 wrong usage or surroundings, 65 the data is not what was promised,
69 it could not be fetched or stored, 70 our own bug; 130 and 143 stopped. What is decided here:
- `auto` goes by content, but keeps whole what is an archive only inside (a PyTorch model, a wheel, a .docx).
- With --file, `auto` keeps the bytes where the target's own suffix names their format (x.zip, x.tar.gz),
  else decompresses, or unpacks an archive of exactly one file.
- --max-bytes holds for the download and for what comes out of it, each. Without it a download has no limit,
  and what comes out may be 100 GiB, and not over 200 times what went in once it passes 1 GiB.
- Modes are the process's own, plus an archive's exec bit: setuid goes, and other users can read the files.
- Of members with one name the last one counts, as with tar and zip, unless one is a link: that is refused.
- A cut download goes on only where the server gives a validator (ETag, Last-Modified), else it begins anew.
- Headers and credentials are for the first origin, and do not come back once a redirect has left it.
Argo and Kubernetes substitute in this text: no doubled brace, no doubled dollar, no dollar before a bracket.
"""

from __future__ import annotations

import argparse
import base64
import email.utils
import errno
import hashlib
import http.client
import io
import os
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tarfile
import time
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from os.path import basename, dirname, getsize, isdir, isfile, islink, join, lexists, realpath
from typing import IO, Any
from urllib.parse import quote, unquote, unquote_to_bytes, urljoin, urlsplit, urlunsplit

CHUNK = 1 << 20
GIB = 1 << 30
MAX_MEMBERS = 1_000_000
MAX_DEPTH = 200
MAX_HEADER = 16 << 20  # of a tar: tarfile reads it at once
TRIES = 8
UNKNOWN = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
UNKNOWN_TRIES = 3  # a name server that fails says so by another error, and is tried as often as a server
REDIRECTS = 10
LONGEST_WAIT = 120.0
TELL_EVERY = 10.0
SAFE = "!#%&'()*+,/:;=?@[]~"
MAGIC = {
    "zip": rb"PK(\x03\x04|\x05\x06)",
    "gz": rb"\x1f\x8b\x08",
    "bz2": rb"BZh[1-9](1AY&SY|\x17rE8P\x90)",
    "xz": rb"\xfd7zXZ\x00",
    "zst": rb"\x28\xb5\x2f\xfd",
}
SINGLE = ("gz", "bz2", "xz", "zst")
FORMATS = ("auto", "none", "zip", "tar", "tar.gz", "tar.bz2", "tar.xz", "tar.zst", *SINGLE)
WHOLE = re.compile(r"\.(npz|pth?|keras|mar|nemo|whl|jar|apk|epub|docx|xlsx|pptx|od[tsp])\Z", re.I)
TORCH = re.compile(rb"PK\x03\x04.{26}[^/]{1,200}/data\.pkl", re.S)
OURS = ("host", "connection", "range", "if-range", "accept-encoding", "content-length", "transfer-encoding")
DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, struct.error),
    *(EOFError, ValueError, OverflowError, RuntimeError),
)


class LoadError(Exception):
    """What a user is told: an exit code and a line.

    `wait`: seconds until trying again may help, None if never; `tries`: how often at most.
    """

    def __init__(self, code: int, text: str, wait: float | None = None, tries: int = TRIES):
        super().__init__(text)
        self.code, self.wait, self.tries = code, wait, tries


def say(text: object) -> None:
    """Print one line, without a URL's credentials and query, and without control characters."""
    line = re.sub(r"\?\S+", "?***", re.sub(r"://[^\s/]*@", "://***@", str(text)))
    print("kade2kfp: " + "".join(c if c.isprintable() else "?" for c in line), file=sys.stderr, flush=True)


def is_damage(error: Exception) -> bool:
    """Whether what is read is broken: gzip and bz2 say it by an OSError that has no number."""
    named = type(error).__name__ in ("LZMAError", "ZstdError")
    return named or isinstance(error, DAMAGE) or getattr(error, "errno", 0) is None


class Room:
    """The disk that is written to and how much may be: what both downloading and unpacking count on."""

    def __init__(self, where: str, limit: int, doing: str):
        usage = shutil.disk_usage(where)
        self.free = usage.free if usage.total else sys.maxsize  # some network file systems answer zero
        self.where, self.limit, self.doing, self.need, self.done = where, limit, doing, 0, 0
        self.told = time.monotonic()

    def expect(self, need: int) -> None:
        """Refuse, before it is written, what is over the limit or cannot fit."""
        self.need = max(self.need, need)
        if 0 < self.limit < need:
            text = f"{self.doing} makes {need:,} bytes, over the limit of {self.limit:,}"
            raise LoadError(65, f"{text}; if that is meant to be, set maxBytes")
        if need > self.free:
            raise self.full()

    def full(self) -> LoadError:
        """What is said when the disk is full."""
        text = f"the disk of {self.where} is full: {self.doing} needs at least {self.need:,} bytes"
        return LoadError(69, f"{text}, {self.free:,} were free; give it a larger volume")

    def write(self, out: IO[bytes], data: bytes) -> None:
        """Write and count, and report now and then."""
        self.expect(self.done + len(data))
        out.write(data)
        self.done += len(data)
        if time.monotonic() - self.told >= TELL_EVERY:
            self.told = time.monotonic()
            say(f"{self.doing}: {self.done:,} of {self.need:,} bytes")


# --- fetching


def read_url(url: str, base: str = "", code: int = 64) -> tuple[str, tuple[str, str, int], str]:
    """Split a URL: itself in ASCII without credentials, its origin, its credentials in base64."""
    try:
        parts = urlsplit(urljoin(base, url))
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:  # never shown: what is wrong may be the password
        raise LoadError(code, "a URL cannot be read: has its password a / that is no %2F?") from None
    if not host or not port:
        raise LoadError(code, f"only http and https URLs with a host are fetched here, not {parts.scheme}:")
    user, _, _ = parts.netloc.rpartition("@")
    netloc = (f"[{host}]" if ":" in host else host) + (f":{parts.port}" if parts.port else "")
    clean = urlunsplit((parts.scheme, netloc, quote(parts.path, SAFE), quote(parts.query, SAFE), ""))
    return clean, (parts.scheme, host, port), base64.b64encode(unquote_to_bytes(user)).decode()


def read_headers(folder: str) -> dict[str, str]:
    """Read a mounted secret, whose files are headers."""
    headers = {}
    for name in sorted(os.listdir(folder)):
        path = join(folder, name)
        if name.startswith("..") or isdir(path):
            continue  # Kubernetes' own
        with open(path, "rb") as source:
            value = re.sub(r"\r?\n\Z", "", source.read().decode("latin-1"))
        if not re.fullmatch(r"[\w.-]+", name, re.A) or name.lower() in OURS:
            raise LoadError(64, f"headersFrom: {name!r} cannot be a header here; rename that key of the secret")
        if re.search(r"[\0-\x08\x0a-\x1f\x7f]", value):
            raise LoadError(64, f"headersFrom: the value of {name} has a line break or control character in it")
        headers[name.lower()] = value
    return headers


def seconds(text: str | None) -> float:
    """How long Retry-After asks to wait, within reason."""
    try:
        wait = float(text or 0)
    except ValueError:
        try:
            wait = email.utils.parsedate_to_datetime(text or "").timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            wait = 0.0
    return max(0.0, min(wait, LONGEST_WAIT))


class AsItCame(urllib.request.HTTPErrorProcessor):
    """Gives redirects and refusals back like any answer."""

    def http_response(self, request: Any, response: Any) -> Any:
        """Take it as it is."""
        return response

    https_response = http_response


def request(url: str, headers: dict[str, str], extra: dict[str, str], timeout: float) -> Any:
    """Open a URL, following redirects; a range that the server does not have is an answer too."""
    url, first, basic = read_url(url)
    if basic:
        headers = {"authorization": "Basic " + basic, **headers}
    origin = first
    for _ in range(REDIRECTS + 1):
        opener = urllib.request.build_opener(AsItCame)
        opener.addheaders = list({"user-agent": "kade2kfp", **headers, **extra}.items())
        try:
            response = opener.open(url, timeout=timeout)
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            kind = type(reason).__name__
            final = kind in ("SSLCertVerificationError", "InvalidURL")
            if kind == "gaierror" and getattr(reason, "errno", 0) in UNKNOWN:
                host = urlsplit(url).hostname
                raise LoadError(69, f"{url}: there is no host {host}", 0, UNKNOWN_TRIES) from None
            raise LoadError(69, f"{url}: {str(reason) or kind}", None if final else 0) from None
        code, place = response.status, response.headers.get("location")
        if code in (200, 203, 206, 416):
            return response
        response.close()
        if code not in (301, 302, 303, 307, 308) or not place:
            again = code in (408, 429) or code >= 500
            wait = seconds(response.headers.get("retry-after")) if again else None
            hint = "; are the credentials right (headersFrom)?" if code in (401, 403) else ""
            raise LoadError(69, f"{url} answered {code} {response.reason}{hint}", wait)
        target, goal, _ = read_url(quote(place.encode("latin-1"), SAFE), url, 69)
        if (origin[0], goal[0]) == ("https", "http"):
            raise LoadError(69, f"{url} redirects from https to http; that is refused")
        url, origin, headers = target, goal, headers if goal == first else {}
    raise LoadError(69, f"{url}: more than {REDIRECTS} redirects")


def file_name(url: str, headers: Any) -> str:
    """Name a download as the server says, else by the URL's path."""
    given = re.search(r"filename\*\s*=\s*utf-8'[^']*'([^;\s]+)", headers.get("content-disposition", ""), re.I)
    name = unquote(given[1]) if given else headers.get_filename() or ""
    with suppress(ValueError):
        name = name.encode("latin-1").decode()  # http.client takes all bytes for Latin-1
    return safe_name(name) or safe_name(unquote(urlsplit(url).path)) or "data"


def safe_name(text: str) -> str:
    """Make one path segment; empty where nothing is left."""
    name = re.split(r"[/\\]", text)[-1].encode(errors="replace")[-200:].decode(errors="ignore")
    return "".join(c if c.isprintable() and c not in '<>:"|?*' else "_" for c in name).strip(". ")


def fetch(url: str, headers: dict[str, str], path: str, room: Room, options: Any) -> tuple[str, str]:
    """Download to `path`, trying again and resuming while that helps; return the file's name and SHA-256."""
    tag, total, failures, most, digest = "", None, 0, 0, hashlib.sha256()
    with open(path, "wb") as out:
        while True:
            extra = {"range": f"bytes={room.done}-", "if-range": tag} if room.done and tag else {}
            try:
                with request(url, headers, extra, options.timeout) as response:
                    now = response.headers.get("etag", "")
                    if not now or now.startswith("W/"):
                        now = response.headers.get("last-modified", "")
                    span = response.headers.get("content-range", "")
                    part = re.match(rf"bytes {room.done}-\d+/({total}|\*)\Z", span)
                    if not (extra and response.status == 206 and part and now == tag):
                        room.done, digest = 0, hashlib.sha256()
                        out.seek(0)
                        out.truncate()
                        if response.status not in (200, 203):
                            text = f"{url} answered {response.status} in place of the data"
                            raise LoadError(69, text, 0 if extra else None)
                        total = response.length
                    tag, name = now, file_name(url, response.headers)
                    room.expect(total or 0)
                    while total is None or room.done < total:
                        try:  # read1 keeps what comes before a cut
                            data = response.read1(CHUNK if total is None else min(CHUNK, total - room.done))
                        except (OSError, http.client.HTTPException) as error:
                            text = f"{url}: cut after {room.done:,} bytes ({type(error).__name__})"
                            raise LoadError(69, text, 0) from None
                        if not data:
                            break
                        room.write(out, data)
                        digest.update(data)
                if total is not None and room.done < total:
                    raise LoadError(65, f"{url}: ended after {room.done:,} of {total:,} bytes", 0)
                return name, digest.hexdigest()
            except LoadError as problem:
                failures = 1 if room.done > most + CHUNK else failures + 1
                most = max(most, room.done)
                if problem.wait is None:
                    raise
                if failures >= problem.tries:
                    raise LoadError(problem.code, f"{problem}; given up after {failures} tries") from None
                wait = max(problem.wait, min(options.backoff * 2 ** (failures - 1), 60.0))
                say(f"{problem}; trying again in {wait:.0f} s")
                time.sleep(wait)


# --- unpacking


class Tree:
    """A new folder that is filled with members, none of which may get out of it.

    Links are made when all else is written, so that nothing is ever written through one.
    """

    def __init__(self, root: str, room: Room):
        self.root, self.room, self.members, self.folders = root, room, 0, {root}
        self.links: dict[str, str] = {}

    def inside(self, name: str) -> list[str]:
        """The segments of a member's path."""
        plain = name.replace("\\", "/")
        if plain[:1] == "/" or ".." in plain.split("/") or "\0" in name or re.match("[A-Za-z]:/", plain):
            raise LoadError(65, f"the member {name!r} would leave the folder; nothing was unpacked")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if len(parts) > MAX_DEPTH:
            raise LoadError(65, f"the member {name[:80]!r}... lies more than {MAX_DEPTH} folders deep")
        return parts

    def folder(self, parts: list[str]) -> str:
        """Make a folder and those above it."""
        path = self.root
        for part in parts:
            path = join(path, part)
            if path not in self.folders:
                if path in self.links or lexists(path):
                    raise LoadError(65, f"the member {part!r} is there twice, once as a folder")
                os.mkdir(path)
                self.folders.add(path)
        return path

    def count(self) -> None:
        """Count a member."""
        self.members += 1
        if self.members > MAX_MEMBERS:
            raise LoadError(65, f"the archive has more than {MAX_MEMBERS:,} members")

    def new(self, name: str) -> str:
        """Where a file or link comes to lie."""
        self.count()
        parts = self.inside(name)
        path = join(self.folder(parts[:-1]), *parts[-1:])
        if path in self.folders or path in self.links:
            raise LoadError(65, f"the member {name!r} is there twice, once as a folder or link")
        if lexists(path):
            os.unlink(path)
        return path

    def file(self, name: str, source: IO[bytes], runs: int = 0) -> None:
        """Add a file."""
        with open(self.new(name), "xb") as out:
            while data := source.read(CHUNK):
                self.room.write(out, data)
            if runs & 0o100:
                mode = stat.S_IMODE(os.fstat(out.fileno()).st_mode)
                os.fchmod(out.fileno(), mode | (mode & 0o444) >> 2)

    def link(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        path = self.new(name)
        if target[:1] in ("", "/") or "\0" in target:
            raise self.leads_out(path)
        self.links[path] = target

    def hardlink(self, name: str, target: str) -> None:
        """Add another name of a file that came before: a copy, since not every file system has links."""
        old = join(self.root, *self.inside(target))
        if old in self.links:
            self.links[self.new(name)] = self.links[old]
        elif not isfile(old) or old == join(self.root, *self.inside(name)):
            raise LoadError(65, f"the link {name!r} leads to no file before it")
        else:
            with open(old, "rb") as source:
                self.file(name, source, os.stat(old).st_mode)

    def leads_out(self, path: str) -> LoadError:
        """What is said of a link."""
        return LoadError(65, f"the link {basename(path)!r} leads out of the folder; nothing was unpacked")

    def close(self) -> None:
        """Make the links, and see that none leads out, by way of others either."""
        for path, target in self.links.items():
            os.symlink(target, path)
        for path in self.links:
            if not (realpath(path) + "/").startswith(self.root + "/"):
                raise self.leads_out(path)


class Stream(io.RawIOBase):
    """Chunks of bytes as a file."""

    def __init__(self, chunks: Iterator[bytes]):
        self.chunks, self.rest = chunks, b""

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Give what is there."""
        while not self.rest:
            chunk = next(self.chunks, None)
            if chunk is None:
                return 0
            self.rest = chunk
        size = min(len(buffer), len(self.rest))
        buffer[:size], self.rest = self.rest[:size], self.rest[size:]
        return size


def zstd_by_module(path: str, module: Any) -> Iterator[bytes]:
    """Decompress by `zstandard`, whose own reader takes a cut file for a whole one."""
    part = module.ZstdDecompressor().decompressobj()
    with open(path, "rb") as source:
        while data := source.read(4096):  # so little, since a block of four bytes may hold 128 KiB
            while data:
                if part.eof:
                    part = module.ZstdDecompressor().decompressobj()
                yield part.decompress(data)
                data = part.unused_data if part.eof else b""
    if not part.eof:
        raise EOFError("it ends too early")


def zstd_by_program(path: str) -> Iterator[bytes]:
    """Decompress by the program."""
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(["zstd", "-dcqq", path], stdout=pipe, stderr=null) as process:
        try:
            while process.stdout and (data := process.stdout.read(CHUNK)):
                yield data
            if process.wait():
                raise EOFError("zstd cannot read it")
        finally:
            process.kill()


def unpacked(path: str, how: str) -> Any:
    """Open a file, decompressed; zst by Python 3.14's own module, by `zstandard` or by the program."""
    if how != "zst":
        return import_module({"": "io", "gz": "gzip", "xz": "lzma"}.get(how, how)).open(path, "rb")
    try:
        return import_module("compression.zstd").open(path)
    except ImportError:
        pass
    try:
        chunks = zstd_by_module(path, import_module("zstandard"))
    except ImportError:
        if not shutil.which("zstd"):
            text = "zst cannot be unpacked here: take a toolboxImage with Python 3.14, the module zstandard"
            raise LoadError(64, f"{text} or the program zstd, or set decompress to none") from None
        chunks = zstd_by_program(path)
    return io.BufferedReader(Stream(chunks), CHUNK)


def first_bytes(path: str, how: str = "") -> bytes:
    """The first block, decompressed if `how` says so; none where it is broken: unpacking will say that."""
    try:
        with unpacked(path, how) as source:
            return bytes(source.read(512))
    except Exception as error:
        if is_damage(error):
            return b""
        raise


def kind_of(path: str, tar: bool) -> str:
    """The format by content, "" for none; `tar` says that a block of zeros is an empty tar."""
    block = first_bytes(path)
    how = next((how for how, magic in MAGIC.items() if re.match(magic, block)), "")
    block = first_bytes(path, how) if how in SINGLE else block
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        if not tar or len(block) < 512 or block.strip(b"\0"):
            return how
    return "tar." + how if how else "tar"


def unzip(path: str, tree: Tree) -> None:
    """Unpack a zip."""
    with zipfile.ZipFile(path) as archive:
        tree.room.expect(sum(info.file_size for info in archive.infolist()))
        for info in archive.infolist():
            name, mode = info.filename, info.external_attr >> 16
            if not info.flag_bits & 0x800:
                with suppress(ValueError):  # many write UTF-8 and do not say so
                    name = name.encode("cp437").decode()
            if info.create_system != 3:  # not made on Unix
                name, mode = name.replace("\\", "/"), 0
            if info.flag_bits & 1:
                raise LoadError(65, f"the zip is encrypted ({name!r}): pack it without a password")
            if name.endswith("/") or stat.S_ISDIR(mode):
                tree.count()
                tree.folder(tree.inside(name))
                continue
            with archive.open(info) as source:
                if stat.S_ISLNK(mode):
                    tree.link(name, os.fsdecode(source.read(4096)))
                elif stat.S_IFMT(mode) in (0, stat.S_IFREG):
                    tree.file(name, source, mode)
                else:
                    raise LoadError(65, f"the member {name!r} is a device or the like; nothing was unpacked")


class Forward:
    """A tar as one stream: no way back, and no header so large that it would fill the memory."""

    def __init__(self, source: IO[bytes]):
        self.source, self.pos, self.last = source, 0, b""

    def tell(self) -> int:
        """Where it is."""
        return self.pos

    def seek(self, pos: int) -> None:
        """Skip forward."""
        if pos < self.pos:
            raise tarfile.ReadError("a size is negative")
        while self.pos < pos and self.read(min(CHUNK, pos - self.pos)):
            pass

    def read(self, size: int) -> bytes:
        """Read as much as is asked for, or to the end."""
        if not 0 <= size <= MAX_HEADER:
            raise tarfile.ReadError("a header is too large")
        self.last = self.source.read(size)
        self.pos += len(self.last)
        return self.last


def untar(source: IO[bytes], tree: Tree) -> None:
    """Unpack a tar."""
    stream: Any = Forward(source)
    with tarfile.open(fileobj=stream, mode="r:") as tar:
        while info := tar.next():
            vars(tar)["members"].clear()  # a million of them is a gigabyte
            tree.room.expect(max(tree.room.done + info.size, stream.pos - tree.members * 2048 - GIB))
            if info.isdir():
                tree.count()
                tree.folder(tree.inside(info.name))
            elif info.issym():
                tree.link(info.name, info.linkname)
            elif info.islnk():
                tree.hardlink(info.name, info.linkname)
            elif info.isreg():
                tree.file(info.name, tar.extractfile(info) or io.BytesIO(), info.mode)
            else:
                raise LoadError(65, f"the member {info.name!r} is a device or the like; nothing was unpacked")
    if stream.last.strip(b"\0"):
        raise EOFError("a header in the middle is broken")  # which tarfile takes for the end
    end = stream.pos
    while stream.read(CHUNK):  # the checksum comes last
        tree.room.expect(stream.pos - end)


def copy(folder: str, tree: Tree, inside: str = "") -> None:
    """Copy a folder."""
    for entry in os.scandir(join(folder, inside)):
        name = inside + entry.name
        if entry.is_symlink():
            tree.link(name, os.readlink(entry.path))
        elif entry.is_dir():
            tree.count()
            tree.folder(tree.inside(name))
            copy(folder, tree, name + "/")
        elif entry.is_file():
            with open(entry.path, "rb") as source:
                tree.file(name, source, entry.stat().st_mode)
        else:
            raise LoadError(65, f"{entry.path} is a device or the like")


def fill(path: str, name: str, options: Any, tree: Tree) -> str:
    """Unpack one file into the tree, or put it there as it is; say which."""
    how, target = options.decompress, basename(options.to) if options.file else ""
    block = first_bytes(path)
    html = re.match(rb"\s*<(!doctype\s+html|html)\b", block.replace(b"\xef\xbb\xbf", b""), re.I)
    kind = kind_of(path, bool(re.search(r"\.(tar|t[gbxz])", how + "." + name + "." + target, re.I)))
    if how == "auto":
        long = re.sub(r"\.t(gz|bz2|xz|zst)\Z", r".tar.\1", target.lower())
        whole = bool(WHOLE.search(name) or WHOLE.search(target) or TORCH.match(block))
        whole = whole or long.endswith(("." + kind, "." + kind[4:] if kind[4:] else "." + kind))
        how = "none" if whole else kind or "none"
        if html and not re.search(r"\.x?html?\Z", target or name, re.I):
            say(f"warning: what arrived as {name} looks like HTML: is it a login or error page?")
    elif kind == "tar." + how or (how == "zip" and not kind and zipfile.is_zipfile(path)):
        kind = how  # a tar in it stays packed; a zip may have a program before it
    if how not in ("none", kind):
        found = kind or ("HTML: a login or error page?" if html else "of no such format")
        raise LoadError(65, f"what arrived as {name} is not {how}, as decompress says, but {found}")
    if how == "none":
        if options.url:
            os.rename(path, tree.new(name))
        else:
            with unpacked(path, "") as source:
                tree.file(name, source)
    elif how == "zip":
        unzip(path, tree)
    else:
        with unpacked(path, how[4:] if how[:3] == "tar" else how) as source:
            if how[:3] == "tar":
                untar(source, tree)
            else:
                stem, suffix = os.path.splitext(name)
                shorter = {"." + how: stem, ".t" + how: stem + ".tar"}
                tree.file(shorter.get(suffix.lower(), name), source)
    return f"kept as {target or name}" if how == "none" else f"unpacked as {how}"


# --- the whole


def remove(path: str) -> None:
    """Remove a file or folder, if it is there."""
    if isdir(path) and not islink(path):
        shutil.rmtree(path)
    elif lexists(path):
        os.unlink(path)


def empty(options: Any) -> None:
    """Remove what an earlier attempt left, but never the folder itself."""
    for name in [""] if options.file else os.listdir(options.to):
        if name != "lost+found":  # a fresh disk's own
            remove(join(options.to, name) if name else options.to)


def files_of(folder: str) -> list[str]:
    """All files and links below a folder."""
    found = [join(at, name) for at, folders, names in os.walk(folder) for name in folders + names]
    return [path for path in found if islink(path) or not isdir(path)]


def arrived(options: Any) -> str:
    """What an importer brought; a folder of one file is that file, where what is asked needs a file."""
    source = realpath(options.from_file)
    if not lexists(source):
        raise LoadError(69, f"nothing has arrived at {source}")
    if isdir(source) and (options.sha256 or options.file or options.decompress not in ("auto", "none")):
        files = files_of(source)
        if len(files) != 1:
            raise LoadError(65, f"one file is asked for, and {len(files)} have arrived at {source}")
        return files[0]
    return str(source)


def sha256_of(path: str) -> str:
    """Hash a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as source:
        while data := source.read(CHUNK):
            digest.update(data)
    return digest.hexdigest()


def limit_of(max_bytes: int, size: int) -> int:
    """How many bytes may come out of `size` bytes."""
    return max_bytes or min(100 * GIB, max(GIB, 200 * size))


def load(options: Any, base: str, work: str) -> str:
    """Fetch, verify and unpack in `work`, move it in place, say what was done."""
    room = Room(base, options.max_bytes, "downloading")
    path, out, found = join(work, "download"), join(work, "out"), ""
    try:
        if options.url:
            headers = read_headers(options.headers) if options.headers else {}
            name, found = fetch(options.url, headers, path, room, options)
        else:
            path = arrived(options)
            name = safe_name(path) or "data"
            found = sha256_of(path) if options.sha256 else ""
        if options.sha256 and found != options.sha256.lower():
            raise LoadError(65, f"what arrived has the SHA-256 {found}, not {options.sha256}; was it changed?")
        os.mkdir(out)
        if isdir(path):
            room = Room(base, options.max_bytes, "copying")
            tree = Tree(out, room)
            copy(path, tree)
            done = "copied"
        else:
            size = getsize(path)
            room.expect(size)
            room = Room(base, limit_of(options.max_bytes, size), "unpacking")
            tree = Tree(out, room)
            try:
                done = fill(path, name, options, tree)
            except Exception as error:
                if isinstance(error, LoadError) or not is_damage(error):
                    raise
                raise LoadError(65, f"{name} is damaged: {error or type(error).__name__}") from None
        tree.close()
        if options.file:
            files = files_of(out)
            if len(files) != 1 or islink(files[0]):
                text = f"one file is needed, and the archive has {len(files)}"
                raise LoadError(65, f"{text}: load it into a folder, or set decompress to none")
            os.replace(files[0], options.to)
        else:
            for name in os.listdir(out):
                os.rename(join(out, name), join(options.to, name))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise room.full() from None
        raise
    done = f"{options.to}: {done}, {max(tree.members, 1):,} members"
    return done + (f", SHA-256 {found}" if found else "")


class Parser(argparse.ArgumentParser):
    """A parser whose errors are ours."""

    def error(self, message: str) -> Any:
        """Tell it as all else is told."""
        raise LoadError(64, message)


def read_options(argv: list[str]) -> Any:
    """Read and check the command line."""
    parser = Parser("load_data.py", allow_abbrev=False)
    for name in ("--to", "--sha256", "--headers", "--from-file"):
        parser.add_argument(name, default="", required=name == "--to")
    for name in ("--file", "--allow-file"):
        parser.add_argument(name, action="store_true")
    parser.add_argument("--decompress", choices=FORMATS, default="auto")
    parser.add_argument("--max-bytes", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=60.0)
    parser.add_argument("--backoff", type=float, default=1.0)
    parser.add_argument("url", nargs="?", default="")
    options = parser.parse_args(argv)
    options.url = options.url.strip()
    if bool(options.url) == bool(options.from_file):
        raise LoadError(64, "either a URL or --from-file is needed; is the URL empty?")
    if not re.fullmatch("([0-9a-fA-F]{64})?", options.sha256) or options.max_bytes < 0:
        raise LoadError(64, "sha256 is not 64 hexadecimal digits, or maxBytes is negative")
    if options.url[:5].lower() == "file:":
        if not options.allow_file:
            raise LoadError(64, "a file: URL works in local runs only")
        options.url, options.from_file = "", unquote(urlsplit(options.url).path)
    elif options.url:
        read_url(options.url)
    options.to = realpath(options.to)
    if options.file == isdir(options.to):
        wrong = "a folder, not a file" if options.file else "no folder: mount or make it"
        raise LoadError(64, f"{options.to} is {wrong}")
    source = realpath(options.from_file or os.devnull)
    if os.path.commonpath([source, options.to]) in (source, options.to):  # it would be emptied
        raise LoadError(64, f"{source} and {options.to} lie in each other")
    return options


def main(argv: list[str]) -> int:
    """Do the whole, and return the exit code."""
    work, done = "", False
    try:
        options = read_options(argv)
        base = dirname(options.to) if options.file else options.to
        os.makedirs(base, exist_ok=True)
        work = join(base, ".kade2kfp-" + hashlib.sha256(os.fsencode(options.to)).hexdigest()[:12])
        remove(work)
        empty(options)
        os.mkdir(work)
        text = load(options, base, work)
        done = True
        say(text)
        return 0
    except LoadError as problem:
        say(problem)
        return problem.code
    except (PermissionError, FileNotFoundError, NotADirectoryError) as error:
        hint = f"for user {os.getuid()}; is it mounted, does securityContext.runAsUser fit?"
        say(f"{error.filename}: {error.strerror} {hint}")
        return 64
    except OSError as error:
        say(f"{error.filename or 'the disk'}: {error.strerror or error}")
        return 65 if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ) else 69
    except Exception as error:
        trace = error.__traceback__
        while trace and trace.tb_next:
            trace = trace.tb_next
        say(f"a bug in load_data: {type(error).__name__}: {error} (line {trace.tb_lineno if trace else 0})")
        return 70
    finally:
        if work:
            shutil.rmtree(work, ignore_errors=True)
            if not done:
                try:
                    empty(options)
                except OSError as error:
                    say(f"{options.to} could not be emptied: {error.strerror}")


def stop(number: int, frame: Any) -> None:
    """Go, cleaning up; at the first signal only."""
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    say("stopped")
    raise SystemExit(128 + number)


if __name__ == "__main__":
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, stop)
    sys.exit(main(sys.argv[1:]))
