"""The starter set for PyTorch with PyTorch itself, on the CPU.

PyPI has it for Linux with CUDA alone, which is gigabytes. Debian's package python3-torch is for Debian's own Python: the tests
need one of the same version, and take nothing else of Debian's packages. KADE2KFP_TORCH names another folder that has it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kade2kfp.tasks.bento import files_of

from .bentos import Packer, packer, real_python
from .test_pack_bentoml import post, serving

_WHERE = Path(os.environ.get("KADE2KFP_TORCH", "/usr/lib/python3/dist-packages"))
_NAME = f"torch/_C.cpython-{sys.version_info.major}{sys.version_info.minor}-*.so"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not list(_WHERE.glob(_NAME)), reason="no PyTorch for this Python: apt-get install python3-torch"
    ),
]
TRAIN = """
import json, torch
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
rows = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
x = torch.tensor(rows * 20); y = torch.tensor([0, 2] * 20)
step = torch.optim.SGD(model.parameters(), 0.1)
for _ in range(20):
    step.zero_grad(); torch.nn.functional.cross_entropy(model(x), y).backward(); step.step()
torch.jit.script(model).save("model.pt")
torch.save(model, "whole.pth")
torch.save(model.state_dict(), "weights.pth")
with torch.no_grad(): print(json.dumps(model(torch.tensor(rows)).tolist()))
"""


@pytest.fixture
def shop(tmp_path: Path) -> Packer:
    made = packer(tmp_path, real_python("numpy<2"))
    modules = tmp_path / "modules"
    modules.mkdir()
    for name in ("torch", "functorch", "torchgen"):
        if (_WHERE / name).exists():
            (modules / name).symlink_to(_WHERE / name)
    libraries = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return replace(made, env={**made.env, **libraries, "PYTHONPATH": str(modules)})


def run(shop: Packer, code: str) -> str:
    where = {"cwd": shop.folder, "env": shop.env, "capture_output": True, "text": True}
    done = subprocess.run([shop.python, "-c", code], **where)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_model_alone_becomes_an_endpoint(shop: Packer) -> None:
    expected = json.loads(run(shop, TRAIN))
    shop.write(files_of("pytorch", {}))
    done = shop.pack("--model", str(shop.folder / "model.pt"))
    assert done.code == 0, done.text
    rows = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
    with serving(shop) as url:
        code, found = post(f"{url}/predict", {"inputs": rows})
        assert code == 200
        assert [one for row in found for one in row] == pytest.approx([one for row in expected for one in row])
        for wrong in ({"inputs": [[1.0, 2.0]]}, {"inputs": [["a"]]}, {"inputs": rows, "dtype": "integer"}):
            code, answer = post(f"{url}/predict", wrong)
            assert code == 400
            assert answer[0]["error"]


def test_whole_module_is_loaded_and_weights_alone_say_what_to_do(shop: Packer) -> None:
    expected = json.loads(run(shop, TRAIN))
    shop.write(files_of("pytorch", {}))
    (shop.files / "model").mkdir()
    (shop.folder / "model.pt").rename(shop.files / "model/model.pt")
    code = """
import sys; sys.path.insert(0, "files")
import json, torch, service
from pathlib import Path
with torch.no_grad(): print(json.dumps(service.load(Path("whole.pth"))(torch.tensor([[5.1, 3.5, 1.4, 0.2]])).tolist()))
try: service.load(Path("weights.pth"))
except TypeError as error: print(error)
"""
    found, said = run(shop, code).splitlines()
    assert json.loads(found)[0] == pytest.approx(expected[0])
    assert said == (
        "weights.pth holds OrderedDict and no module, perhaps weights alone: "
        'save the whole model, by torch.jit.script(model).save("model.pt")'
    )
