"""What a lead is worth when fresh, with all its seats, in calm demand: the base of its price."""
