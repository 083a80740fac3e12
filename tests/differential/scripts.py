"""Lines of the scripts of random tasks, for sh -e."""

from __future__ import annotations

from random import Random
from shlex import quote

_FILL = [
    "echo plain > {p}/a.txt",
    "mkdir -p {p}/sub/deep; printf deep > {p}/sub/deep/b",
    "mkdir {p}/empty; : > {p}/beside",
    "printf '#!/bin/sh\\necho ran\\n' > {p}/run.sh; chmod +x {p}/run.sh",
    "printf '\\000\\377\\r\\n' > {p}/.hidden",
    "echo odd > {p}/'a b'; echo ü > {p}/ü; : > {p}/-n; echo star > {p}/'*'",
    "mkdir -p {p}/sub; echo s > {p}/sub/s; ln -s sub {p}/alias",
    "echo t > {p}/target; ln -s target {p}/link; ln -s {p}/target {p}/sure",
    "mkdir -p /tmp/elsewhere/x; echo e > /tmp/elsewhere/x/y; ln -s /tmp/elsewhere {p}/far",
    "echo h > {p}/h1; ln {p}/h1 {p}/h2",
    'printf %s "${{1-none}}" > {p}/value',
    'printf %s "${{E0-none}}" > {p}/e0',
    "umask 077; echo closed > {p}/closed; chmod 644 {p}/closed; umask 022",
]
_BREAK = [
    "rm -rf {p}/*; rm -rf {p}/.hidden",
    "ln -s /nowhere {p}/dangling",
    "mkfifo {p}/fifo",
    "ln -s . {p}/self",
    "mkdir -p {p}/u/v; ln -s ../.. {p}/u/v/up",
]
_FILL_FILE = [
    "echo model > {p}",
    "printf 'x\\000y' > {p}; chmod +x {p}",
    "echo t > /tmp/t; ln -sf /tmp/t {p}",
    ": > {p}",
    'printf %s "${{1-none}}" > {p}',
]
_BREAK_FILE = ["mkdir -p {p}", "rm -rf {p}", "ln -sfn /nowhere {p}", "mkfifo {p}"]
_READ = [
    '(cd {p} && find -L . -type f | LC_ALL=C sort | while IFS= read -r f; do printf \'%s \' "$f"; cksum < "$f"; done)',
    "(cd {p} && find . -type d | LC_ALL=C sort)",
    'for f in {p}/*; do if [ -f "$f" ] && [ -x "$f" ]; then echo "executable $f"; fi; done',
    "ls -A {p} | LC_ALL=C sort",
    "cat {p}/a.txt",
    "if [ -d {p}/sub ]; then cp -R {p}/sub /tmp/copy; find /tmp/copy | LC_ALL=C sort; fi",
    "if [ -e {p}/closed ]; then exit 9; fi",
]
_READ_FILE = ["cksum < {p}", "cat {p}", "if [ -x {p} ]; then echo executable; fi", "wc -c < {p}", "ls {p}"]
_PLAIN = [
    "echo to stderr >&2",
    "printf '\\377\\033[1m\\r%s\\n' odd",
    "seq 400 | tail -n 3; seq 2000",
    "id -u; id -g",
    "pwd",
    "if read -r line; then echo got; else echo no input; fi",
    'echo $# "${{E0-none}}" "${{E1-none}}"; printf \'<%s>\' "$@"; echo',
    "env | LC_ALL=C grep -E '^(E[0-9]|S_|C_)' | LC_ALL=C sort",
    "echo $(echo nested $(echo twice)) pid-$$ | tr -d 0-9",
    "echo '$(HOME) $$ {{{{'",
    'x=$(printf \'%s\' "$*" | cksum | cut -c1); if [ "$x" -gt 7 ]; then exit 4; fi',
    "(sleep 0.1; echo late) & wait",
]
_FAIL = ["exit 3", "false", "kill -9 $$", "nosuchcommand", "cat /no/such", "exit 255", "kill -TERM $$", "[ 1 = 2 ]"]


def filled(random: Random, path: str, kind: str) -> list[str]:
    """What leaves something at an output path; seldom what KFP could not store."""
    good, bad = (_FILL, _BREAK) if kind == "directory" else (_FILL_FILE, _BREAK_FILE)
    lines = random.sample(good, random.randint(1, 4) if kind == "directory" else 1)
    if random.random() < 0.03:
        lines.append(random.choice(bad))
    return [line.format(p=quote(path)) for line in lines]


def handed_on(random: Random, path: str, arrived: str, kind: str) -> list[str]:
    """What came in goes on: copied as links, copied as files, or by a link."""
    file, folder = ["cp {a} {p}", "ln -sf {a} {p}"], ["cp -R {a}/. {p}", "cp -RL {a}/. {p}", "ln -s {a} {p}/again"]
    return [random.choice(file if kind == "file" else folder).format(p=quote(path), a=quote(arrived))]


def read(random: Random, path: str, kind: str) -> list[str]:
    """What says what has arrived."""
    lines = _READ if kind == "directory" else _READ_FILE
    return [line.format(p=quote(path)) for line in [lines[0], *random.sample(lines[1:], random.randint(0, 2))]]


def said(random: Random) -> list[str]:
    """What a task says of itself, and may fail by."""
    lines = random.sample(_PLAIN, random.randint(0, 3))
    if random.random() < 0.08:
        lines.insert(random.randint(0, len(lines)), random.choice(_FAIL))
    return [line.format() for line in lines]


def tried_again(random: Random) -> str:
    """A line that fails in the first attempts."""
    fails = "|".join(["''", "x", "xx"][: random.randint(1, 2)])
    return f"n=$(cat /tmp/n 2>/dev/null || true); echo x$n > /tmp/n; case $n in {fails}) echo bad > /tmp/bad; exit 7;; esac"


def written(path: str, text: str) -> str:
    """A line that writes a text to a file."""
    return f"printf %s {quote(text)} > {quote(path)}"
