"""Diagnostics: the data, how much each matters, and how they are shown."""
