"""Products of rows, each within a stated error: one contract, one file a tier, and what goes through their scores."""
