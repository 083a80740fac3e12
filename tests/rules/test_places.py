import tomllib

from hypothesis import given, settings
from hypothesis import strategies as st

from kade2kfp.rules.places import places

TEXT = """\
# policy.registries = ["not", "here"]
select = ["K2", # a comment ]
  'K4',
]
"quoted \\u006bey" = '''multi
line = "x"''' # end
a.b . c = {x = 1, "y z" = [ {d = 1}, {d = "]"} ]}
text = \"\"\"say \\"\"\" [no.table]
\"\"\"\"

[policy]
"max".cpu = 16
[ policy . mirror ]
"docker.io" = "m"
[[many]]
n = 1
[[many]]
n = 2979
[many.inner]
deep = true
"""


def test_each_key_and_value_is_found_where_it_stands():
    tomllib.loads(TEXT)
    found = places(TEXT)

    def key(*at):
        return TEXT[slice(*found[at].key)]

    def value(*at):
        return TEXT[slice(*found[at].value)]

    assert value("select", 0) == '"K2"'
    assert value("select", 1) == "'K4'"
    assert value("select").startswith('["K2"')
    assert value("select").endswith("]")
    assert key("quoted key") == '"quoted \\u006bey"'
    assert value("quoted key") == "'''multi\nline = \"x\"'''"
    assert key("a", "b", "c") == "a.b . c"
    assert value("a", "b", "c", "y z", 1, "d") == '"]"'
    assert value("text").endswith('""""')
    assert key("policy", "max", "cpu") == '"max".cpu'
    assert value("policy", "max", "cpu") == "16"
    assert key("policy", "mirror") == "policy . mirror"
    assert value("policy", "mirror", "docker.io") == '"m"'
    assert value("many", 1, "n") == "2979"
    assert value("many", 1, "inner", "deep") == "true"


KEYS = st.one_of(st.from_regex(r"[A-Za-z0-9_-]{1,8}", fullmatch=True), st.text(max_size=6))
SCALARS = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(max_size=12))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)


def quoted(text):
    return (
        '"' + "".join(f"\\U{ord(char):08x}" if char in '"\\' or not char.isprintable() else char for char in text) + '"'
    )


def written(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + " ]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{quoted(key)} = {written(one)}" for key, one in value.items()) + "}"
    return str(value)


def everything(value, at=()):
    if at:
        yield at, value
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from everything(one, (*at, key))


@settings(deadline=None)
@given(st.dictionaries(KEYS, st.one_of(VALUES, st.dictionaries(KEYS, VALUES, min_size=1, max_size=3)), max_size=4))
def test_whatever_tomllib_reads_is_found(table):
    plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
    text = "".join(f"{quoted(key)} = {written(value)} # = [x]\n" for key, value in plain.items())
    for key, value in table.items():
        if isinstance(value, dict):
            text += f"\n[ {quoted(key)} ]\n" + "".join(
                f"{quoted(name)}= {written(one)}\n" for name, one in value.items()
            )
    assert tomllib.loads(text) == table
    found = places(text)
    for at, value in everything(table):
        assert at in found, text
        if not (isinstance(value, dict) and len(at) == 1):
            assert tomllib.loads("x = " + text[slice(*found[at].value)])["x"] == value


@settings(deadline=None)
@given(st.text(alphabet="[]{}=.,\"'#\\\n ab1", max_size=40))
def test_no_text_makes_it_fail(text):
    places(text)
