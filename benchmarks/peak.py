"""The most memory that one compile takes, in bytes: `peak.py ours|by-hand|nothing TASKS`, in a process of its own.

`nothing` only imports what both of them need, which is KFP in the first place.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from pathlib import Path

import graphs

from kade2kfp import api


def main(who: str, tasks: int) -> int:
    """The peak of the resident memory."""
    document = graphs.document(tasks)
    if who == "ours":
        api.compile(api.parse(document))
    elif who == "by-hand":
        with tempfile.TemporaryDirectory() as folder:
            graphs.by_hand(tasks, Path(folder, "pipeline.yaml"))
    return peak()


def peak() -> int:
    """The most resident memory that this process has had, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux counts what was before exec into ru_maxrss: the parent's memory
        rows = dict(row.split(":", 1) for row in status.read_text("ascii").splitlines())
        return int(rows["VmHWM"].split()[0]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2])))
