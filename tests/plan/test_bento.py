"""tasks/bento.py: the files and packages of a Bento, and what is read of a bentofile and of service.py."""

from __future__ import annotations

import ast

import pytest
import yaml

from kade2kfp.tasks.bento import (
    BentofileError,
    files_of,
    names_in,
    own_of,
    parse,
    read_bentofile,
    requirements_of,
    services_in,
    with_own,
)

FRAMEWORKS = ("sklearn", "pytorch", "tensorflow", "keras", "xgboost", "lightgbm", "onnx")
SERVICE = b"import bentoml\n\n@bentoml.service\nclass Iris:\n    pass\n"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_starter_is_whole(framework: str) -> None:
    files = files_of(framework, {})
    assert set(files) == {"service.py", "bentofile.yaml", "starter.py"}
    bentofile = read_bentofile(files["bentofile.yaml"])
    assert bentofile.service == "service:Predictor"
    assert bentofile.packages
    assert b"lock_packages: false" in files["bentofile.yaml"]
    tree = ast.parse(files["service.py"], feature_version=(3, 9))
    assert services_in(tree) == ("Predictor",)
    # pack.py and serve.sh are for Pythons that older annotations suit.
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)]


def test_given_files_take_the_place_of_the_starters() -> None:
    own = b"service: service:Predictor\npython: {lock_packages: true}\n"
    files = files_of("sklearn", {"bentofile.yaml": own, "words.txt": b"a"})
    assert files["bentofile.yaml"] == own
    assert set(files) == {"service.py", "bentofile.yaml", "starter.py", "words.txt"}


def test_own_service_gets_a_bentofile_with_the_packages_of_the_framework() -> None:
    files = files_of("sklearn", {"service.py": SERVICE})
    bentofile = read_bentofile(files["bentofile.yaml"])
    assert (bentofile.service, bentofile.packages) == ("service", ("scikit-learn>=1.3",))
    assert files["service.py"] == SERVICE


@pytest.mark.parametrize("named", ["app:Iris", "src/app.py:Iris", "app"])
def test_own_bentofile_of_another_module_needs_no_service_of_the_starters(named: str) -> None:
    assert "service.py" not in files_of(
        "sklearn", {"bentofile.yaml": f"service: {named}\n".encode(), "app.py": SERVICE}
    )


def test_custom_has_what_is_given_alone() -> None:
    assert files_of("custom", {"service.py": SERVICE}) == {"service.py": SERVICE}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"- a\n", "it is no mapping of names to values"),
        (b"service: 5\n", "it names no `service`"),
        (b"name: iris\n", "it names no `service`"),
        (b"service: 'a\n", "it is no YAML: found unexpected end of stream, line 2"),
        (b"\xff\xfe", "it is no YAML"),
        (b"a: \x00\n", "it is no YAML"),
        (b"when: 2026-99-99\n", "it is no YAML"),
        (b"[" * 60_000, "it is no YAML"),
        (b"? [a]\n: b\n", "it is no YAML: found unhashable key, line 1"),
        (
            b"a: !!python/object/apply:os.system [true]\n",
            "it is no YAML: could not determine a constructor for the tag ",
        ),
        (b"n: " + b"9" * 5000 + b"\n", "it is no YAML"),
    ],
)
def test_bentofile_that_cannot_be_used(content: bytes, said: str) -> None:
    with pytest.raises(BentofileError) as raised:
        read_bentofile(content)
    assert str(raised.value).startswith(said)
    # Who only asks for packages has them reported elsewhere.
    assert requirements_of({"bentofile.yaml": content}, ()) == ("bentoml==1.4.39", "uv")


def test_packages_of_the_bentofile_and_of_the_file_that_it_names() -> None:
    files = {
        "bentofile.yaml": b"service: a:B\npython:\n  packages: [numpy<3, ' ']\n  requirements_txt: ./more.txt\n",
        "more.txt": b"# trained with\n--index-url https://example.org\n-r other.txt\n\n"
        b"pandas==2.2 \\\n  --hash=sha256:0123\nscikit-learn  # the newest\nmine @ https://example.org/mine.whl#sha256=ab\n",
    }
    assert requirements_of(files, ()) == (
        "bentoml==1.4.39",
        "uv",
        "numpy<3",
        "pandas==2.2",
        "scikit-learn",
        "mine @ https://example.org/mine.whl#sha256=ab",
    )


