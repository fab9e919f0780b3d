"""The feed: markets, prices and what is a buyer's own, as they change."""
