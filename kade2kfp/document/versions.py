"""Older versions of the format. What makes one the present version is kade2kfp/rewrite/upgrade.py."""

from __future__ import annotations

OLDER_VERSIONS = ("kade2kfp/v1beta1",)
"""Versions that `kade2kfp upgrade` knows; no other command reads them."""
