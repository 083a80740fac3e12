from hypothesis import given, settings
from hypothesis import strategies as st

from kade2kfp.diagnostics.model import Diagnostic, Severity
from kade2kfp.diagnostics.severity import NOTES, WARNINGS, severity
from kade2kfp.rules.codes import problem
from kade2kfp.rules.model import Rules
from kade2kfp.rules.shown import kept

CODES = st.one_of(st.sampled_from(sorted(WARNINGS | NOTES)), st.from_regex(r"K[0-9]{3}", fullmatch=True))
FOUND = st.lists(CODES.map(lambda code: Diagnostic(code, "m")))
CHOSEN = st.lists(st.one_of(CODES, st.sampled_from(["K", "K2", "K20", "K5"])), max_size=4).map(tuple)


@settings(deadline=None)
@given(FOUND, CHOSEN, CHOSEN)
def test_no_choice_drops_an_error_or_changes_the_order(found, select, ignore):
    shown = kept(found, Rules(select=select, ignore=ignore))
    rest = iter(found)
    assert all(any(one is other for other in rest) for one in shown)
    errors = [one for one in found if severity(one.code) is Severity.ERROR]
    assert [one for one in shown if severity(one.code) is Severity.ERROR] == errors


@settings(deadline=None)
@given(FOUND, CHOSEN)
def test_no_choice_changes_nothing_and_ignore_counts_before_select(found, codes):
    assert kept(found, Rules()) == tuple(found)
    errors = [one for one in found if severity(one.code) is Severity.ERROR]
    if codes:
        assert list(kept(found, Rules(select=codes, ignore=codes))) == errors


@settings(deadline=None)
@given(FOUND, CHOSEN, CHOSEN)
def test_twice_is_once(found, select, ignore):
    rules = Rules(select=select, ignore=ignore)
    assert kept(kept(found, rules), rules) == kept(found, rules)


def test_a_beginning_stands_for_its_codes():
    found = [Diagnostic(code, "m") for code in ("K206", "K207", "K409", "K204")]
    assert [one.code for one in kept(found, Rules(ignore=("K20",)))] == ["K409", "K204"]
    assert [one.code for one in kept(found, Rules(select=("K2",), ignore=("K207",)))] == ["K206", "K204"]
    assert [one.code for one in kept(found, Rules(select=("K513",)))] == ["K204"]


def test_only_warnings_notes_and_their_beginnings_can_be_chosen():
    assert all(problem(code) == ("", "") for code in (*WARNINGS, *NOTES, "K", "K2", "K20", "K226"))
    assert problem("K204")[0] == "`K204` is an error, and errors are always shown"
    assert "errors alone" in problem("K71")[0]
    assert problem("k206")[1] == "did you mean `K206`?"
    assert problem(" K206")[1] == "did you mean `K206`?"
    for text in ("", "K999", "all", "W", "K206,K207", "2", "\x1b[31m", "K" * 1000):
        assert "is not a code" in problem(text)[0], text
