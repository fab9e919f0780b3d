"""Simulated buyers with hidden tastes: nobody's purchases are recorded here yet."""
