"""Unpacking: every format, members that climb, links that lead out, bombs, and what is no archive at all."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from .load_data_server import ENVIRONMENT, QUICK, TEMPLATE, ZSTD, Result, load_data, running, tree

FILES = {"a.txt": b"alpha", "d/b.txt": b"beta" * 1000, "d/내 파일.txt": b"", "e": None}


def zstd(data: bytes) -> bytes:
    """A zst frame of raw blocks (RFC 8878, 3.1.1): no program is needed to make one."""
    blocks = [data[at : at + 100_000] for at in range(0, len(data), 100_000)] or [b""]
    heads = [(len(block) << 3 | (number == len(blocks) - 1)) for number, block in enumerate(blocks)]
    body = b"".join(struct.pack("<I", head)[:3] + block for head, block in zip(heads, blocks, strict=True))
    return b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(data)) + body


def gz(data: bytes) -> bytes:
    """Gzip without the time: parametrised tests must be the same in each of pytest-xdist's workers."""
    return gzip.compress(data, mtime=0)


def short(value: object) -> str | None:
    """The name of a parameter in a test's name: not kilobytes of it."""
    return "data" if isinstance(value, bytes) else None


SINGLE: dict[str, Callable[[bytes], bytes]] = {
    "gz": gz,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd,
}


def tar(*members: tuple[str, bytes | None] | tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    """Files, folders (None), or members made by hand."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size, info.type = (
                len(member[1] or b""),
                tarfile.DIRTYPE if member[1] is None else tarfile.REGTYPE,
            )
            archive.addfile(info, io.BytesIO(member[1] or b""))
    return out.getvalue()


def special(name: str, kind: bytes, target: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, mode
    return info


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name) if isinstance(name, str) else name  # made in 1980, whenever it runs
            archive.writestr(info, data, how)
    return out.getvalue()


def unix(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


TAR = tar(*FILES.items())
ZIP = zipped(*((name + "/" * (data is None), data or b"") for name, data in FILES.items()))
ARCHIVES = {"zip": ZIP, "tar": TAR} | {f"tar.{how}": pack(TAR) for how, pack in SINGLE.items()}
WHOLE = {**FILES, "d": None}


@pytest.fixture
def to(tmp_path: Path) -> Path:
    (tmp_path / "to").mkdir()
    return tmp_path / "to"


def unpack(to: Path, data: bytes, *args: object, name: str = "x.bin") -> Result:
    """As from an importer: the same way in as a download's, without a server."""
    (to.parent / name).write_bytes(data)
    return load_data("--to", to, *args, "--from-file", to.parent / name)


def refused(result: Result, text: str, to: Path, code: int = 65) -> None:
    assert (result.code, tree(to)) == (code, {}), result.log
    assert re.search(text, result.lines[-1]), result.log
    assert sorted(path.name for path in to.parent.iterdir()) in (["to", "x.bin"], ["to"])


@pytest.mark.parametrize("how", ARCHIVES)
@pytest.mark.parametrize("said", [True, False])
def test_every_archive_is_known_by_its_content(to: Path, how: str, said: bool) -> None:
    args = ["--decompress", how] if said else []
    assert unpack(to, ARCHIVES[how], *args, name="misnamed.csv").code == 0
    assert tree(to) == WHOLE


@pytest.mark.parametrize("how", SINGLE)
@pytest.mark.parametrize("said", [True, False])
@pytest.mark.parametrize(("name", "left"), [("a.csv.{}", "a.csv"), ("A.{}", "A"), ("data", "data"), ("x.t{}", "x.tar")])
def test_a_compressed_file_loses_its_suffix(to: Path, how: str, said: bool, name: str, left: str) -> None:
    args = ["--decompress", how] if said else []
    assert unpack(to, SINGLE[how](b"1,2"), *args, name=name.format(how)).code == 0
    assert tree(to) == {left: b"1,2"}


def test_a_tar_in_gz_stays_a_tar_if_only_gz_is_asked(to: Path) -> None:
    assert unpack(to, ARCHIVES["tar.gz"], "--decompress", "gz", name="a.tar.gz").code == 0
    assert tree(to) == {"a.tar": TAR}


@pytest.mark.parametrize("how", SINGLE)
def test_streams_one_after_another_are_all_read(to: Path, how: str) -> None:
    assert unpack(to, SINGLE[how](b"one ") + SINGLE[how](b"two"), "--decompress", how).code == 0
    assert tree(to) == {"x.bin": b"one two"}


@pytest.mark.parametrize("how", ["none", *ARCHIVES])
def test_none_keeps_the_bytes(to: Path, how: str) -> None:
    data = ARCHIVES.get(how, b"plain")
    assert unpack(to, data, "--decompress", "none").code == 0
    assert tree(to) == {"x.bin": data}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.whl", ZIP),
        ("a.DOCX", ZIP),
        ("a.npz", ZIP),
        ("model.pt", ZIP),
        ("m.bin", zipped(("m/data.pkl", b"x"))),
    ],
    ids=short,
)
def test_what_is_an_archive_only_inside_is_kept(to: Path, name: str, data: bytes) -> None:
    assert unpack(to, data, name=name).code == 0
    assert tree(to) == {name: data}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.zip", zipped()),
        ("a", zipped()),
        ("a.tar", tar()),
        ("a.tar.gz", gz(tar())),
        ("a.tgz", gz(tar())),
    ],
    ids=short,
)
def test_an_empty_archive_is_an_empty_folder(to: Path, name: str, data: bytes) -> None:
    result = unpack(to, data, name=name)
    assert (result.code, tree(to)) == (0, {}), result.log


