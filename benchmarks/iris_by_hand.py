"""The pipeline of examples/iris as one would write it with KFP's SDK, by hand: what `kade2kfp compile` is measured against.

The same images, commands, files, packages, parameters, artifacts, metrics, env, resources and labels. Artifacts come to
fixed paths by the same idea: an emptyDir at the path, and a few lines of sh that link it with KFP's own. Compile it with
`kfp dsl compile` beside the files that it embeds: load_data.py, train.py and evaluate.py.
"""

import base64
from pathlib import Path

from kfp import dsl, kubernetes

IMAGE = "python:3.11-slim"
PACKAGES = ["scikit-learn==1.7.2", "pandas==2.3.3"]
HERE = Path(__file__).parent

DOWNLOAD = """set -e
mkdir -p "$(dirname "$1")"
ln -sfn /data "$1"
shift
exec "$@"
"""
TRAIN = """set -e
for file in "$1"/*; do ln -sfn "$file" /input/; done
mkdir -p "$(dirname "$2")" "$(dirname "$3")" "$(dirname "$4")" /code /output/model
ln -sfn /output/model "$2"
printf %s "$5" | base64 -d >/code/train.py
pip install --no-cache-dir --disable-pip-version-check "$6" "$7"
metrics=$3 accuracy=$4
shift 7
"$@"
cp /output/metrics.json "$metrics"
python -c 'import json; print(json.load(open("/output/metrics.json"))["accuracy"], end="")' >"$accuracy"
"""
EVALUATE = """set -e
for file in "$1"/*; do ln -sfn "$file" /input/; done
for file in "$2"/*; do ln -sfn "$file" /models/logistic-regression/; done
for file in "$3"/*; do ln -sfn "$file" /models/decision-tree/; done
mkdir -p "$(dirname "$4")" /code
printf %s "$5" | base64 -d >/code/evaluate.py
pip install --no-cache-dir --disable-pip-version-check "$6" "$7"
export ACCURACY_LOGISTIC_REGRESSION="$8" ACCURACY_DECISION_TREE="$9"
best=$4
shift 9
"$@"
cp /report/best.txt "$best"
"""


def embedded(name: str) -> str:
    """A file as base64."""
    return base64.b64encode((HERE / name).read_bytes()).decode()


@dsl.container_component
def download(data: dsl.Output[dsl.Dataset], data_url: str):
    """Download the data and unpack it."""
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["sh", "-c", DOWNLOAD, "download"],
        args=[data.path, "python3", "-c", (HERE / "load_data.py").read_text("utf-8"), "--to", "/data", "--", data_url],
    )


@dsl.container_component
def train_logistic_regression(
    data: dsl.Input[dsl.Dataset],
    model: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    accuracy: dsl.OutputPath(float),
    seed: int,
):
    """Train the one model."""
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["sh", "-c", TRAIN, "train"],
        args=[
            *(data.path, model.path, metrics.path, accuracy, embedded("train.py"), *PACKAGES),
            *("python", "/code/train.py", "--model", "logistic-regression", "--seed", seed, "/input", "/output"),
        ],
    )


@dsl.container_component
def train_decision_tree(
    data: dsl.Input[dsl.Dataset],
    model: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    accuracy: dsl.OutputPath(float),
    seed: int,
):
    """Train the other model."""
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["sh", "-c", TRAIN, "train"],
        args=[
            *(data.path, model.path, metrics.path, accuracy, embedded("train.py"), *PACKAGES),
            *("python", "/code/train.py", "--model", "decision-tree", "--seed", seed, "/input", "/output"),
        ],
    )


@dsl.container_component
def evaluate(
    data: dsl.Input[dsl.Dataset],
    logistic_regression: dsl.Input[dsl.Model],
    decision_tree: dsl.Input[dsl.Model],
    best: dsl.OutputPath(str),
    accuracy_logistic_regression: float,
    accuracy_decision_tree: float,
):
    """Compare both."""
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["sh", "-c", EVALUATE, "evaluate"],
        args=[
            *(data.path, logistic_regression.path, decision_tree.path, best, embedded("evaluate.py"), *PACKAGES),
            *(accuracy_logistic_regression, accuracy_decision_tree),
            *("python", "/code/evaluate.py", "/models", "/input", "/report"),
        ],
    )


def pod(task: dsl.PipelineTask, display_name: str, *empty: str, cached: bool = True, sized: bool = True) -> None:
    """What the pods have in common."""
    task.set_display_name(display_name)
    task.set_caching_options(cached)
    if sized:
        task.set_cpu_request("500m").set_memory_request("512Mi").set_memory_limit("1Gi")
    for number, path in enumerate(empty):
        kubernetes.empty_dir_mount(task, f"empty-{number}", path)
    kubernetes.add_pod_label(task, "step", task.name)


@dsl.pipeline(
    name="iris",
    description="Download Fisher's irises, train two classifiers side by side, compare their accuracy.",
)
def iris(data_url: str = "https://archive.ics.uci.edu/static/public/53/iris.zip", seed: int = 7):
    """The pipeline.

    Args:
        data_url: The archive with iris.data in it.
        seed: Which rows are held back for the test. (at least 0)
    """
    data = download(data_url=data_url)
    pod(data, "Download", "/data", cached=False)
    logistic = train_logistic_regression(data=data.outputs["data"], seed=seed)
    pod(logistic, "Train logistic regression", "/input", "/output")
    tree = train_decision_tree(data=data.outputs["data"], seed=seed)
    pod(tree, "Train decision tree", "/input", "/output")
    best = evaluate(
        data=data.outputs["data"],
        logistic_regression=logistic.outputs["model"],
        decision_tree=tree.outputs["model"],
        accuracy_logistic_regression=logistic.outputs["accuracy"],
        accuracy_decision_tree=tree.outputs["accuracy"],
    )
    pod(best, "Evaluate", "/input", "/models/decision-tree", "/models/logistic-regression")
