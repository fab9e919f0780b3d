"""What a lead costs now, and why: parts, policies, and what is learnt of demand."""
