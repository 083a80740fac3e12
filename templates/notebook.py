"""Executes a notebook. Arguments: SOURCE TARGET, then NAME KIND VALUE for each parameter.

KIND is `text`, or `json` for any other value. What the cells print goes to stdout and stderr while they run; the executed
notebook goes to TARGET, also when a cell fails. By papermill where the image has it, else by nbconvert.
Exit codes: 0; 1 a cell failed; 64 it cannot be executed at all; 143 stopped.
Argo and Kubernetes substitute in this text: no doubled brace, no doubled dollar, no dollar before a bracket.
"""

from __future__ import annotations

import sys

# `-c` puts the folder that we start in first, and its files are the user's: one called json.py is not the module. So it
# goes to the end here, and altogether in main().
sys.path.append("")
sys.path.remove("")

import json
import keyword
import math
import os
import re
import signal
import time
import warnings
from contextlib import suppress
from os.path import basename, dirname, exists
from typing import Any, NoReturn

STARTUP = 600  # seconds that a kernel may take to start, on a node that is busy pulling images
SILENCE = 60  # seconds that the output of a cell may come after its end
GRACE = 0.5  # seconds that the kernel has to end by itself: KFP's stop leaves 0.75
BOTH = "the image has neither papermill nor nbconvert: take one that has, or add papermill and ipykernel to packagesToInstall"


class Watched:
    """What has been seen of the execution: whether a cell has begun, the number of the last, the error that came last."""

    begun = False
    number = 0
    error: Any = None


def one_line(text: object) -> str:
    """A text as it goes into a message: one line of limited length that moves no cursor."""
    return "".join(char if char.isprintable() else " " for char in str(text))[:300].strip()


def fail(code: int, text: str) -> NoReturn:
    """Say what is wrong, and end."""
    put(sys.stderr, f"kade2kfp: {text}\n")
    sys.exit(code)


def put(stream: Any, text: str) -> None:
    """Write at once, in UTF-8 whatever the image's locale is."""
    stream.buffer.write(text.encode("utf-8", "backslashreplace"))
    stream.flush()


