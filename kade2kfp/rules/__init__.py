"""A team's rules: which warnings count, and what a pipeline may use (docs/rules.md)."""
