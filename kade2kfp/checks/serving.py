"""Endpoints have what they are built of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from kade2kfp.checks.packages import requirement_problem
from kade2kfp.diagnostics.model import Diagnostic, Pointer
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.plan.analysis import Analysis
from kade2kfp.tasks.bento import (
    BENTOFILE,
    SERVICE,
    Bentofile,
    BentofileError,
    asked_for,
    files_of,
    names_in,
    parse,
    read_bentofile,
    services_in,
)
from kade2kfp.tasks.serving import Serving, ServingFile


def serving(analysis: Analysis) -> Iterator[Diagnostic]:
    """K105: negative replicas. K230: a custom endpoint without its files, no model, or contradicting numbers of replicas.

    K214, K231, K232, K233: what is wrong with the files.
    """
    for task in analysis.document.tasks:
        if not isinstance(task, Serving):
            continue
        yield from _model(analysis, task)
        names = {file.path for file in task.files or ()}
        if task.framework == "custom" and not analysis.document.is_torn(task.place("files"), task.place("framework")):
            for name in (SERVICE, BENTOFILE):
                if name not in names:
                    yield Diagnostic(
                        "K230",
                        f"the framework custom needs a file {name}",
                        task.place("framework"),
                        f"add it to `files`, or name the framework the model was made with: then {name} is made for you",
                    )
        scale = task.autoscale
        if scale is not None and scale.min_replicas is not None and scale.min_replicas > scale.max_replicas:
            yield Diagnostic(
                "K230",
                f"the fewest replicas, {scale.min_replicas}, are more than the most, {scale.max_replicas}",
                scale.place("min_replicas"),
                "swap them",
            )
        if scale is not None and task.replicas is not None:
            yield Diagnostic("K230", "there are `replicas` and `autoscale`", task.place("replicas"), "keep one of them")
        if isinstance(task.replicas, int) and task.replicas < 0:
            yield Diagnostic(
                "K105",
                f"{task.replicas} is out of range: `replicas` must be at least 0",
                task.place("replicas"),
            )
        if task.files and not analysis.document.is_torn(task.place("files")):
            yield from _files(analysis, task)


def _model(analysis: Analysis, task: Serving) -> Iterator[Diagnostic]:
    document = analysis.document
    coming = [arrow for arrow in document.arrows if arrow.to_task == task.id]
    unclear = document.is_torn(task.place("id"), task.place("framework")) or not document.arrows_are_whole
    if task.framework != "custom" and not unclear and not any(arrow.from_path or arrow.to_path for arrow in coming):
        help_ = "draw one with paths from the task that makes it"
        yield Diagnostic("K230", f"no arrow brings a model to `{task.id}`", task.at, help_)


def _files(analysis: Analysis, task: Serving) -> Iterator[Diagnostic]:
    files = {file.path: file for file in task.files or ()}
    contents = {path: analysis.contents[file.at] for path, file in files.items() if _is_known(analysis, file)}
    for name in (SERVICE, "pack.py"):
        if name in contents:
            yield from _syntax(name, contents[name], _place(files[name]))
    # Who does not know all of the files, or has some made by pack.py, cannot say that one is missing.
    all_of_them = set(files) == set(contents)
    if BENTOFILE in contents:
        at = _place(files[BENTOFILE])
        try:
            bentofile = read_bentofile(contents[BENTOFILE])
        except BentofileError as error:
            help_ = 'write YAML such as "service: service:Predictor", the module and the class that is the service'
            yield Diagnostic("K231", f"{BENTOFILE} cannot be used: {error}", at, help_)
            return
        yield from _packages(bentofile, contents, files, at)
        if all_of_them and "pack.py" not in files and (task.framework != "custom" or SERVICE in files):
            yield from _service(bentofile.service, files_of(task.framework, contents), at)
    elif SERVICE in contents and BENTOFILE not in files and task.framework != "custom":
        yield from _one_service(contents[SERVICE], _place(files[SERVICE]))


def _is_known(analysis: Analysis, file: ServingFile) -> bool:
    """Whether the content is the file's own; what could not be read, or is not to be, is empty (plan/files.py)."""
    if analysis.document.is_torn(file.place("path")) or file.at not in analysis.contents:
        return False
    return bool(analysis.contents[file.at]) or (file.content is not None and not file.content.strip())


def _place(file: ServingFile) -> Pointer:
    return file.place("source" if file.content is None else "content")


def _syntax(name: str, content: bytes, at: Pointer) -> Iterator[Diagnostic]:
    try:
        parse(content)
    except SyntaxError as error:
        help_ = "BentoML may read it with another Python; where it is wrong there too, the endpoint cannot be packed"
        line = f", line {error.lineno}" if error.lineno else ""
        yield Diagnostic("K233", f"{name} is not Python as this Python reads it: {error.msg}{line}", at, help_)


def _packages(
    bentofile: Bentofile, contents: Mapping[str, bytes], files: Mapping[str, ServingFile], at: Pointer
) -> Iterator[Diagnostic]:
    listed = asked_for(contents)
    for number, package in enumerate(listed):
        if problem := requirement_problem(package):
            inside = number < len(bentofile.packages)
            place = at if inside else _place(files[bentofile.requirements])
            yield Diagnostic(
                "K214", f"{BENTOFILE if inside else bentofile.requirements}: {problem[0]}", place, problem[1]
            )
    for url in bentofile.urls:
        if re.search(r"//[^/\s]*@", url):
            help_ = "leave it out, and set PIP_INDEX_URL from a secret"
            yield Diagnostic("K214", f"{BENTOFILE}: the URL of an index holds credentials", at, help_)


def _service(service: str, files: Mapping[str, bytes], at: Pointer) -> Iterator[Diagnostic]:
    module, _, wanted = service.partition(":")
    path = _path(module, files)
    if path is None:
        known = {name.removesuffix(".py").replace("/", ".") for name in files if name.endswith(".py")}
        yield Diagnostic(
            "K232",
            f"{BENTOFILE} names the module `{module}`, which is not among the files",
            at,
            did_you_mean(module.removesuffix(".py"), known, noun="modules"),
        )
        return
    try:
        tree = parse(files[path])
    except SyntaxError:
        return
    names = names_in(tree)
    name = wanted.partition(".")[0]
    if name and names is not None and name not in names:
        help_ = did_you_mean(name, services_in(tree), noun="services") or "name a class with @bentoml.service"
        yield Diagnostic("K232", f"{BENTOFILE} names the service `{name}`, which {path} does not define", at, help_)


def _path(module: str, files: Mapping[str, bytes]) -> str | None:
    """The file of a module, which BentoML takes by its dotted name or by its file's."""
    if module.endswith(".py"):
        path = str(PurePosixPath(module))
        return path if path in files else None
    base = module.replace(".", "/")
    return next((path for path in (f"{base}.py", f"{base}/__init__.py") if path in files), None)


def _one_service(content: bytes, at: Pointer) -> Iterator[Diagnostic]:
    """There is no bentofile, so there has to be one service for it to name."""
    try:
        tree = parse(content)
    except SyntaxError:
        return
    if names_in(tree) is None:
        return
    found = services_in(tree)
    if not found:
        help_ = "mark one with @bentoml.service; or add a bentofile.yaml that names what it is"
        yield Diagnostic("K232", f"{SERVICE} has no class that is a service", at, help_)
    elif len(found) > 1:
        listed = ", ".join(f"`{name}`" for name in found)
        help_ = f'add a bentofile.yaml with "service: service:{found[-1]}"'
        yield Diagnostic("K232", f"{SERVICE} has several services, {listed}, and nothing says which", at, help_)
