"""The log pump: what a step prints, without secrets, of limited size, as it comes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kade2kfp.local.logs import END, LogEnd, last_lines, pump, tail
from kade2kfp.local.logs.masking import masked, masks_of

# Few letters, so that secrets overlap, begin each other, and are cut by pieces. `*` could form new ones.
TEXT = st.lists(st.sampled_from([b"a", b"b", b"c", b"ab", b"\n", b"abcabcabcab"]), max_size=40).map(b"".join)
MASKS = st.lists(TEXT.map(lambda text: text[:30]), max_size=8)
CUTS = st.lists(st.integers(0, 200), max_size=12)


def through_pipe(target: Path, pieces: Iterable[bytes], masks: Iterable[bytes] = (), **how: int) -> LogEnd:
    """What is left of pieces that are written one by one."""
    source, sink = os.pipe()

    def feed() -> None:
        with os.fdopen(sink, "wb", buffering=0) as stream:
            for piece in pieces:
                stream.write(piece)

    writer = threading.Thread(target=feed)
    writer.start()
    try:
        return pump(source, target, list(masks), **how)
    finally:
        os.close(source)
        writer.join(10)


def in_pieces(text: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return [text[start:end] for start, end in pairwise(places)]


def whole(text: bytes, masks: Iterable[bytes]) -> bytes:
    """The same in the plainest way: everything at once."""
    longest_first = sorted({mask for mask in masks if mask}, key=len, reverse=True)
    return re.sub(b"|".join(map(re.escape, longest_first)), b"***", text) if longest_first else text


@settings(max_examples=200, deadline=None)
@given(TEXT, MASKS, CUTS)
def test_any_pieces_give_what_the_whole_gives(text: bytes, masks: list[bytes], cuts: list[int]) -> None:
    ready, waiting, written = masks_of(masks), b"", b""
    for piece in in_pieces(text, cuts):
        out, waiting = masked(ready, waiting + piece, last=False)
        written += out
        # What waits could become a secret.
        assert not waiting or any(len(mask) > len(waiting) and mask.startswith(waiting) for mask in masks)
    written += masked(ready, waiting, last=True)[0]
    assert written == whole(text, masks)
    assert not any(mask in written for mask in masks if mask)


@settings(max_examples=60, deadline=None)
@given(TEXT, MASKS, CUTS, st.integers(2, 60).map(lambda half: 2 * half))
def test_any_pieces_give_one_file_of_limited_size(
    tmp_path_factory: pytest.TempPathFactory, text: bytes, masks: list[bytes], cuts: list[int], limit: int
) -> None:
    target = tmp_path_factory.mktemp("log") / "1.log"
    end = through_pipe(target, in_pieces(text, cuts), masks, limit=limit)
    wanted = whole(text, masks)
    assert end.bytes == len(wanted)
    half = limit // 2
    if len(wanted) <= limit:
        assert target.read_bytes() == wanted
        assert end.left_out == 0
    else:
        assert end.left_out == len(wanted) - limit
        line = b"" if wanted[:half].endswith(b"\n") else b"\n"
        line += b"kade2kfp: %d bytes left out\n" % end.left_out
        assert target.read_bytes() == wanted[:half] + line + wanted[-half:]
    assert end.tail == last_lines(wanted, 15)


def test_many_and_long_secrets_among_much_text(tmp_path: Path) -> None:
    masks = [bytes([65 + i % 26]) * 3 + b"%d-secret" % i for i in range(200)] + [b"k" * 5000 + b"!"]
    text = b"".join(b"line %d %s k%s\n" % (i, masks[i % 201], b"k" * (i % 50)) for i in range(3000))
    end = through_pipe(tmp_path / "log", in_pieces(text, list(range(0, len(text), 4999))), masks)
    assert (tmp_path / "log").read_bytes() == whole(text, masks)
    assert end.left_out == 0


def test_a_short_secret_everywhere(tmp_path: Path) -> None:
    text = b"1 2 11 111\n" * 20000
    through_pipe(tmp_path / "log", [text], [b"1", b"11", b"2 1"])
    assert (tmp_path / "log").read_bytes() == whole(text, [b"1", b"11", b"2 1"])


def until(path: Path, wanted: bytes) -> None:
    deadline = time.monotonic() + 10
    while not (path.exists() and path.read_bytes() == wanted):
        assert time.monotonic() < deadline, path.read_bytes()
        time.sleep(0.005)


def test_a_slow_step_is_seen_at_once_but_for_what_may_begin_a_secret(tmp_path: Path) -> None:
    source, sink = os.pipe()
    path = tmp_path / "log"
    reader = threading.Thread(target=pump, args=(source, path, [b"hunter2", b"ends"]))
    reader.start()
    try:
        os.write(sink, b"epoch 1")
        until(path, b"epoch 1")
        os.write(sink, b" h")
        until(path, b"epoch 1 ")
        os.write(sink, b"o hunte")
        until(path, b"epoch 1 ho ")
        os.write(sink, b"r2 hunter")
        until(path, b"epoch 1 ho *** ")
    finally:
        os.close(sink)
        reader.join(10)
        os.close(source)
    # No more comes, so that what waited was no secret.
    assert path.read_bytes() == b"epoch 1 ho *** hunter"


def test_a_long_log_shows_its_newest_lines_while_it_grows(tmp_path: Path) -> None:
    source, sink = os.pipe()
    path = tmp_path / "log"
    reader = threading.Thread(target=pump, args=(source, path, []), kwargs={"limit": 100})
    reader.start()
    try:
        os.write(sink, b"first\n" * 50)
        os.write(sink, b"now at 7\n")
        deadline = time.monotonic() + 10
        while tail(path, 1) != ("now at 7",):
            assert time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        os.close(sink)
        reader.join(10)
        os.close(source)


BIG = """
import os, resource, sys
from pathlib import Path
from kade2kfp.local.logs import pump
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
end = pump(0, Path(sys.argv[1]), [b"hunter2"])
print(end.bytes, end.left_out, *end.tail[-1:], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_a_gigabyte_through_a_pipe_in_constant_memory(tmp_path: Path) -> None:
    line = b"epoch 1 loss 0.5\n" * 20 + b"step 1 of many: hunter2 loss 0.25 \xff\n"
    block = line * (2**20 // len(line))
    feeder = f"import os\nblock = {line!r} * {2**20 // len(line)}\nfor _ in range(1000): os.write(1, block)"
    with subprocess.Popen([sys.executable, "-c", feeder], stdout=subprocess.PIPE) as step:
        ran = subprocess.run(
            [sys.executable, "-c", BIG, str(tmp_path / "log")], stdin=step.stdout, capture_output=True, timeout=300
        )
    assert ran.returncode == 0, ran.stderr
    size, left_out, *words, memory = ran.stdout.decode().split()
    assert int(size) == 1000 * len(block.replace(b"hunter2", b"***"))
    assert " ".join(words) == "step 1 of many: *** loss 0.25 \ufffd"
    assert int(memory) < 16 * 1024  # KiB
    log = (tmp_path / "log").read_bytes()
    marker = f"\nkade2kfp: {int(left_out):,} bytes left out\n".encode()
    assert log.count(marker) == 1
    assert int(size) - int(left_out) == 32 * 2**20 + END
    assert b"hunter2" not in log


def test_a_full_disk_does_not_block_the_step(tmp_path: Path) -> None:
    # A file that may have no more than 64 KiB stands for a disk that is full.
    code = f"""
import resource, signal, sys
from pathlib import Path
from kade2kfp.local.logs import pump
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
end = pump(0, Path({str(tmp_path / "log")!r}), [])
sys.stdout.write(f"{{end.bytes}}|{{end.left_out}}|{{end.tail[-1]}}|{{end.problem}}")
"""
    text = b"row\n" * 500_000 + b"the last\n"
    ran = subprocess.run([sys.executable, "-c", code], input=text, capture_output=True, timeout=60)
    wanted = f"{len(text)}|{len(text) - 65536}|the last|the log cannot be written: file too large"
    assert ran.stdout.decode() == wanted, ran.stderr
    assert (tmp_path / "log").read_bytes() == text[:65536]


def test_what_is_there_already_is_neither_followed_nor_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "log").symlink_to("mine")
    for target in (tmp_path / "log", tmp_path / "mine", tmp_path / "none/log"):
        end = through_pipe(target, [b"some\n" * 50_000])
        assert (end.bytes, end.left_out, end.tail[-1:]) == (250_000, 250_000, ("some",))
        assert end.problem.startswith("the log cannot be written: ")
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_log_is_for_its_owner_and_the_descriptor_stays_open(tmp_path: Path) -> None:
    source, sink = os.pipe()
    os.close(sink)
    end = pump(source, tmp_path / "log", [b"x"])
    os.close(source)
    assert end == LogEnd(0, 0, ())
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"a\nb\n\n  \n", ("a", "b")),
        (b"no end", ("no end",)),
        (b" 1%\r 50%\r100%\r\ndone\n", ("100%", "done")),
        (b"\r 50%\r\x1b[2K", (" 50%",)),
        (b"10%\x1b[2K\x1b[1G20%\n", ("20%",)),
        (b"\x1b[1;31mred\x1b[m\x1b[K text\n", ("red text",)),
        (b"\x1b]0;title\x07x\x1b]8;;http://e\x1b\\link\n", ("xlink",)),
        (b"\x1b]0;no end\n\x1bcafter\n", ("after",)),
        (b"bell\x07 nul\x00 del\x7f\ttab\n", ("bell nul del tab",)),
        ("\x9b31mC1 \u202e한국\n".encode(), ("C1 \u202e한국",)),
        (b"\xff\xfe half \xe2\x82\n", ("\ufffd\ufffd half \ufffd",)),
        (b"x" * 501, ("x" * 497 + "...",)),
        (b"\r" * 100_000, ()),
        (b"\x1b[" * 100_000, None),
        (b"", ()),
    ],
)
def test_lines_as_a_terminal_leaves_them(data: bytes, shown: tuple[str, ...] | None) -> None:
    lines = last_lines(data, 15)
    assert shown is None or lines == shown
    assert all(len(line) <= 500 and not re.search("[\x00-\x1f\x7f-\x9f]", line) for line in lines)


def test_the_tail_of_a_file_is_read_from_its_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"old\n" * 500_000 + b"long " + b"x" * 100_000 + b"\n" + b"a\n\nb\n")
    assert tail(path, 2) == ("a", "b")
    assert [line[:6] for line in tail(path, 4)] == ["old", "long x", "a", "b"]
    with path.open("ab") as stream:
        stream.truncate(10 * 2**30)  # a hole of 10 GB, which nobody reads
    started = time.process_time()
    assert tail(path, 3) == ()
    assert time.process_time() - started < 2
    path.write_bytes(b"only")
    assert tail(path, 15) == ("only",)


def test_no_tail_of_what_is_no_log(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name in ("none", "pipe", "link", "."):
        assert tail(tmp_path / name, 3) == ()
