"""A made-up market to trade on and to measure against, when no captures are given."""

from engine.intake.sample_world.home import Home, Person, Sighting
from engine.intake.sample_world.world import SampleWorld

__all__ = ["Home", "Person", "SampleWorld", "Sighting"]
