"""A machine for KFP's IR: it executes a compiled pipeline as KFP 2.17.0, Argo and Kubernetes would (tests/README.md)."""
