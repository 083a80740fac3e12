"""schemas/rules.v1.json: it takes what the reader takes, and refuses what an editor can see to be wrong."""

import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest

from kade2kfp.rules.read import POLICY, SETTINGS, read_rules
from kade2kfp.rules.schema import schema_text

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads(schema_text())
CHECKS = jsonschema.Draft202012Validator(SCHEMA)
PAGES = [ROOT / "docs" / "rules.md", *sorted((ROOT / "kade2kfp/diagnostics/codes").glob("K25?.md"))]
RIGHT = [text for page in PAGES for text in re.findall(r"^```toml\n(.*?)^```$", page.read_text(), re.M | re.S)]


def test_the_file_is_current():
    # Written anew by: python -c "from kade2kfp.rules.schema import schema_text as s; print(s(), end='')"
    assert (ROOT / "schemas" / "rules.v1.json").read_text(encoding="utf-8") == schema_text()
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_it_has_every_setting():
    assert tuple(SCHEMA["properties"]) == SETTINGS
    assert tuple(SCHEMA["properties"]["policy"]["properties"]) == POLICY


@pytest.mark.parametrize("text", RIGHT)
def test_what_the_manual_shows_is_right(text):
    assert list(CHECKS.iter_errors(tomllib.loads(text))) == []


@pytest.mark.parametrize(
    "text",
    [
        "wError = true",
        "select = 'K2'",
        "ignore = ['W206']",
        "max-diagnostics = -1",
        "policy.pinned = 'tags'",
        "policy.registries = ['https://ghcr.io']",
        "policy.registries = ['team/app']",
        "policy.labels = ['a b']",
        "policy.label-values.team = 3",
        "policy.forbidden-types = ['Job']",
        "policy.required-limits = ['gpu']",
        "policy.max.cpu = true",
        "policy.max.gpu = 1",
        "select = []",
        "policy.registries = []",
        "policy.labels = []",
        "policy.forbidden-types = []",
        "policy.required-limits = []",
        "policy.mirror.'docker.io' = ''",
    ],
)
def test_what_is_wrong_is_wrong_for_both(tmp_path, text):
    assert not CHECKS.is_valid(tomllib.loads(text))
    (tmp_path / "kade2kfp.toml").write_text(text)
    assert read_rules(tmp_path / "kade2kfp.toml")[2]
