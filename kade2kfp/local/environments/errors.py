"""What can go wrong when packages are installed, told in one sentence; what must not be told is masked."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Sequence

# Greedy to the last @ before the path: a password that was not quoted may hold one.
_USER_INFO = re.compile(r"(?<=://)[^/\s'\"<>]*@")
_NETWORK = (
    "the package index cannot be reached",
    "check the network and the proxy variables, or set PIP_INDEX_URL to an index that can be reached",
)
_SPACE = ("no space is left on the disk", "free some, or choose another disk with --home")
# The first that fits tells: without a network pip says at last that a package does not exist.
_KNOWN = (
    (r"No space left on device|os error 28|Disk quota exceeded", *_SPACE),
    (
        r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate",
        "the certificate of the package index cannot be verified",
        "set PIP_CERT or SSL_CERT_FILE to the file of the authority's certificate",
    ),
    (
        r"name resolution|Name or service not known|dns error|Failed to establish a new connection|Network is unreachable"
        r"|Connection refused|Cannot connect to proxy|client error \(Connect\)|[Cc]onnect(ion)? timed? ?out|Read timed out",
        *_NETWORK,
    ),
    (
        r"40[13] Client Error|\b40[13] (Unauthorized|Forbidden)|error code \[?40[13]",
        "the package index refuses access",
        "put the user's name and password into PIP_INDEX_URL, or into pip.conf",
    ),
    (
        r"ResolutionImpossible|conflicting dependencies",
        "the packages' versions exclude each other",
        "widen or drop a version in packagesToInstall",
    ),
    (
        r"No matching distribution found for (?P<name>\S+)|Because (?P<uv>\S+) was not found"
        r"|there (?:is no version|are no versions) of (?P<version>\S+)",
        "no version of {name} can be had for this Python",
        "check its name and version, that it supports this Python, and that the index has it and can be reached",
    ),
    (
        r"requirements are unsatisfiable|No solution found",
        "the packages' versions exclude each other, or one does not support this Python",
        "widen or drop a version in packagesToInstall",
    ),
    (
        r"Failed to build|Failed building wheel|metadata-generation-failed|subprocess-exited-with-error",
        "a package cannot be built from its source",
        "choose a version that has a wheel for this Python, or install what its build needs",
    ),
)


class EnvironmentFailedError(Exception):
    """An environment cannot be made: one sentence; `help` is what to do, `tail` the installer's last lines."""

    def __init__(self, message: str, help: str = "", tail: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.help = help
        self.tail = tuple(tail)


class EnvironmentCancelledError(Exception):
    """The caller's event was set before the environment was made."""


def explain(tail: Sequence[str], code: int) -> EnvironmentFailedError:
    """The error of an installer that ended with `code` after these lines."""
    # uv breaks its sentences over lines.
    text = " ".join(" ".join(tail).split())
    for pattern, message, help in _KNOWN:
        if found := re.search(pattern, text):
            names = [name for name in found.groupdict().values() if name]
            name = names[0].rstrip(",.;") if names else "a package"
            return EnvironmentFailedError(message.format(name=name), help, tail)
    return EnvironmentFailedError(f"the installer ended with code {code}", "its last lines say why", tail)


def explain_os(error: OSError) -> EnvironmentFailedError:
    """The error of a file operation beside the installer's."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EnvironmentFailedError(*_SPACE)
    return EnvironmentFailedError(
        f"{error.filename or 'the folder of environments'}: {(error.strerror or str(error)).lower()}",
        "choose another folder with --home",
    )


def mask(line: str, secrets: Iterable[str]) -> str:
    """A line without the users and passwords of URLs, and without the secrets."""
    line = _USER_INFO.sub("***@", line)
    for secret in secrets:
        line = line.replace(secret, "***")
    return line
