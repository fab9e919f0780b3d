"""Which leads a buyer is shown first: taste, candidates, ranking, and what it is measured by."""
