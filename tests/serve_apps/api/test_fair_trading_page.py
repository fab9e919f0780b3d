"""docs/FairTrading.md is run, and names what there is."""

from __future__ import annotations

import re
from pathlib import Path

from engine.market import claims
from engine.market.standing_rules import NUMBER_RULES
from engine.market.standing_terms import StandingFilter

PAGE = (Path(__file__).parents[3] / "docs" / "FairTrading.md").read_text()


def test_the_example_is_true() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    known: dict[str, object] = {}
    exec(example, known)
    # And it is the market's own arithmetic.
    seed = str(known["seed"])
    assert claims.commitment_of(seed) == known["commitment"]
    buyers = known["buyers"]
    assert isinstance(buyers, dict)
    ranked = claims.ranked(
        claims.Claim(
            user_id,
            "buy",
            priority,
            wins,
            claims.draw_of(seed, claims.claim_id_of(user_id, "lead-7")),
        )
        for user_id, (priority, wins) in buyers.items()
    )
    assert [claim.user_id for claim in ranked][:2] == known["winners"]


def test_every_rule_is_named() -> None:
    named = set(re.findall(r"`([a-z_.]+)`", PAGE))
    fields = {
        "filter." + re.sub("_(min|max)$", "", name)
        for name in StandingFilter.__struct_fields__
        if name != "radius_m"
    }
    assert named >= fields | set(NUMBER_RULES)
    assert named >= {
        *("paused", "hours", "per_day", "budget", "credits", "seats", "outranked", "unknown"),
        *("already_bought", "already_held", "lead_state"),
    }