def test_later_packages_take_the_place_of_earlier_ones_of_their_name() -> None:
    files = {"bentofile.yaml": b"service: a:B\npython:\n  packages: [scikit_learn>=1.3, bentoml, 'numpy<2', Pandas]\n"}
    found = requirements_of(files, ("Scikit.Learn==1.7.2", "pandas", "numpy[x]; python_version < '3.12'"))
    assert found == (
        "bentoml==1.4.39",  # a bare name pins nothing, and so replaces nothing
        "uv",
        "bentoml",
        "numpy<2",
        "Pandas",
        "Scikit.Learn==1.7.2",
        "pandas",
        "numpy[x]; python_version < '3.12'",
    )
    assert requirements_of({}, ("bentoml==1.4.38",)) == ("uv", "bentoml==1.4.38")


def test_packages_of_an_image_have_the_tasks_own() -> None:
    files = files_of("sklearn", {})
    own = own_of(files, requirements_of(files, ("scikit-learn==1.7.2", "pandas")))
    assert own == ("scikit-learn==1.7.2", "pandas")
    text = "--index-url https://example.org\n# made\nbentoml==1.4.39\nScikit_Learn>=1.3\nnumpy\n"
    assert with_own(text, own) == (
        "--index-url https://example.org\n# made\nbentoml==1.4.39\nnumpy\nscikit-learn==1.7.2\npandas\n"
    )


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import bentoml.io as io, numpy.linalg\nfrom a import b as c\n", {"io", "numpy", "c"}),
        ("if x:\n    class A: pass\nelse:\n    B = 1\n", {"A", "B"}),
        ("try:\n    import a\nexcept ImportError as e:\n    a = None\nfinally:\n    f = 1\n", {"a", "f"}),
        ("with bentoml.importing():\n    import torch\n", {"torch"}),
        ("match x:\n    case 1:\n        y = 2\n", {"y"}),
        ("def f():\n    inner = 1\nclass C:\n    field = 1\n", {"f", "C"}),
        ("a, (b, *c) = d\ne: int = 1\n(g := 1)\nfor h in i: j = 1\n", {"a", "b", "c", "e", "g", "h", "j"}),
        ("from a import *\n", None),
        ("globals()['X'] = 1\n", None),
        ("def __getattr__(name): ...\n", None),
    ],
)
def test_names_of_a_module(source: str, names: set[str] | None) -> None:
    assert names_in(parse(source.encode())) == names


@pytest.mark.parametrize(
    ("source", "services"),
    [
        ("@bentoml.service\nclass A: ...\n", ("A",)),
        ("from bentoml import service\n@service(workers=2)\nclass A: ...\n", ("A",)),
        ("@bentoml.service\nclass A: ...\n@bentoml.service\nclass B:\n    a = bentoml.depends(A)\n", ("B",)),
        ("@bentoml.service\nclass A: ...\n@bentoml.service\nclass B: ...\n", ("A", "B")),
        ("@dataclass\nclass A: ...\n", ()),
    ],
)
def test_services_of_a_module(source: str, services: tuple[str, ...]) -> None:
    assert services_in(parse(source.encode())) == services


@pytest.mark.parametrize("source", [b"def (", b"a\x00b", b"(" * 50_000, b"\xff", b"# coding: nonsense\n"])
def test_what_is_no_python(source: bytes) -> None:
    with pytest.raises(SyntaxError):
        parse(source)


def test_versions_are_locked_only_where_that_is_asked_for() -> None:
    own = "service: service:Früh\nlabels: {a: b}\npython:\n  packages: [numpy]\n".encode()
    found = yaml.safe_load(files_of("custom", {"bentofile.yaml": own})["bentofile.yaml"])
    assert found.pop("python") == {"packages": ["numpy"], "lock_packages": False}
    assert found == {"service": "service:Früh", "labels": {"a": "b"}}
    broken = b"service: [\n"
    assert files_of("custom", {"bentofile.yaml": broken})["bentofile.yaml"] == broken
