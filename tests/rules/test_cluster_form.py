"""What a cluster is handed: no image of a compiled example is from anywhere but the mirror."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from kade2kfp.api import compile, load
from kade2kfp.rules.model import Policy, Rules

EXAMPLES = sorted(Path(__file__).parents[2].glob("examples/*/pipeline.json"))
HUB = "mirror.example.org"
MIRROR = (("docker.io", f"{HUB}/docker-hub"), ("quay.io", f"{HUB}/quay"))
MIRRORED = Rules(file="kade2kfp.toml", policy=Policy(registries=(HUB,), mirror=MIRROR))
_IN_A_TEXT = re.compile(r'"image": ?"([^"]+)"')


def texts(value: Any) -> list[str]:
    """Every text of the YAML, in whatever depth, those of documents inside of texts too."""
    if isinstance(value, dict):
        return [text for key, one in value.items() for text in (str(key), *texts(one))]
    if isinstance(value, list):
        return [text for one in value for text in texts(one)]
    return [value] if isinstance(value, str) else []


def images(value: Any) -> list[str]:
    """What stands as `image` anywhere."""
    if isinstance(value, dict):
        return [
            image
            for key, one in value.items()
            for image in ([one] if key == "image" and isinstance(one, str) else images(one))
        ]
    return [image for one in value for image in images(one)] if isinstance(value, list) else []


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("form", ["ir", "pipelineversion"])
def test_every_image_of_the_examples_comes_from_the_mirror(example: Path, form: Any) -> None:
    plain = compile(load(example), folder=example.parent, format=form)
    compiled = compile(load(example), folder=example.parent, format=form, rules=MIRRORED)
    assert compiled.yaml is not None, compiled.diagnostics
    assert plain.yaml is not None
    found = [image for one in yaml.safe_load_all(compiled.yaml) for image in images(one)]
    before = [image for one in yaml.safe_load_all(plain.yaml) for image in images(one)]
    assert found
    assert len(found) == len(before)
    assert all(image.startswith(f"{HUB}/") for image in found), found
    assert not any(image.startswith(HUB) for image in before)
    # Manifests of services are texts in commands; a Bento's environment is made for an image.
    left = [text for one in yaml.safe_load_all(compiled.yaml) for text in texts(one)]
    inner = [image for text in left for image in _IN_A_TEXT.findall(text)]
    inner += [after for word, after in pairwise(left) if word == "--image"]
    assert all(image.startswith(f"{HUB}/") for image in inner), inner
    assert bool(inner) == (example.parent.name in ("serving", "tensorboard"))
