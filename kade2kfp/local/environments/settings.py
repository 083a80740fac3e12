"""What of the user's settings for pip and uv an installer in a box gets: variables, files, and nothing else of the home."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from kade2kfp.local.engine import Bind

BOX_HOME = "/home/kade2kfp"
"""The home folder in the box, a throwaway."""
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})
_CERTIFICATES = frozenset({"SSL_CERT_FILE", "SSL_CERT_DIR", "SSL_CLIENT_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"})
# What would lead elsewhere than into the environment, or to folders that the box has not.
_LEFT_OUT = re.compile(
    r"PIP_(TARGET|PREFIX|ROOT|USER|PYTHON|SRC|CACHE_DIR|LOG|LOG_FILE|REPORT|DRY_RUN|REQUIREMENT|EDITABLE|"
    r"REQUIRE_VIRTUALENV|QUIET|ISOLATED)"
    r"|UV_(CACHE_DIR|PYTHON.*|MANAGED_PYTHON|SYSTEM_PYTHON|BREAK_SYSTEM_PACKAGES|TARGET|PREFIX|PROJECT.*|WORKING_DIR.*|"
    r"TOOL_.*|ENV_FILE|PUBLISH_.*|INSTALL_DIR|LINK_MODE|QUIET)"
)
_PATHS = re.compile(
    r"PIP_(CERT|CLIENT_CERT|FIND_LINKS|CONFIG_FILE|CONSTRAINT|BUILD_CONSTRAINT|INDEX_URL|EXTRA_INDEX_URL)"
    r"|UV_(CONFIG_FILE|FIND_LINKS|CONSTRAINT|OVERRIDE|BUILD_CONSTRAINT|INDEX_URL|EXTRA_INDEX_URL|INDEX|DEFAULT_INDEX)"
    r"|SSL_CERT_FILE|SSL_CERT_DIR|SSL_CLIENT_CERT|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE"
)
_FILE_KEYS = frozenset(
    {"find-links", "index-url", "extra-index-url", "cert", "client-cert", "constraint", "url", "index", "default-index"}
)
_PIP_SOURCES = re.compile(r"PIP_(INDEX_URL|EXTRA_INDEX_URL|NO_INDEX|FIND_LINKS|CONSTRAINT|PROXY|CLIENT_CERT)")
_UV_SOURCES = re.compile(r"UV_(INDEX_URL|EXTRA_INDEX_URL|INDEX|DEFAULT_INDEX|FIND_LINKS|CONFIG_FILE|OFFLINE)")
_PIP_KEY = re.compile(r"^\s*(index-url|extra-index-url|no-index|find-links|constraint|proxy|client-cert)\s*=", re.M)
_SECRET = re.compile(r"(PASSWORD|TOKEN|SECRET)$")


@dataclass(frozen=True, slots=True)
class Settings:
    """Variables for the box, files and folders it sees, and what must not show in a log.

    `only_pip` says that pip is told where packages come from and uv is not: uv does not read pip's settings
    (docs.astral.sh/uv/pip/compatibility), and would ask the public index for the names of private packages.
    """

    env: Mapping[str, str]
    binds: tuple[Bind, ...]
    secrets: tuple[str, ...]
    only_pip: bool


def settings(environ: Mapping[str, str], kept_out: Iterable[Path]) -> Settings:
    """What a caller with these variables has set. Folders that hold one of `kept_out` are not shown, whoever names them."""
    env = {name: value for name, value in environ.items() if _passes(name)}
    for name, value in env.items():
        if _PATHS.fullmatch(name) and not os.path.isabs(value) and os.path.exists(value):
            env[name] = os.path.abspath(value)
    files = list(_config_files(environ))
    if env.get("PIP_CONFIG_FILE"):
        files.append(Bind(Path(env["PIP_CONFIG_FILE"]), env["PIP_CONFIG_FILE"], True))
    texts = {bind: _text(bind.source) for bind in files if bind.source.is_file()}
    named = [path for name, value in env.items() if _PATHS.fullmatch(name) for path in _paths(value)]
    named += [path for text in texts.values() for path in _paths_of_file(text)]
    if env.get("UV_CONFIG_FILE"):
        named += _paths_of_file(_text(Path(env["UV_CONFIG_FILE"])))
    closed = [Path(os.path.realpath(path)) for path in kept_out]
    binds = [bind for bind in texts if not bind.path.startswith("/dev/")]
    for path in dict.fromkeys(named):
        real = Path(os.path.realpath(path))
        if not any(one.is_relative_to(real) for one in closed) and not path.startswith(("/dev/", "/proc/", "/sys/")):
            binds.append(Bind(real, os.path.normpath(path), True))
    pip = any(_PIP_SOURCES.fullmatch(name) for name in env) or any(
        _PIP_KEY.search(text) for bind, text in texts.items() if bind.path.endswith((".conf", ".ini", ".cfg"))
    )
    certificate = "PIP_CERT" in env and "SSL_CERT_FILE" not in env
    uv = any(_UV_SOURCES.fullmatch(name) for name in env) or any(bind.path.endswith("uv.toml") for bind in texts)
    unique = {bind.path: bind for bind in binds}
    return Settings(
        env,
        tuple(unique[path] for path in sorted(unique)),
        tuple(_secrets(env, texts.values())),
        (pip or certificate) and not uv,
    )


def _passes(name: str) -> bool:
    if name.lower() in _PROXIES or name in _CERTIFICATES:
        return True
    return name.startswith(("PIP_", "UV_")) and not _LEFT_OUT.fullmatch(name)


def _config_files(environ: Mapping[str, str]) -> Iterator[Bind]:
    """Where pip and uv look (pip's documentation, Configuration; uv's, Configuration files), and where the box has it."""
    for path in ("/etc/pip.conf", "/etc/xdg/pip/pip.conf", "/etc/uv/uv.toml", "/etc/xdg/uv/uv.toml"):
        yield Bind(Path(path), path, True)
    home = environ.get("HOME") or os.path.expanduser("~")
    config = environ.get("XDG_CONFIG_HOME") or f"{home}/.config"
    yield Bind(Path(home, ".pip/pip.conf"), f"{BOX_HOME}/.pip/pip.conf", True)
    for name in ("pip/pip.conf", "uv/uv.toml"):
        yield Bind(Path(config, name), f"{BOX_HOME}/.config/{name}", True)


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except OSError:
        return ""


def _paths(value: str) -> Iterator[str]:
    """The absolute paths of files and folders that a value names; pip separates several by blanks, uv by commas."""
    for token in (value, *re.split(r"[\s,:]+(?!//)|[\[\]\"']", value)):
        path = token.strip("\"'")
        if path.startswith("file://"):
            path = unquote(urlsplit(path).path)
        if path.startswith("/") and not path.startswith("//") and os.path.exists(path):
            yield path


def _paths_of_file(text: str) -> Iterator[str]:
    """The same of a pip.conf or uv.toml, where a value may go on in the lines below its key."""
    key = ""
    for line in text.splitlines():
        found = re.match(r"\s*([A-Za-z_-]+)\s*=(.*)", line)
        if found:
            key = found[1].replace("_", "-")
        if key in _FILE_KEYS:
            yield from _paths((found[2] if found else line).strip())


def _secrets(env: Mapping[str, str], texts: Iterable[str]) -> Iterator[str]:
    """Passwords of URLs as they stand and unquoted, and variables that are secrets by their names."""
    for value in (*env.values(), *texts):
        for user_info in re.findall(r"://([^/\s'\"]*)@", value):
            # A token alone stands in the user's place.
            secret = user_info.partition(":")[2] or user_info
            yield from (text for text in dict.fromkeys((secret, unquote(secret))) if len(text) > 3)
    for name, value in env.items():
        if _SECRET.search(name) and len(value) > 3:
            yield value
