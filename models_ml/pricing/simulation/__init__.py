"""A seeded market with hidden valuations, in which pricing policies are compared."""
