"""Where pods may run, and as whom."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kade2kfp.checks.metadata import key_problem, value_problem
from kade2kfp.diagnostics.model import Diagnostic
from kade2kfp.document.read import Document
from kade2kfp.document.shared import NodeTerm, SelectorTerm, Toleration
from kade2kfp.document.types import DNS_NAME, DNS_RULE
from kade2kfp.plan.analysis import Analysis

_DIGITS = re.compile(r"[0-9]{1,63}")


def scheduling(analysis: Analysis) -> Iterator[Diagnostic]:
    """K222: a toleration, selector, affinity or security context that Kubernetes refuses."""
    document = analysis.document
    for owner in document.owners:
        for toleration in owner.tolerations or ():
            yield from _toleration(toleration)
        for key in owner.node_selector or {}:
            if problem := key_problem(key):
                yield Diagnostic(
                    "K222",
                    f"`{key[:80]}` is not the key of a node's label",
                    owner.place("node_selector", key),
                    problem,
                    on_key=True,
                )
        for key, value in (owner.node_selector or {}).items():
            if "{{" not in value and (problem := value_problem(value)):  # else see resolved_texts
                yield Diagnostic(
                    "K222",
                    f"`{value[:80]}` is not the value of a node's label",
                    owner.place("node_selector", key),
                    problem,
                )
        security = owner.security_context
        if security and security.run_as_non_root and security.run_as_user == 0:
            help_ = "name another user, or leave `runAsNonRoot` out"
            yield Diagnostic(
                "K222", "the pod shall run as user 0 and not as root", security.place("run_as_user"), help_
            )
    for task in document.tasks:
        affinity = task.node_affinity
        if affinity is None:
            continue
        required = affinity.required_during_scheduling_ignored_during_execution
        if required and not required.node_selector_terms:
            yield Diagnostic(
                "K222",
                "there are no terms",
                required.place("node_selector_terms"),
                "name at least one, or leave the affinity out",
            )
        terms = list(required.node_selector_terms) if required else []
        terms += [one.preference for one in affinity.preferred_during_scheduling_ignored_during_execution or ()]
        for term in terms:
            yield from _term(document, term)


def _toleration(toleration: Toleration) -> Iterator[Diagnostic]:
    """Kubernetes: pkg/apis/core/validation, ValidateTolerations."""
    operator = toleration.operator or "Equal"
    if toleration.key and "{{" not in toleration.key and (problem := key_problem(toleration.key)):
        yield Diagnostic("K222", f"`{toleration.key[:80]}` is not the key of a taint", toleration.place("key"), problem)
    if not toleration.key and operator == "Equal":
        yield Diagnostic(
            "K222",
            "a toleration without a key needs the operator Exists",
            toleration.at,
            'add "operator": "Exists", or a key',
        )
    if operator == "Exists" and toleration.value:
        yield Diagnostic(
            "K222",
            "a toleration with the operator Exists has no value",
            toleration.place("value"),
            "leave it out, or use Equal",
        )
    elif toleration.value and "{{" not in toleration.value and (problem := value_problem(toleration.value)):
        yield Diagnostic(
            "K222", f"`{toleration.value[:80]}` is not the value of a taint", toleration.place("value"), problem
        )
    if toleration.toleration_seconds is not None and toleration.effect != "NoExecute":
        yield Diagnostic(
            "K222",
            "`tolerationSeconds` goes with the effect NoExecute alone",
            toleration.place("toleration_seconds"),
            "leave it out",
        )


def _term(document: Document, term: NodeTerm) -> Iterator[Diagnostic]:
    for expression in term.match_expressions or ():
        if not document.is_torn(expression.place("values")):
            yield from _expression(expression)
    for expression in term.match_fields or ():
        if not document.is_torn(expression.place("values")):
            yield from _field(expression)
    if not term.match_expressions and not term.match_fields:
        yield Diagnostic("K222", "the term says nothing", term.at, "give it `matchExpressions` or `matchFields`")


def _is_number(text: str) -> bool:
    """Whether it is a label's value, so without a sign, and the scheduler's strconv.ParseInt takes it for 64 bits."""
    return _DIGITS.fullmatch(text) is not None and int(text) < 2**63


def _field(expression: SelectorTerm) -> Iterator[Diagnostic]:
    """Kubernetes: pkg/apis/core/validation, ValidateNodeFieldSelectorRequirement."""
    values, help_ = expression.values or [], "Kubernetes looks at the node's name alone, and for one value"
    if expression.operator not in ("In", "NotIn"):
        message = f"the operator {expression.operator} is not for fields"
        yield Diagnostic("K222", message, expression.place("operator"), "use In or NotIn")
    elif len(values) != 1:
        at = expression.place("values") if expression.values is not None else expression.at
        yield Diagnostic("K222", f"the operator {expression.operator} needs one value for a field", at, help_)
    if "{{" not in expression.key and expression.key != "metadata.name":
        message = f"nodes cannot be chosen by the field `{expression.key[:80]}`"
        yield Diagnostic("K222", message, expression.place("key"), "it can only be `metadata.name`")
    elif len(values) == 1 and "{{" not in values[0] and not DNS_NAME.fullmatch(values[0]):
        message = f"`{values[0][:80]}` is not the name of a node"
        yield Diagnostic("K222", message, expression.place("values", 0), DNS_RULE)


def _expression(expression: SelectorTerm) -> Iterator[Diagnostic]:
    """Kubernetes: pkg/apis/core/validation, ValidateNodeSelectorRequirement."""
    values, operator = expression.values or [], expression.operator
    wrong = ""
    if operator in ("In", "NotIn") and not values:
        wrong = "needs at least one value"
    elif operator in ("Exists", "DoesNotExist") and values:
        wrong = "takes no values"
    elif operator in ("Gt", "Lt") and (len(values) != 1 or not ("{{" in values[0] or _is_number(values[0]))):
        wrong = "needs one whole number from 0 on, as a text"
    if wrong:
        at = expression.place("values") if expression.values is not None else expression.at
        yield Diagnostic("K222", f"the operator {operator} {wrong}", at, "as Kubernetes has it for node affinity")
    for i, value in enumerate(values):
        if not wrong and operator in ("In", "NotIn") and "{{" not in value and (problem := value_problem(value)):
            yield Diagnostic(
                "K222", f"`{value[:80]}` is not the value of a node's label", expression.place("values", i), problem
            )
    if "{{" not in expression.key and (problem := key_problem(expression.key)):
        yield Diagnostic(
            "K222",
            f"`{expression.key[:80]}` is not the key of a node's label",
            expression.place("key"),
            problem,
        )
