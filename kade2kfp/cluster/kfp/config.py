"""The file with the contexts: which KFP there are, and how one logs in to each.

```yaml
current: prod
contexts:
  prod:
    endpoint: https://kfp.example.com/pipeline
    namespace: team-a
    tokenFile: ~/.kfp/token
```
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kade2kfp.cluster.kfp import login
from kade2kfp.diagnostics.cannot import CannotDoError
from kade2kfp.document.suggest import did_you_mean
from kade2kfp.files import write_atomically

VARIABLE = "KADE2KFP_CONFIG"
LOGINS = ("tokenFile", "tokenEnv", "token", "serviceAccountToken", "exec", "cookieFile", "cookie")
"""Ways to log in; a context has at most one."""
_SECRETS = ("token", "cookie")
_TEXTS = ("endpoint", "namespace", "tokenFile", "tokenEnv", "cookieFile", "ca", "uiUrl", "kubeContext", *_SECRETS)
_FIELDS = (*_TEXTS, "serviceAccountToken", "exec", "portForward", "insecureSkipTlsVerify")
_FORWARD = ("namespace", "service", "port", "kubeContext")


@dataclass(frozen=True, slots=True)
class Config:
    """The contexts by name, each checked, and the current one's name; empty where there is no file.

    Contexts may hold secrets, so they are not shown.
    """

    path: Path
    contexts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    current: str = ""

    def context(self, name: str) -> Mapping[str, Any]:
        """A context by its name. Raises CannotDoError where there is none."""
        if name not in self.contexts:
            if not self.contexts:
                raise CannotDoError(
                    f"there is no context `{name}`: {self.path} has none", "write it there, or name an --endpoint"
                )
            hint = did_you_mean(name, list(self.contexts), noun="contexts")
            raise CannotDoError(f"{self.path} has no context `{name}`", hint)
        return self.contexts[name]


def path_of() -> Path:
    """Where the file is, or would be: $KADE2KFP_CONFIG, else below $XDG_CONFIG_HOME or ~/.config. Raises CannotDoError."""
    if named := os.environ.get(VARIABLE):
        return Path(named).absolute()
    base = os.environ.get("XDG_CONFIG_HOME") or ""
    try:
        return (Path(base) if base.startswith("/") else Path.home() / ".config") / "kade2kfp" / "config.yaml"
    except RuntimeError:
        raise CannotDoError("there is no home folder, so no configuration", f"set {VARIABLE}") from None


def read() -> Config:
    """The file's contexts. Raises CannotDoError where it cannot be read, is wrong, or shows a secret to others."""
    path = path_of()
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            value = yaml.safe_load(file.read(1 << 20))
    except FileNotFoundError:
        if os.environ.get(VARIABLE):
            raise CannotDoError(f"there is no file {path}", f"{VARIABLE} names it") from None
        return Config(path)
    except OSError as error:
        raise CannotDoError(f"cannot read {path}: {(error.strerror or 'failed').lower()}") from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)  # the error's text quotes the line, which may be a token's
        where = f" (line {mark.line + 1})" if mark else ""
        raise CannotDoError(f"{path}{where} is no YAML", "look at it; the manual has an example") from None
    config = _config(path, value)
    if any(secret in context for context in config.contexts.values() for secret in _SECRETS):
        login.refuse_shared(str(path), mode)
    return config


def _config(path: Path, value: Any) -> Config:
    if value is None:
        return Config(path)
    _known(value, ("contexts", "current"), f"{path}")
    contexts = value.get("contexts") or {}
    if not isinstance(contexts, dict):
        raise CannotDoError(f"{path}: `contexts` is no object", "it holds a name and its fields for each context")
    for name, context in contexts.items():
        if not isinstance(name, str) or not name:
            raise CannotDoError(f"{path}: a context's name is no text", "put it into quotes")
        _check(context, f"{path}, context `{name}`")
    current = value.get("current") or ""
    if not isinstance(current, str):
        raise CannotDoError(f"{path}: `current` is no text", "it is the name of a context")
    return Config(path, contexts, current)


def _check(context: Any, where: str) -> None:
    _known(context, _FIELDS, where)
    for name in _TEXTS:
        if name in context and (not isinstance(context[name], str) or not context[name]):
            raise CannotDoError(f"{where}: `{name}` is no text", "put it into quotes, or leave it out")
    command = context.get("exec")
    if command is not None and not (
        isinstance(command, list) and command and all(isinstance(one, str) for one in command)
    ):
        raise CannotDoError(
            f"{where}: `exec` is no list of texts", "the program and each argument stand for themselves"
        )
    if not isinstance(context.get("serviceAccountToken", True), bool | str):
        raise CannotDoError(f"{where}: `serviceAccountToken` is neither true nor a path", "write true")
    if not isinstance(context.get("insecureSkipTlsVerify", False), bool):
        raise CannotDoError(f"{where}: `insecureSkipTlsVerify` is neither true nor false", "leave it out")
    given = [name for name in LOGINS if context.get(name)]
    if len(given) > 1:
        raise CannotDoError(f"{where}: it has several ways to log in: {', '.join(given)}", "leave one")
    forward = context.get("portForward")
    if isinstance(forward, dict):
        _known(forward, _FORWARD, f"{where}, portForward")
        port = forward.get("port", 8888)
        if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
            raise CannotDoError(f"{where}: `portForward` has a port that is none", "KFP's is 8888")
        for name in ("namespace", "service", "kubeContext"):
            if not isinstance(forward.get(name, ""), str):
                raise CannotDoError(f"{where}, portForward: `{name}` is no text", "put it into quotes")
    elif forward is not None and not isinstance(forward, bool):
        raise CannotDoError(
            f"{where}: `portForward` is neither true nor an object", f"its fields: {', '.join(_FORWARD)}"
        )
    if bool(context.get("endpoint")) == bool(forward):
        raise CannotDoError(f"{where}: it needs an `endpoint` or `portForward`, and not both", "say where KFP is")


def _known(value: Any, names: tuple[str, ...], where: str) -> None:
    if not isinstance(value, dict):
        raise CannotDoError(f"{where} is no object", f"its fields: {', '.join(names)}")
    for name in value:
        if name not in names:
            raise CannotDoError(
                f"{where} has no field `{str(name)[:60]}`", did_you_mean(str(name), names, noun="fields")
            )


def choose(name: str) -> Path:
    """Make a context the current one, and return the file's path; the rest of the file, with its comments, stays.

    Raises CannotDoError, and click.ClickException where the file cannot be written.
    """
    config = read()
    config.context(name)
    text = config.path.read_text(encoding="utf-8")
    line = f"current: {json.dumps(name)}"
    changed, count = re.subn(r"(?m)^current[ \t]*:.*$", lambda _: line, text, count=1)
    changed = changed if count else f"{line}\n{text}"
    try:
        right = _config(config.path, yaml.safe_load(changed)).current == name
    except (CannotDoError, yaml.YAMLError):
        right = False
    if not right:
        raise CannotDoError(f"cannot change `current` in {config.path}", f"write there: {line}")
    write_atomically(config.path, changed)
    return config.path
