"""From what a source stated to what can be compared, sold and called: rules, no model.

Every rule is a function of the record; what it derives, changes or doubts it notes under
the field's name (`phone`, `email`, `name`, `latitude`, `longitude` for the contact's).
"""

from engine.intake.cleaning.rules import clean

__all__ = ["clean"]
