"""Training and measuring entity resolution; the scorer itself is engine.intake.resolution."""
