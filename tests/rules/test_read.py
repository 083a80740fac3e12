import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kade2kfp.diagnostics.text import render
from kade2kfp.rules.model import Policy, Rules
from kade2kfp.rules.read import POLICY, SETTINGS, read_rules
from kade2kfp.rules.text import MAX_BYTES

WHOLE = """\
select = ["K2", "K513"]
ignore = ["K206"]
werror = true
max-diagnostics = 50

[policy]
registries = ["registry.example.org", "GHCR.io/team/"]
pinned = "digest"
labels = ["team"]
forbidden-types = ["notebook"]
required-limits = ["memory", "nvidia.com/gpu"]

[policy.label-values]
cost-center = "[0-9]{4}"

[policy.max]
cpu = 0.5
memory = "64Gi"
"nvidia.com/gpu" = 4

[policy.mirror]
"index.docker.io" = "mirror.example.org/docker-hub"
"""
MEANT = Rules(
    select=("K2", "K513"),
    ignore=("K206",),
    werror=True,
    max_diagnostics=50,
    policy=Policy(
        registries=("registry.example.org", "ghcr.io/team"),
        pinned="digest",
        labels=("team",),
        label_values=(("cost-center", "[0-9]{4}"),),
        forbidden_types=("notebook",),
        required_limits=("memory", "nvidia.com/gpu"),
        most=(("cpu", "0.5"), ("memory", "64Gi"), ("nvidia.com/gpu", "4")),
        mirror=(("docker.io", "mirror.example.org/docker-hub"),),
    ),
)


def read(tmp_path: Path, text: str | bytes, name: str = "kade2kfp.toml"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return read_rules(path, name)


def said(tmp_path: Path, text: str | bytes, name: str = "kade2kfp.toml") -> list[str]:
    """Each diagnostic as its code, its line, what is marked there, and its message."""
    _, source, found = read(tmp_path, text, name)
    rows = []
    for one in found:
        assert one.file == name
        span = one.span
        marked = source.line(span.line)[span.column - 1 : span.end_column - 1] if span else ""
        rows.append(f"{one.code} {span.line if span else '-'} {marked} | {one.message}")
    return rows


def test_every_setting_is_read(tmp_path):
    rules, _, found = read(tmp_path, WHOLE)
    assert found == []
    assert rules == Rules("kade2kfp.toml", *(getattr(MEANT, name) for name in Rules.__slots__[1:]))
    assert all(name in WHOLE for name in (*SETTINGS, *POLICY))


def test_pyproject_has_them_below_our_table(tmp_path):
    text = "[tool.ruff]\nselect = 3\n[tool.kade2kfp]\n" + WHOLE.replace("[policy", "[tool.kade2kfp.policy")
    rules, _, found = read(tmp_path, text, "pyproject.toml")
    assert found == []
    assert rules.policy == MEANT.policy
    broken = text.replace("werror = true", "werror = 1").replace('pinned = "digest"', 'pined = "digest"')
    assert said(tmp_path, broken, "pyproject.toml") == [
        "K013 6 1 | expected true or false, found a whole number",
        "K012 11 pined | there is no setting `pined` in [tool.kade2kfp.policy]",
    ]
    assert said(tmp_path, "[tool.ruff]\n", "pyproject.toml") == ["K011 -  | it has no table [tool.kade2kfp]"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "# nothing\n",
        "ignore = []",
        "[policy]\n",
        "[policy.label-values]\n",
        "[policy.max]\n# memory = '1Gi'\n",
        "policy.mirror = {}",
        "\ufeffwerror = false\r\n",
    ],
)
def test_a_file_that_says_nothing_changes_nothing(tmp_path, text):
    rules, _, found = read(tmp_path, text)
    assert (rules, found) == (Rules("kade2kfp.toml"), [])


@pytest.mark.parametrize(
    ("text", "tells"),
    [
        ("werror = \n", "K011 1  | this is no TOML: invalid value"),
        ("a = 1\nb = [1, 2\n", "K011 2 2 | this is no TOML: unclosed array"),
        ("a = 1\na = 2\n", "K011 2  | this is no TOML: cannot overwrite a value"),
        ("select = ['K2'\n[policy]\n", "K011 2 [ | this is no TOML: unclosed array"),
        (b"a = '\xff'\n", "K011 1 \ufffd | the byte 0xff is not UTF-8"),
        (b"\xef\xbb\xbf# \xc3\xa9\n\xff", "K011 2 \ufffd | the byte 0xff is not UTF-8"),
        (b"\xff\xfea\0", "K011 -  | the file is UTF-16"),
        ("a = '\0'\n", "K011 1 \0 | this is no TOML: "),
        ("a = " + "[" * 5000, "K011 -  | more arrays and tables inside each other than can be read"),
        ("a = " + "9" * 5000, "K011 -  | this is no TOML: exceeds the limit"),
        ("a" + ".a" * 200_000 + " = 1\n", "K011 1 a | this key has more than 100 parts"),
        ("# " + "x" * MAX_BYTES, "K011 -  | the file has more than 1 MiB"),
        ("{}", "K011 1 { | this is no TOML: invalid statement"),
    ],
    ids=range(13),
)
def test_what_cannot_be_read(tmp_path, text, tells):
    (row,) = said(tmp_path, text)
    assert row.startswith(tells)
    assert read(tmp_path, text)[0] == Rules("kade2kfp.toml")


