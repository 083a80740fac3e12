"""Suggestions: what was probably meant, and nothing far-fetched."""

from __future__ import annotations

from time import process_time

import pytest

from kade2kfp.document.suggest import closest, did_you_mean

FIELDS = ("mountPath", "subPath", "nodeSelector", "image", "imagePullPolicy", "packagesToInstall")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("mountpath", "mountPath"),
        ("mount_path", "mountPath"),
        ("MOUNT-PATH", "mountPath"),
        ("monutPath", "mountPath"),
        ("node_selektor", "nodeSelector"),
        ("packageToInstall", "packagesToInstall"),
        ("imgae", "image"),
    ],
)
def test_a_slip_is_understood(word: str, meant: str) -> None:
    assert closest(word, FIELDS) == meant


@pytest.mark.parametrize("word", ["", "x", "replicas", "한글", "-_-"])
def test_what_is_like_nothing_is_like_nothing(word: str) -> None:
    assert closest(word, FIELDS) is None


def test_the_order_of_the_known_words_does_not_matter() -> None:
    assert closest("trian", ["train-2", "train", "brain"]) == closest("trian", ["brain", "train", "train-2"]) == "train"


def test_few_words_are_all_named() -> None:
    assert did_you_mean("zzz", ["b", "a", "b"], noun="tasks") == "known tasks: `a`, `b`"


def test_many_words_are_not() -> None:
    assert did_you_mean("zzz", [f"t{i}" for i in range(13)], noun="tasks") == ""


def test_no_words_at_all() -> None:
    assert did_you_mean("zzz", [], noun="tasks") == "there are no tasks"
    assert did_you_mean("zzz", []) == ""


def test_a_huge_word_costs_little() -> None:
    began = process_time()
    closest("x" * 1_000_000, FIELDS)
    assert process_time() - began < 1
