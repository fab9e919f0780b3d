"""The private services of one installation on one machine: how they start, run and stop."""
