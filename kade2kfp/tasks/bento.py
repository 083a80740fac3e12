"""What a Bento is made of: its files and its packages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from kade2kfp.resources import read_text

BENTOML = "bentoml==1.4.39"
BENTOFILE = "bentofile.yaml"
SERVICE = "service.py"
_BUILDER = "uv"  # bentoml calls it
# BentoML's own fields of `python` that hold URLs (bentoml/_internal/bento/build_config.py, PythonOptions).
_URLS = ("index_url", "extra_index_url", "find_links")
_NAME = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(\[[^\]]*\])?\s*(.*)", re.DOTALL)


class BentofileError(ValueError):
    """A bentofile that BentoML would not read; the text says why."""


@dataclass(frozen=True, slots=True)
class Bentofile:
    """What a bentofile says: `service` is `MODULE:NAME` or `MODULE`, `requirements` the name of a file with packages."""

    service: str
    packages: tuple[str, ...] = ()
    requirements: str = ""
    urls: tuple[str, ...] = ()


def read_bentofile(content: bytes) -> Bentofile:
    """A bentofile. Raises BentofileError."""
    import yaml  # only documents with an endpoint pay for it

    try:
        value = yaml.safe_load(content.decode("utf-8"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise BentofileError(f"it is no YAML: {error.problem}" + (f", line {mark.line + 1}" if mark else "")) from None
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, OverflowError):
        raise BentofileError("it is no YAML") from None
    if not isinstance(value, dict):
        raise BentofileError("it is empty" if value is None else "it is no mapping of names to values")
    service = value.get("service")
    if not isinstance(service, str) or not service.strip():
        raise BentofileError("it names no `service`")
    python = value.get("python")
    python = python if isinstance(python, dict) else {}
    requirements = python.get("requirements_txt")
    return Bentofile(
        service.strip(),
        tuple(text.strip() for text in _texts(python.get("packages")) if text.strip()),
        requirements.removeprefix("./") if isinstance(requirements, str) else "",
        tuple(text for name in _URLS for text in _texts(python.get(name))),
    )


def _texts(value: object) -> list[str]:
    """One text or a list of them, as BentoML takes either."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def files_of(framework: str, given: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """The files of a Bento by name: those that are given, and the framework's for what is missing.

    A bentofile that is made for a service.py that is given names no class of it: BentoML takes the one that there is.
    """
    if BENTOFILE in given:
        given = {**given, BENTOFILE: _unlocked(given[BENTOFILE])}
    if framework == "custom":
        return dict(given)
    made = dict(_starter(framework))
    if SERVICE in given:
        bentofile = made[BENTOFILE].decode().replace("service: service:Predictor", "service: service")
        made[BENTOFILE] = bentofile.encode()
    elif BENTOFILE in given and module_of(given[BENTOFILE]) not in ("service", ""):
        del made[SERVICE]
    return {**made, **given}


def _unlocked(bentofile: bytes) -> bytes:
    """The bentofile, which asks for no lock of versions unless it says so: the endpoint's environment has settled them.

    BentoML asks the package index anew for a lock, by a tool that has none of pip's settings.
    """
    import yaml

    try:
        found = yaml.safe_load(bentofile)
    except (yaml.YAMLError, ValueError):
        return bentofile
    python = (found.get("python") or {}) if isinstance(found, dict) else None
    if not isinstance(python, dict) or "lock_packages" in python:
        return bentofile
    whole = {**found, "python": {**python, "lock_packages": False}}
    return yaml.safe_dump(whole, sort_keys=False, allow_unicode=True).encode()


@cache
def _starter(framework: str) -> tuple[tuple[str, bytes], ...]:
    folder = "templates/serving"
    names = {name: f"{folder}/{framework}/{name}" for name in (SERVICE, BENTOFILE)} | {
        "starter.py": f"{folder}/starter.py"
    }
    return tuple((name, read_text(path).encode()) for name, path in names.items())


def module_of(bentofile: bytes) -> str:
    """The module that a bentofile names, with dots; empty where it names none."""
    try:
        name = read_bentofile(bentofile).service.partition(":")[0]
    except BentofileError:
        return ""
    return name.removesuffix(".py").removeprefix("./").replace("/", ".") if name.endswith(".py") else name


def requirements_of(files: Mapping[str, bytes], own: Sequence[str]) -> tuple[str, ...]:
    """The packages of a Bento as PEP 508 has them: BentoML, what its bentofile asks for, and `own`.

    A later one that says a version or a URL takes the place of the earlier ones of its name.
    """
    found: tuple[str, ...] = (BENTOML, _BUILDER)
    for layer in (asked_for(files), tuple(own)):
        settled = {name for name, versioned in map(_parts, layer) if versioned}
        found = (*(one for one in found if _parts(one)[0] not in settled), *layer)
    return tuple(dict.fromkeys(found))


def own_of(files: Mapping[str, bytes], requirements: Sequence[str]) -> tuple[str, ...]:
    """Of what `requirements_of` gave those that the files do not ask for."""
    asked = requirements_of(files, ())
    return tuple(one for one in requirements if one not in asked)


def with_own(text: str, own: Sequence[str]) -> str:
    """The text of a requirements file with `own` packages in it, in the place of those of their names."""
    settled = {name for name, versioned in map(_parts, own) if versioned}
    lines = [line for line in text.splitlines() if line.startswith("-") or _parts(line)[0] not in settled]
    return "".join(f"{line}\n" for line in (*lines, *own))


def asked_for(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """The packages that a bentofile asks for, itself and in the file that it names; nothing where it cannot be read."""
    try:
        bentofile = read_bentofile(files.get(BENTOFILE, b""))
    except BentofileError:
        return ()
    lines = files.get(bentofile.requirements, b"") if bentofile.requirements else b""
    return (*bentofile.packages, *_lines(lines.decode("utf-8", "replace")))


def _lines(text: str) -> Iterator[str]:
    """The packages of a requirements file; options of pip, which it may hold too, are left out."""
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        package = re.sub(r"(^|\s+)#.*", "", line)
        package = re.sub(r"\s+--?[a-z].*", "", package).strip()
        if package and not package.startswith("-"):
            yield package


def _parts(requirement: str) -> tuple[str, bool]:
    """The package's name in one spelling, and whether a version or a URL is said."""
    match = _NAME.match(requirement.strip())
    if match is None:
        return requirement, True
    return re.sub(r"[-_.]+", "-", match[1]).lower(), not (not match[3] or match[3].startswith(";"))


