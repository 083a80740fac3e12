"""SSH into a container."""

from __future__ import annotations

from collections.abc import Iterator

from kade2kfp.diagnostics.model import Diagnostic, Related
from kade2kfp.plan.analysis import Analysis
from kade2kfp.tasks.container import SSH_PORT, Container


def ssh(analysis: Analysis) -> Iterator[Diagnostic]:
    """K521: SSH where nobody waits. K524: nobody's key may enter, or sshd's port is taken."""
    document = analysis.document
    for task in document.tasks:
        if not isinstance(task, Container) or task.ssh is None or document.is_torn(task.place("advance")):
            continue
        if task.advance == "auto":
            yield Diagnostic(
                "K521",
                "`ssh` has no effect where `advance` is auto",
                task.place("ssh"),
                'leave it out, or say "advance": "manual": then the task waits for a person, who may come in',
            )
            continue
        if task.ssh.authorized_keys_from is None and not document.is_torn(task.ssh.at):
            yield Diagnostic(
                "K524",
                "`ssh` does not say whose keys may enter",
                task.place("ssh"),
                'add "authorizedKeysFrom": {"secretKeyRef": {"name": "ssh-keys", "key": "authorized_keys"}}',
            )
        number = task.ssh.port or SSH_PORT
        for port in task.ports or ():
            if port.container_port == number and not document.is_torn(task.ssh.place("port")):
                yield Diagnostic(
                    "K524",
                    f"the port {number} is sshd's",
                    port.place("container_port"),
                    "leave it out of `ports`, for `kade2kfp ssh` opens it; or give one of them another number",
                    (Related("sshd", task.ssh.place("port") if task.ssh.port else task.place("ssh")),),
                )
