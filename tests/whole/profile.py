"""How many examples the property tests try: few by default, many with KADE2KFP_TESTS=thorough."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

THOROUGH = os.environ.get("KADE2KFP_TESTS") == "thorough"


def tries(quick: int, thorough: int) -> settings:
    """Settings for one test. The quick examples are the same in every run; the thorough ones are new, and made small."""
    return settings(
        max_examples=thorough if THOROUGH else quick,
        derandomize=not THOROUGH,
        deadline=None,
        print_blob=True,
        phases=[Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if THOROUGH else [])],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    )
