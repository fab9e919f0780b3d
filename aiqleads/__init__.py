"""What integrators install: `aiqleads.client`. It knows the market by its public contract alone."""
