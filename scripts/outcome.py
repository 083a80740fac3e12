"""Says what a compiled pipeline holds: `python scripts/outcome.py build/iris.yaml`."""

from __future__ import annotations

import sys
from graphlib import TopologicalSorter
from pathlib import Path

import yaml


def main(path: Path) -> None:
    """Prints the pipeline's name, size, and its tasks in an order in which they may run."""
    text = path.read_text(encoding="utf-8")
    ir = next(yaml.safe_load_all(text))
    tasks = ir["root"]["dag"]["tasks"]
    after = {name: task.get("dependentTasks", []) for name, task in tasks.items()}
    size = len(text.encode()) / 1024
    print(f"{path}: pipeline {ir['pipelineInfo']['name']}, {len(tasks)} tasks, {size:.1f} KiB")
    width = max(map(len, after))
    for name in TopologicalSorter(after).static_order():
        waits = f"after {', '.join(after[name])}" if after[name] else ""
        print(f"  {name:{width}}  {waits}".rstrip())
    print("Upload it in Kubeflow Pipelines' UI, or with: kfp pipeline create -p NAME " + str(path))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
