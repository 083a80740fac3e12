"""templates/pack.py --environment: the packages of a version, on the volume beside it, made by a real pip from wheels."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from kade2kfp.resources import read_text

from .bentos import STAND_IN, VERSION, Packer, packer

sys.path.insert(0, str(Path(__file__).parents[1] / "local"))
from wheels import wheel

NEXT = "20260102-030405-bbbb"


@pytest.fixture
def shop(tmp_path: Path) -> Packer:
    made = packer(tmp_path)
    made.write({"service.py": "x = 1\n", "bentofile.yaml": "service: service\n"})
    (tmp_path / "wheels").mkdir()
    wheel(tmp_path / "wheels", "bentoml", "1.4.39", STAND_IN)
    wheel(tmp_path / "wheels", "tiny", "1.0", "SIZE = 1\n")
    env = {name: value for name, value in made.env.items() if name != "PYTHONPATH"}
    env |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "wheels"), "PIP_CONFIG_FILE": os.devnull}
    # Not this environment's own: one that a container would have.
    python = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin") or sys.executable
    return replace(made, env=env, python=python)


def words(*requirements: str, image: str = "python:3.11-slim") -> list[str]:
    return ["--environment", "--image", image, *(word for one in requirements for word in ("--require", one))]


def test_versions_that_need_the_same_share_an_environment(shop: Packer) -> None:
    first = shop.pack(*words("bentoml", "tiny==1.0"))
    assert first.code == 0, first.text
    assert "kade2kfp: installs bentoml tiny==1.0" in first.text
    link = shop.into / VERSION / "environment"
    assert os.readlink(link).startswith("../environments/")
    answer = subprocess.run([link / "bin/python3", "-c", "import tiny; print(tiny.SIZE)"], capture_output=True)
    assert answer.stdout == b"1\n", answer.stderr
    second = shop.pack(*words("tiny==1.0", "bentoml"), version=NEXT)
    assert second.code == 0, second.text
    assert "installs" not in second.text
    assert os.readlink(shop.into / NEXT / "environment") == os.readlink(link)


def test_environments_that_no_version_needs_go(shop: Packer) -> None:
    assert shop.pack(*words("bentoml", "tiny")).code == 0
    old = (shop.into / VERSION / "environment").resolve()
    # In the making: another step has it, and nothing links to it but what is in the making too.
    (shop.into / "environments/half").mkdir()
    shutil.copytree(old, shop.into / "environments/asked-for", symlinks=True)
    (shop.into / ".making-other").mkdir()
    (shop.into / ".making-other/environment").symlink_to("../environments/asked-for")
    done = shop.pack("--keep", "1", *words("bentoml"), version=NEXT)
    assert done.code == 0, done.text
    new = (shop.into / NEXT / "environment").resolve()
    assert new != old
    left = {path.name for path in (shop.into / "environments").iterdir() if not path.name.startswith(".")}
    assert left == {new.name, "half", "asked-for"}


def test_what_a_killed_maker_left_is_made_anew(shop: Packer) -> None:
    assert shop.pack(*words("bentoml", "tiny")).code == 0
    place = (shop.into / VERSION / "environment").resolve()
    (place / ".complete").unlink()
    shutil.rmtree(place / "lib")
    done = shop.pack(*words("bentoml", "tiny"), version=NEXT)
    assert done.code == 0, done.text
    assert "installs" in done.text


def test_package_that_is_not_to_be_had(shop: Packer) -> None:
    secret = {"PIP_INDEX_URL": "https://kim:s3cret@127.0.0.1:9/simple"}
    done = shop.pack(*words("bentoml", "nothing-of-this-name==3"), env=secret)
    assert done.code == 1
    said = "kade2kfp: the packages could not be installed: No matching distribution found for nothing-of-this-name==3"
    assert done.last == said
    assert "s3cret" not in done.text
    assert [name for name in shop.left() if name != "environments"] == []
    again = shop.pack(*words("bentoml"))
    assert again.code == 0, again.text


def test_two_at_once_make_one(shop: Packer) -> None:
    with shop.start(*words("bentoml", "tiny")) as one, shop.start(*words("bentoml", "tiny"), version=NEXT) as two:
        texts = [process.communicate(timeout=120)[0] for process in (one, two)]
    assert (one.returncode, two.returncode) == (0, 0), texts
    assert sum("installs bentoml" in text for text in texts) == 1
    assert (shop.into / VERSION / "environment").resolve() == (shop.into / NEXT / "environment").resolve()


def test_what_becomes_a_version_while_others_clean_up_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = runpy.run_path(str(Path(__file__).parents[2] / "templates/pack.py"))
    making = tmp_path / f".making-{VERSION}"
    making.mkdir()
    (making / "environment").symlink_to("../environments/key")
    (tmp_path / "file").touch()
    listed = os.listdir

    def listing(folder: str) -> list[str]:
        names = listed(folder)
        if making.exists():
            making.rename(tmp_path / VERSION)
        return names

    monkeypatch.setattr(os, "listdir", listing)
    assert pack["needed"](str(tmp_path)) == {"key"}


def test_packages_of_an_image_that_is_an_environment_itself(shop: Packer, tmp_path: Path) -> None:
    subprocess.run([shop.python, "-m", "venv", "--without-pip", tmp_path / "image"], check=True)
    inner = replace(shop, python=str(tmp_path / "image/bin/python3"))
    site = next((tmp_path / "image/lib").glob("python3*")) / "site-packages"
    (site / "theirs.py").write_text("SIZE = 5\n")
    done = inner.pack(*words("bentoml"))
    assert done.code == 0, done.text
    python = shop.into / VERSION / "environment/bin/python3"
    answer = subprocess.run([python, "-c", "import theirs; print(theirs.SIZE)"], capture_output=True)
    assert answer.stdout == b"5\n", answer.stderr


def test_served_with_it(shop: Packer) -> None:
    assert shop.pack(*words("bentoml")).code == 0
    (shop.folder / "wheels/serve.py").write_text(
        "import os, sys; print(sys.prefix, sys.argv[1:], os.environ['PATH'].split(':')[0])"
    )
    place = (shop.into / VERSION / "environment").resolve()
    module = next((place / "lib").glob("python3*/site-packages/bentoml.py"))
    module.write_text((shop.folder / "wheels/serve.py").read_text())
    script = read_text("templates/serve.sh")
    env = {**shop.env, "KADE2KFP_VERSION": VERSION, "PORT": "3001", "HOST": "127.0.0.1"}
    done = subprocess.run(["sh", "-c", script, "serve", shop.into], env=env, capture_output=True, text=True)
    bento = shop.into / VERSION / "bento"
    expected = ["serve", str(bento), "--host", "127.0.0.1", "--port", "3001"]
    assert done.stdout == f"{place} {expected} {place}/bin\n", done.stderr
