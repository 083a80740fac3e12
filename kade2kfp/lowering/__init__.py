"""From a Plan to Kubeflow Pipelines v2 IR, through KFP's own SDK. Importing this costs nothing; lowering imports kfp."""

from __future__ import annotations

from typing import Literal

from kade2kfp.steps.model import Plan

Format = Literal["ir", "pipelineversion"]


def lower(plan: Plan, *, format: Format = "ir") -> str:
    """The plan as YAML text that KFP 2.17 takes, the same bytes on every machine.

    Args:
        plan: a plan that the checks have passed.
        format: `ir` for the pipeline spec (with the platform spec as a second document), `pipelineversion` for KFP's
            Kubernetes-native manifests, a Pipeline and a PipelineVersion.

    Raises:
        kade2kfp.lowering.text.CannotLowerError: the plan holds what KFP cannot carry; a check should have refused it.
    """
    from kade2kfp.lowering.pipeline import compile_plan

    return compile_plan(plan, format)
