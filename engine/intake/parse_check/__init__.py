"""Measuring parsers: against another's reading of the same page, and against the document
itself, in which every value must stand."""