def finite(text: str) -> float:
    """A number as notebooks can hold it; infinity and not-a-number are no JSON."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def parameters(words: list[str]) -> dict[str, Any]:
    """The values by name, each with its type."""
    values = {}
    for at in range(0, len(words), 3):
        name, kind, text = words[at : at + 3]
        try:
            values[name] = text if kind == "text" else json.loads(text, parse_float=finite, parse_constant=finite)
        except ValueError:
            fail(64, f"the parameter {one_line(name)} is not JSON: {one_line(text)}")
    return values


def read(nbformat: Any, source: str) -> Any:
    """The notebook, in the newest format."""
    name = one_line(basename(source))
    try:
        with open(source, encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        fail(64, f"there is no notebook {one_line(source)}")
    except OSError as error:
        fail(64, f"cannot read the notebook {one_line(source)}: {error.strerror}")
    except UnicodeDecodeError:
        fail(64, f"{name} is not a notebook: it is no text")
    try:
        book = nbformat.reads(text, as_version=4)
        if not all(isinstance(cell.source, str) and cell.cell_type for cell in book.cells):
            raise TypeError("a cell without its text")
    except Exception as error:
        fail(64, f"{name} is not a notebook: {one_line(error) or type(error).__name__}")
    return book


def kernel_of(book: Any, name: str) -> tuple[str, str]:
    """The kernel that the notebook is executed by, and its language."""
    from jupyter_client.kernelspec import KernelSpecManager

    found = KernelSpecManager()
    named = book.metadata.get("kernelspec", {}).get("name") or "python3"
    try:
        spec = found.get_kernel_spec(named)
    except Exception:
        there = ", ".join(sorted(found.find_kernel_specs())) or "none; add ipykernel to packagesToInstall"
        fail(64, f"{name} is for the kernel {one_line(named)}, which the image does not have. It has: {there}")
    return named, str(spec.language or "python").lower()


def is_python_name(name: str) -> bool:
    """Whether a variable can be called so."""
    return name.isidentifier() and not keyword.iskeyword(name)


def inject(nbformat: Any, book: Any, values: dict[str, Any]) -> None:
    """Set the values where papermill does: instead of those of an earlier execution, after the cell `parameters`, or first."""
    lines = ["# Parameters"] + [f"{name} = {value!r}" for name, value in values.items()]
    cell = nbformat.v4.new_code_cell("\n".join(lines), metadata={"tags": ["injected-parameters"]})
    if book.get("nbformat_minor", 0) < 5:
        cell.pop("id", None)
    tags = [one.metadata.get("tags", []) for one in book.cells]
    earlier = [place for place, names in enumerate(tags) if "injected-parameters" in names]
    defaults = [place for place, names in enumerate(tags) if "parameters" in names]
    if earlier:
        book.cells[earlier[0]] = cell
    else:
        book.cells.insert(defaults[0] + 1 if defaults else 0, cell)


def show(output: Any) -> None:
    """Write to the log what a cell has put out."""
    if output.output_type == "stream":
        put(sys.stderr if output.name == "stderr" else sys.stdout, output.text)
    elif output.output_type == "error":
        Watched.error = output
        # The colours are for terminals.
        put(sys.stderr, re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output.traceback)) + "\n")
    elif "text/plain" in output.get("data", {}):
        put(sys.stdout, output.data["text/plain"] + "\n")


def watch(client: Any) -> None:
    """Have the class that executes show each output when it comes; neither tool shows results and errors then."""
    process, execute_cell = client.process_message, client.execute_cell

    def execute_watched(self: Any, cell: Any, *more: Any, **named: Any) -> Any:
        Watched.begun = True
        # As the kernel will count, which says so only if it lives for long enough.
        Watched.number += cell.cell_type == "code" and bool(cell.source.strip())
        return execute_cell(self, cell, *more, **named)

    def process_message(self: Any, *more: Any) -> Any:
        output = process(self, *more)
        if output:
            show(output)
        return output

    client.process_message, client.execute_cell = process_message, execute_watched


def by_papermill(source: str, target: str, values: dict[str, Any], kernel: str, language: str) -> None:
    """Execute by papermill, which writes the target after each cell."""
    from papermill import execute_notebook
    from papermill.clientwrap import PapermillNotebookClient

    watch(PapermillNotebookClient)
    # It takes paths for templates of str.format.
    source, target = (path.replace("{", "{" * 2).replace("}", "}" * 2) for path in (source, target))
    more = {"kernel_name": kernel, "language": language, "iopub_timeout": SILENCE, "start_timeout": STARTUP}
    execute_notebook(source, target, values, progress_bar=False, **more)


def by_nbconvert(book: Any, target: str, values: dict[str, Any], kernel: str, nbformat: Any) -> None:
    """Execute by nbconvert."""
    from nbconvert.preprocessors import ExecutePreprocessor

    watch(ExecutePreprocessor)
    if values:
        inject(nbformat, book, values)
    limits = {"timeout": None, "startup_timeout": STARTUP, "iopub_timeout": SILENCE}
    try:
        ExecutePreprocessor(kernel_name=kernel, **limits).preprocess(book, {"metadata": {"path": os.getcwd()}})
    finally:
        nbformat.write(book, target)


def has(module: str) -> bool:
    """Whether the image has a module that works."""
    try:
        __import__(module)
    except ImportError:
        return False
    return True


def execute(source: str, target: str, words: list[str]) -> None:
    """Execute the notebook in its own folder."""
    try:
        import nbformat
    except ImportError:  # both have it
        fail(64, BOTH)
    values, book, name = parameters(words), read(nbformat, source), one_line(basename(source))
    kernel, language = kernel_of(book, name)
    papermill = has("papermill.clientwrap")
    if not papermill and not has("nbconvert.preprocessors"):
        fail(64, BOTH)
    if language == "python":
        for one in values:
            if not is_python_name(one):
                fail(64, f"no variable of a notebook can be called as the parameter {one_line(one)} is")
    elif values and not papermill:
        fail(64, f"only papermill, which the image has not, can give parameters to a notebook in {one_line(language)}")
    os.chdir(dirname(source))
    # Else each kernel of Python 3.11 and later complains about it in the log.
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    try:
        if papermill:
            by_papermill(source, target, values, kernel, language)
        else:
            by_nbconvert(book, target, values, kernel, nbformat)
    except Exception as error:
        ended(error, name, kernel)


def ended(error: Exception, name: str, kernel: str) -> None:
    """Say how the execution failed, and end; sys.exit(0) in a cell is no failure, as papermill has it."""
    told, kind, text = Watched.error, type(error).__name__, one_line(error)
    if kind == "DeadKernelError":
        text = "the kernel has died; did the memory suffice?"
    elif told and kind in ("CellExecutionError", "PapermillExecutionError"):
        kind, text = one_line(told.ename), one_line(told.evalue)
        if kind == "SystemExit" and text in ("", "0"):
            return
    if not Watched.begun:
        fail(64, f"the kernel {kernel} cannot execute {name}: {kind}: {text}")
    fail(1, f"cell {Watched.number} of {name} failed: {kind}: {text}")


def below(pid: int) -> set[int]:
    """All processes that a process has started, and those that these have started."""
    parents = {}
    for entry in os.listdir("/proc"):
        with suppress(OSError, ValueError), open("/proc/" + entry + "/stat", "rb") as file:
            parents[int(entry)] = int(file.read().rpartition(b")")[2].split()[1])
    found, new = set(), {pid}
    while new:
        new = {one for one, parent in parents.items() if parent in new} - found
        found |= new
    return found


def stop(number: int, frame: object) -> NoReturn:
    """End the kernel, which is in a session of its own and would outlive us, and ourselves."""
    # Once its parent is gone it is found no more.
    all_of_them = below(os.getpid())
    for one in (signal.SIGTERM, signal.SIGKILL):
        for pid in all_of_them:
            with suppress(ProcessLookupError):
                os.kill(pid, one)
        until = time.monotonic() + GRACE
        while one == signal.SIGTERM and time.monotonic() < until and any(exists(f"/proc/{pid}") for pid in all_of_them):
            with suppress(ChildProcessError):
                os.waitpid(-1, os.WNOHANG)
            time.sleep(0.01)
    os._exit(143)


def main() -> None:
    """Execute in a process of our own, so that nothing in it keeps us from ending the kernel."""
    sys.path[:] = filter(None, sys.path)
    warnings.simplefilter("ignore")
    stopping = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    for number in stopping:
        signal.signal(number, stop)
    child = os.fork()
    if not child:
        for number in stopping:
            signal.signal(number, signal.SIG_DFL)
        execute(sys.argv[1], sys.argv[2], sys.argv[3:])
        return
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        fail(1, f"the execution was killed by signal {os.WTERMSIG(status)}; did the memory suffice?")
    sys.exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main()
