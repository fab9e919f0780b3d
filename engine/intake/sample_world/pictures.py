"""The names of a sample home's pictures: its own, or those of the home they were taken from.

A name is the same wherever a picture is shown, as if every site kept the photographer's.
"""

from __future__ import annotations

from engine.intake.sample_world.seen import Seen


def picture_urls(seen: Seen) -> list[str]:
    """As a classified shows them, in its size."""
    return [f"https://images.sample.example/{name}_600x450.jpg" for name in seen.pictures]
