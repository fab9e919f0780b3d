"""What the market answers, as typed values."""