@pytest.mark.parametrize(
    ("text", "tells"),
    [
        ("wError = true", "K012 1 wError | there is no setting `wError`"),
        ("max_diagnostics = 1", "K012 1 max_diagnostics | there is no setting `max_diagnostics`"),
        ("[polici]\nlabels = []", "K012 1 polici | there is no setting `polici`"),
        ("[policy]\nregistry = []", "K012 2 registry | there is no setting `registry` in [policy]"),
        ("[policy.max.cpu]\n", "K013 1 policy.max.cpu | expected a quantity, found a table"),
        ("policy = []", "K013 1 [] | expected a table, found a list"),
        ("[[policy]]\n", "K013 1 policy | expected a table, found a list"),
        ("select = 'K2'", "K013 1 'K2' | expected a list of texts, found a text"),
        ("select = [2]", "K013 1 2 | expected a text, found a whole number"),
        ("select = ['K2', 'K999']", "K013 1 'K999' | `K999` is not a code"),
        ("ignore = [\n'K204']", "K013 2 'K204' | `K204` is an error, and errors are always shown"),
        ("ignore = ['']", "K013 1 '' | `` is not a code"),
        ("werror = 'yes'", "K013 1 'yes' | expected true or false, found a text"),
        ("werror = 2026-01-01", "K013 1 2026-01-01 | expected true or false, found a date or time"),
        ("max-diagnostics = true", "K013 1 true | expected a whole number, found true or false"),
        ("max-diagnostics = -1", "K013 1 -1 | expected a number from 0 to 2147483647"),
        ("max-diagnostics = 1.5", "K013 1 1.5 | expected a whole number, found a number"),
        ("policy.pinned = 'tags'", 'K013 1 \'tags\' | expected "tag" or "digest", found `tags`'),
        ("policy.pinned = ''", 'K013 1 \'\' | expected "tag" or "digest", found ``'),
        ("policy.pinned = []", 'K013 1 [] | expected "tag" or "digest", found a list'),
        ("policy.registries = ['https://x.y']", "K013 1 'https://x.y' | `https://x.y` is no registry"),
        ("select = []", "K013 1 [] | `select` is an empty list, which asks for nothing"),
        ("[policy]\nregistries = []", "K013 2 [] | `registries` is an empty list, which asks for nothing"),
        ("policy.labels = [ ]", "K013 1 [ ] | `labels` is an empty list"),
        ("policy.forbidden-types = []", "K013 1 [] | `forbidden-types` is an empty list"),
        ("policy.required-limits = [\n]", "K013 1  | `required-limits` is an empty list"),
        ("policy.registries = ['team']", "K013 1 'team' | `team` is no registry"),
        ("policy.labels = ['a b']", "K013 1 'a b' | `a b` is not the key of a label"),
        ("policy.label-values = 3", "K013 1 3 | expected a table, found a whole number"),
        ("policy.label-values.a = '('", "K013 1 '(' | this is not a regular expression: unclosed group"),
        ("policy.label-values.a = 'a)|(b'", "K013 1 'a)|(b' | this is not a regular expression: unopened group"),
        (
            "policy.label-values.a = '(?x) a # b'",
            "K013 1 '(?x) a # b' | this is not a regular expression: unclosed group",
        ),
        ("policy.label-values.a = '(?=b)'", "K013 1 '(?=b)' | this is not a regular expression: look-around"),
        ("policy.label-values.a = 4", "K013 1 4 | expected a regular expression, found a whole number"),
        ("policy.label-values.'a/b/c' = ''", "K013 1 policy.label-values.'a/b/c' | `a/b/c` is not the key of a label"),
        ("policy.forbidden-types = ['Notebook']", "K013 1 'Notebook' | `Notebook` is not a type of task"),
        ("policy.required-limits = ['gpu']", "K013 1 'gpu' | `gpu` is no resource"),
        ("policy.max.cpu = '1x'", "K013 1 '1x' | expected a quantity, found `1x`"),
        ("policy.max.cpu = -1", "K013 1 -1 | expected a quantity, found `-1`"),
        ("policy.max.cpu = true", "K013 1 true | expected a quantity, found true or false"),
        ("policy.max.cpu = inf", "K013 1 inf | expected a quantity, found a number"),
        ("policy.max.gpu = 1", "K013 1 policy.max.gpu | `gpu` is no resource"),
        ("policy.max.'*' = 1", "K013 1 policy.max.'*' | `*` is no resource"),
        ("policy.max.'nvidia.*' = 1", "K013 1 policy.max.'nvidia.*' | `nvidia.*` is no resource"),
        ("policy.max.'*/gpu' = 1", "K013 1 policy.max.'*/gpu' | `*/gpu` is no resource"),
        ("policy.max.'a b/*' = 1", "K013 1 policy.max.'a b/*' | `a b/*` is no resource"),
        ("policy.required-limits = ['nvidia.com/*']", "K013 1 'nvidia.com/*' | `nvidia.com/*` is no resource"),
        ("policy.mirror = ['x.y']", "K013 1 ['x.y'] | expected a table, found a list"),
        ("policy.mirror.'x.y' = 3", "K013 1 3 | expected a registry, found a whole number"),
        ("policy.mirror.docker = 'x.y'", "K013 1 policy.mirror.docker | `docker` is no registry"),
        ("policy.mirror.'x.y' = 'http://a.b'", "K013 1 'http://a.b' | `http://a.b` is no registry"),
        ("[policy.mirror]\n'x.y' = 'a.b'\n'X.y' = 'a.c'", "K013 3 'X.y' | `X.y` is mirrored twice"),
        (
            "[policy.mirror]\n'x.y' = 'a.b/c'\n'a.b' = 'd.e'",
            "K013 2 'a.b/c' | `a.b/c` would be mirrored again, by `a.b`",
        ),
        ("select = [" + "'K2'," * 1001 + "]", "K013 1 ['K2','K2'"),
    ],
)
def test_what_does_not_fit(tmp_path, text, tells):
    (row,) = said(tmp_path, text)
    assert row.startswith(tells)
    rules, _, _ = read(tmp_path, text)
    assert rules == Rules("kade2kfp.toml") or "mirror" in text or "'K2'" in text  # what is wrong is left out
    assert all(one.help for one in read(tmp_path, text)[2])