@pytest.mark.parametrize("data", [b"", b"BZhello", b"PK", b"\0" * 2000, b"\x1f\x8b"], ids=short)
def test_what_only_looks_like_an_archive_is_a_file(to: Path, data: bytes) -> None:
    assert unpack(to, data).code == 0
    assert tree(to) == {"x.bin": data}


@pytest.mark.parametrize("how", [*ARCHIVES, *SINGLE])
@pytest.mark.parametrize("data", [b"\xef\xbb\xbf\n<!DOCTYPE html><p>Log in", b"", b"x", zipped(("a", b""))], ids=short)
def test_another_type_than_promised_is_refused(to: Path, how: str, data: bytes) -> None:
    result = unpack(to, b"\x1f\x8b\x08" if how == "zip" and data[:2] == b"PK" else data, "--decompress", how)
    refused(result, f"is not {how}.*" + ("HTML" if b"html" in data else ""), to)


def test_a_login_page_is_kept_with_a_warning(to: Path) -> None:
    page = b"<html><body>Log in</body></html>"
    result = unpack(to, page, name="iris.zip")
    assert (result.code, tree(to)) == (0, {"iris.zip": page})
    assert "warning: what arrived as iris.zip looks like HTML" in result.log
    assert "warning" not in unpack(to, page, name="iris.html").log


