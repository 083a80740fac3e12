"""Runs on a cluster, by Kubernetes' API: gates, their steps' files, ports and shells."""