def test_all_mistakes_are_told_in_order_of_position(tmp_path):
    text = WHOLE.replace("werror", "wError").replace('"digest"', '"sha"').replace('"64Gi"', '"64Gb"')
    assert [row[:7] for row in said(tmp_path, text)] == ["K012 3 ", "K013 8 ", "K013 18"]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path.name), lambda path: None])
def test_what_is_no_file(tmp_path, make):
    make(tmp_path / "kade2kfp.toml")
    _, _, (one,) = read_rules(tmp_path / "kade2kfp.toml")
    assert one.code == "K011"
    assert one.message.startswith("the file of settings cannot be read: ")


def test_a_device_is_not_opened(tmp_path):
    (tmp_path / "kade2kfp.toml").symlink_to("/dev/zero")
    assert [one.code for one in read_rules(tmp_path / "kade2kfp.toml")[2]] == ["K011"]


HOSTILE = ["\x1b[2J", "%0A::error::x", "<script>", "](http://x)", "-->", "\u202e", "a\nb", "데이터" * 40, "x" * 5000]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_harm_no_terminal(tmp_path, text):
    quoted = '"' + "".join(f"\\U{ord(char):08x}" for char in text) + '"'
    lines = f"""{quoted} = 1\nselect = [{quoted}]\n[policy]\nregistries = [{quoted}]\npinned = {quoted}\n
        labels = [{quoted}]\nforbidden-types = [{quoted}]\nrequired-limits = [{quoted}]\nmirror.{quoted} = {quoted}\n
        max.cpu = {quoted}\nmax.{quoted} = 1\nlabel-values.{quoted} = {quoted}\n"""
    _, source, found = read(tmp_path, lines)
    assert len(found) >= 10
    for shown in render(found, source.line):
        assert not set(shown) & {"\x1b", "\u202e"}
        assert len(shown) < 1500


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet="[]{}=.,\"'\n selctpoymax0K2#", max_size=60))
def test_no_content_makes_it_fail(tmp_path, content):
    for name in ("kade2kfp.toml", "pyproject.toml"):
        for one in read(tmp_path, content, name)[2]:
            assert one.code in ("K011", "K012", "K013")
