"""Checks a drawn machine-learning pipeline and lowers it into Kubeflow Pipelines v2."""

__version__ = "0.1.0"
