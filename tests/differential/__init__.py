"""The compiled pipeline on the IR machine and the document on this machine: both must do the same (tests/README.md)."""