@pytest.mark.parametrize("how", [*ARCHIVES, *SINGLE])
def test_a_truncated_archive_is_damaged(to: Path, how: str) -> None:
    data = ARCHIVES[how] if how in ARCHIVES else SINGLE[how](os.urandom(5000))
    refused(unpack(to, data[: len(data) // 2], "--decompress", how), "is damaged|is not", to)


@pytest.mark.parametrize("how", ["gz", "bz2", "xz"])
def test_a_flipped_bit_is_found(to: Path, how: str) -> None:
    data = bytearray(SINGLE[how](os.urandom(5000)))
    data[-9 if how == "gz" else len(data) // 2] ^= 1
    refused(unpack(to, bytes(data), "--decompress", how), "is damaged", to)


def test_a_broken_header_in_the_middle_is_not_the_end(to: Path) -> None:
    data = tar(("a", b"a"), ("b", b"b"))
    refused(unpack(to, data[:1024] + b"x" * 512 + data[1536:]), "is damaged", to)


CLIMBING = [
    "/abs",
    "../up",
    "a/../../up",
    "a/..",
    "..",
    "\\abs",
    "..\\up",
    "a\\..\\..\\up",
    "C:\\up",
    "C:/up",
    "//x/y",
]


@pytest.mark.parametrize("name", CLIMBING)
@pytest.mark.parametrize(
    "pack", [lambda name: tar(("ok", b"x"), (name, b"x")), lambda name: zipped(("ok", b""), (name, b""))]
)
def test_members_that_climb_are_refused(to: Path, name: str, pack: Callable[[str], bytes]) -> None:
    refused(unpack(to, pack(name)), "would leave the folder", to)


@pytest.mark.parametrize(
    "members",
    [
        [special("l", tarfile.SYMTYPE, "/etc/passwd")],
        [special("l", tarfile.SYMTYPE, "../x")],
        [special("d/l", tarfile.SYMTYPE, "../../x")],
        [special("here", tarfile.SYMTYPE, "."), special("l", tarfile.SYMTYPE, "here/..")],
        [("d/e/f", b""), special("a", tarfile.SYMTYPE, "d/e"), special("b", tarfile.SYMTYPE, "a/../../../x")],
        [special("l", tarfile.SYMTYPE, "")],
        [special("h", tarfile.LNKTYPE, "/etc/passwd")],
        [special("h", tarfile.LNKTYPE, "../x.bin")],
        [special("h", tarfile.LNKTYPE, "missing")],
        [special("h", tarfile.LNKTYPE, "h")],
        [special("l", tarfile.SYMTYPE, "../x"), special("h", tarfile.LNKTYPE, "l")],
        [special("l", tarfile.SYMTYPE, "f"), ("l", b"through")],
        [special("l", tarfile.SYMTYPE, "d"), ("l/f", b"through")],
        [("l/f", b"x"), special("l", tarfile.SYMTYPE, "d")],
        [("f", b"x"), ("f/g", b"x")],
        [("f/g", b"x"), ("f", b"x")],
        [special("dev", tarfile.CHRTYPE)],
        [special("dev", tarfile.BLKTYPE)],
        [special("pipe", tarfile.FIFOTYPE)],
        [("a/" * 300 + "f", b"")],
    ],
)
def test_links_and_devices_that_are_no_data_are_refused(
    to: Path, members: list[tarfile.TarInfo | tuple[str, bytes | None]]
) -> None:
    refused(unpack(to, tar(*members)), "leads|leave|twice|link|device|deep", to)


@pytest.mark.parametrize(
    "member",
    [
        (unix("l", stat.S_IFLNK | 0o777), b"/etc"),
        (unix("l", stat.S_IFLNK | 0o777), b"../x"),
        (unix("f", stat.S_IFIFO | 0o644), b""),
        (unix("c", stat.S_IFCHR | 0o644), b""),
    ],
)
def test_a_zip_has_links_and_devices_too(to: Path, member: tuple[zipfile.ZipInfo, bytes]) -> None:
    refused(unpack(to, zipped(member)), "leads out|device", to)


def test_links_that_stay_inside_are_kept(to: Path) -> None:
    links = [special("d/up", tarfile.SYMTYPE, "../f"), special("h", tarfile.LNKTYPE, "f")]
    assert unpack(to, tar(("f", b"x"), *links)).code == 0
    assert tree(to) == {"f": b"x", "d": None, "d/up": "../f", "h": b"x"}
    assert (to / "d" / "up").read_bytes() == b"x"


def test_the_last_of_two_files_with_one_name_counts(to: Path) -> None:
    assert unpack(to, tar(("f", b"old"), special("h", tarfile.LNKTYPE, "f"), ("f", b"new"))).code == 0
    assert tree(to) == {"f": b"new", "h": b"old"}


def test_modes_are_harmless_and_exec_bits_stay(to: Path) -> None:
    members = [special("run", tarfile.REGTYPE, mode=0o6711), special("no", tarfile.REGTYPE, mode=0o000)]
    folder = special("d", tarfile.DIRTYPE, mode=0o000)
    assert unpack(to, tar(*members, folder, ("d/f", b""))).code == 0
    mask = os.umask(0)
    os.umask(mask)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in to.rglob("*")}
    assert modes == {"run": 0o777 & ~mask, "no": 0o666 & ~mask, "d": 0o777 & ~mask, "f": 0o666 & ~mask}


def test_an_encrypted_zip_is_told(to: Path) -> None:
    data = bytearray(zipped(("a", b"x")))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    refused(unpack(to, bytes(data)), "encrypted.*without a password", to)


def test_a_zip_with_a_method_that_python_has_not_is_told(to: Path) -> None:
    data = bytearray(zipped(("a", b"x")))
    data[8] = data[data.index(b"PK\1\2") + 10] = 9  # deflate64, as Windows makes for large files
    refused(unpack(to, bytes(data)), "is damaged: .*compression method", to)


def test_names_of_zips_are_read_as_their_makers_meant(to: Path) -> None:
    windows = zipfile.ZipInfo("d\\f")
    windows.create_system = 0
    silent = zipped(("AAAAAA", b"utf-8 without saying so")).replace(b"AAAAAA", "내파".encode())
    assert unpack(to, zipped((windows, b"x"))).code == 0
    assert tree(to) == {"d": None, "d/f": b"x"}
    assert unpack(to, silent).code == 0
    assert list(tree(to)) == ["내파"]


def test_a_self_extracting_zip_unpacks_if_it_is_asked_for(to: Path) -> None:
    assert unpack(to, b"MZ program" + ZIP, "--decompress", "zip").code == 0
    assert tree(to) == WHOLE


@pytest.mark.parametrize(
    "data",
    [
        zipped(("a", b"\0" * 10**6)),
        zipped(("a", b"\0" * 6 * 10**5), ("b", b"\0" * 6 * 10**5)),
        gz(b"\0" * 10**6),
        lzma.compress(b"\0" * 10**6),
        bz2.compress(b"\0" * 10**6),
        gz(tar(("a", gz(b"\0" * 10**6)), ("b", b"\0" * 10**6))),
        gz(tar(("a", b"a")) + b"\0" * 10**6),
    ],
    ids=short,
)
def test_bombs_end_at_the_limit(to: Path, data: bytes) -> None:
    refused(unpack(to, data, "--max-bytes", 500_000), "over the limit of 500,000.*maxBytes", to)


def test_a_zip_that_lies_about_its_size_ends_at_the_limit(to: Path) -> None:
    data = bytearray(zipped(("a", b"\0" * 10**6)))
    for mark, at in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        struct.pack_into("<I", data, data.index(mark) + at, 10)
    refused(unpack(to, bytes(data), "--max-bytes", 500_000), "is damaged", to)


def test_without_a_limit_the_ratio_guards(to: Path) -> None:
    data = bytearray(zipped(("a", b"x")))
    struct.pack_into("<I", data, data.index(b"PK\1\2") + 24, 2**31)
    refused(unpack(to, bytes(data)), "over the limit of 1,073,741,824.*maxBytes", to)


def test_a_sparse_tar_counts_as_what_it_becomes(to: Path) -> None:
    hole = tarfile.TarInfo("GNUSparseFile.0/hole")  # as GNU tar's manual has it, "PAX Format, Version 1.0"
    numbers = {"major": "1", "minor": "0", "name": "hole", "realsize": "10000000"}
    hole.pax_headers = {f"GNU.sparse.{key}": value for key, value in numbers.items()}
    hole.size = 512
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(hole, io.BytesIO(b"1\n10000000\n0\n".ljust(512, b"\0")))
    refused(unpack(to, out.getvalue(), "--max-bytes", 10**6), "over the limit", to)
    assert unpack(to, out.getvalue()).code == 0
    assert tree(to) == {"hole": b"\0" * 10**7}


@pytest.mark.parametrize("size", ["77777777777", "-1"])
def test_a_header_cannot_fill_the_memory_or_lead_back(to: Path, size: str) -> None:
    info = special("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    head = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    head[124:136] = size.rjust(11, "0").encode() + b"\0" if size != "-1" else b"\xff" * 12
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    refused(unpack(to, gz(bytes(head) + b"\0" * 10**6)), "damaged", to)


@pytest.mark.parametrize("pack", [tar, zipped])
def test_too_many_members_are_refused(to: Path, pack: Callable[..., bytes]) -> None:
    (to.parent / "x.bin").write_bytes(pack(*((f"f{number}", b"") for number in range(11))))
    program = TEMPLATE.read_text().replace("MAX_MEMBERS = 1_000_000", "MAX_MEMBERS = 10")
    line = [sys.executable, "-c", program, "--to", to, "--from-file", to.parent / "x.bin"]
    ran = subprocess.run(line, capture_output=True, text=True, env=ENVIRONMENT)
    assert (ran.returncode, tree(to)) == (65, {})
    assert "more than 10 members" in ran.stderr


WITHOUT_MODULES = "import sys; sys.modules['compression.zstd'] = sys.modules['zstandard'] = None\n"


def without_modules(to: Path, data: bytes, path: str) -> tuple[int, str]:
    (to.parent / "x.zst").write_bytes(data)
    program = WITHOUT_MODULES + TEMPLATE.read_text().replace("from __future__ import annotations\n", "", 1)
    program = "from __future__ import annotations\n" + program
    line = [sys.executable, "-c", program, *QUICK, "--to", to, "--from-file", to.parent / "x.zst"]
    ran = subprocess.run(line, capture_output=True, text=True, env={**ENVIRONMENT, "PATH": path})
    return ran.returncode, ran.stderr


def test_zstd_is_unpacked_by_the_program_where_python_has_none(to: Path) -> None:
    data = os.urandom(250_000)
    assert without_modules(to, zstd(data), ZSTD)[0] == 0
    assert tree(to) == {"x": data}
    code, log = without_modules(to, zstd(data)[:200_000], ZSTD)
    assert (code, tree(to)) == (65, {})
    assert "is damaged: zstd cannot read it" in log


def test_where_nothing_unpacks_zstd_it_is_told_what_to_do(to: Path) -> None:
    code, log = without_modules(to, zstd(b"x"), "/nowhere")
    assert (code, tree(to)) == (64, {})
    assert re.search("toolboxImage.*Python 3.14.*zstandard.*zstd.*decompress to none", log)


@pytest.mark.parametrize(
    ("target", "data", "args", "expected"),
    [
        ("f.csv", b"1", [], b"1"),
        ("f.csv", gz(b"1"), [], b"1"),
        ("f.csv.gz", gz(b"1"), [], gz(b"1")),
        ("f.zip", zipped(("a", b"1")), [], zipped(("a", b"1"))),
        ("f.tgz", gz(TAR), [], gz(TAR)),
        ("f.tar.gz", gz(TAR), [], gz(TAR)),
        ("f.csv", zipped(("deep/a", b"1"), ("deep/", b"")), [], b"1"),
        ("f.csv", tar(("a", b"1")), [], b"1"),
        ("f.zip", zipped(("a", b"1")), ["--decompress", "zip"], b"1"),
        ("f.gz", gz(b"1"), ["--decompress", "gz"], b"1"),
        ("f.csv", ZIP, ["--decompress", "none"], ZIP),
        ("f.pt", ZIP, [], ZIP),
    ],
    ids=short,
)
def test_one_file_is_made_of_what_arrives(to: Path, target: str, data: bytes, args: list[str], expected: bytes) -> None:
    (to / "beside").write_bytes(b"stays")
    (to.parent / "x").write_bytes(data)
    assert load_data("--to", to / target, "--file", *args, "--from-file", to.parent / "x").code == 0
    found = tree(to)
    assert found.pop("beside") == b"stays"
    assert [*found] == [target]
    assert found[target] == (data if target == "f.csv.gz" else expected)


@pytest.mark.parametrize(
    "data",
    [ZIP, TAR, zipped(), tar(special("l", tarfile.SYMTYPE, "x")), tar(("d/f", b""), special("l", b"2", "d"))],
    ids=short,
)
def test_one_file_cannot_be_made_of_many(to: Path, data: bytes) -> None:
    (to.parent / "x").write_bytes(data)
    result = load_data("--to", to / "f.csv", "--file", "--from-file", to.parent / "x")
    assert (result.code, tree(to)) == (65, {})
    assert "one file is needed, and the archive has" in result.log


def test_a_folder_that_arrived_is_copied(to: Path) -> None:
    source = to.parent / "source"
    (source / "d" / "empty").mkdir(parents=True)
    (source / "d" / "f.zip").write_bytes(ZIP)
    (source / "l").symlink_to("d/f.zip")
    assert load_data("--to", to, "--from-file", source).code == 0
    assert tree(to) == tree(source)
    (source / "out").symlink_to("../secret")
    result = load_data("--to", to, "--from-file", source)
    assert (result.code, tree(to)) == (65, {})


def test_a_folder_of_one_file_is_that_file_where_a_file_is_asked(to: Path) -> None:
    source = to.parent / "source"
    source.mkdir()
    (source / "x").write_bytes(ZIP)
    assert load_data("--to", to, "--decompress", "zip", "--from-file", source).code == 0
    assert tree(to) == WHOLE
    (source / "y").write_bytes(b"")
    assert load_data("--to", to, "--decompress", "zip", "--from-file", source).code == 65


def test_what_arrived_is_verified_and_never_emptied(to: Path) -> None:
    (to / "x").write_bytes(b"x")
    missing = load_data("--to", to, "--from-file", to.parent / "nothing")
    assert missing.code == 69
    (to / "x").write_bytes(b"x")
    assert load_data("--to", to, "--from-file", to / "x").code == 64
    assert load_data("--to", to, "--from-file", to.parent).code == 64
    assert tree(to) == {"x": b"x"}
    assert unpack(to, b"x", "--sha256", "0" * 64).code == 65


def test_file_urls_are_for_local_runs(to: Path) -> None:
    (to.parent / "내 파일").write_bytes(b"x")
    assert load_data("--to", to, "--allow-file", (to.parent / "내 파일").as_uri()).code == 0
    assert tree(to) == {"내 파일": b"x"}


def test_a_download_goes_the_same_way(to: Path) -> None:
    with running() as site:
        assert load_data("--to", to, site.serve("/get", ARCHIVES["tar.gz"])).code == 0
        assert tree(to) == WHOLE
        refused(load_data("--to", to, site.serve("/evil", tar(("../x", b"x")))), "leave", to)
