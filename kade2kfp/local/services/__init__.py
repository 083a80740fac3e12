"""Viewers and servings of runs on this machine.

A service has a folder, and while it is kept a process of its own, its keeper, which holds the port and forwards connections
to the box of the version that answers:

```
HOME/services/NAME/      of a serving
RUN/services/STEP/       of a viewer
  service.json           what the commands know, and all versions, without their secrets
  lock, control          held by the keeper; the socket where it takes commands
  log                    the keeper's own
  logs/VERSION-N.log     of each box
  boxes/                 what boxes write
```

`version` is what a service runs, `make` makes one of a step, `folders` is where services lie. `keeper` is the process;
it knows its `service` and does with it what `keeping` says, by `boxed`, `admission`, `probe` and `forward`. `client` is how
others talk to it, `serve` and `view` what the runner does, `here`, `find` and `again` what the commands do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kade2kfp.local.services.here import LocalServices
    from kade2kfp.services.model import ServiceView


def local_services(home: Path) -> LocalServices:
    """The services of the runs below `home`."""
    # Late, here and below: the keeper is of this package too, and shall be small.
    from kade2kfp.local.services.here import LocalServices

    return LocalServices(home)


@contextmanager
def view_again(home: Path, view: ServiceView) -> Iterator[int]:
    """Keep a stopped viewer, such as one of a run that has ended, while the block lasts; its port on the loopback.

    Raises CannotDoError.
    """
    from kade2kfp.local.services.again import viewed

    with viewed(home, view) as port:
        yield port
