"""How pricing does in a simulated market, calibrated on real listings."""
