"""Feeds: CSV, JSON and GeoJSON of any shape, read by mappings that are data, not code."""