def parse(source: bytes) -> ast.Module:
    """The tree of a Python file. Raises SyntaxError, which says the line, if this Python cannot read it."""
    try:
        return ast.parse(source)
    except (ValueError, RecursionError, MemoryError) as error:  # a NUL, or brackets without end
        raise SyntaxError(str(error) or "too deep") from None


def names_in(tree: ast.Module) -> frozenset[str] | None:
    """The names that a module defines; None where its text does not tell."""
    names: set[str] = set()
    for node in _at_the_top(tree.body):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.Import(names=found) | ast.ImportFrom(names=found):
                names.update((one.asname or one.name).partition(".")[0] for one in found)
            case _:
                names.update(
                    one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
                )
    calls = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    unclear = {"*", "__getattr__"} & names or {"globals", "exec", "vars", "setattr"} & calls
    return None if unclear else frozenset(names)


def _at_the_top(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """The statements of a module, also those within `if`, `try`, `with` and loops."""
    for node in body:
        yield node
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            for name in ("body", "orelse", "finalbody"):
                yield from _at_the_top(getattr(node, name, ()))
            for one in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
                yield from _at_the_top(one.body)


def services_in(tree: ast.Module) -> tuple[str, ...]:
    """The classes of a module that are services (`@bentoml.service`), without those that another one depends on."""
    classes = [node for node in _at_the_top(tree.body) if isinstance(node, ast.ClassDef)]
    found = [node.name for node in classes if any(_is_called(one, "service") for one in node.decorator_list)]
    needed = {
        argument.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _is_called(node, "depends")
        for argument in (*node.args, *(one.value for one in node.keywords))
        if isinstance(argument, ast.Name)
    }
    return tuple(name for name in found if name not in needed)


def _is_called(node: ast.expr, name: str) -> bool:
    if isinstance(node, ast.Call):
        node = node.func
    return (isinstance(node, ast.Attribute) and node.attr == name) or (isinstance(node, ast.Name) and node.id == name)
