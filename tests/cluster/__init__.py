"""Tests of kade2kfp.cluster, and the Kubernetes API that they talk to."""
