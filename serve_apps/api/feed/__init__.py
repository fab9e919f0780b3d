"""The live feed: numbered events and prices of every market over WebSocket."""
