"""Kubeflow Pipelines' own API: which one, how it is asked, what is made there. Only these modules and lowering import kfp."""
