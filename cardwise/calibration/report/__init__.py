"""docs/accuracy.md and its plots: what the fit was off by, computed from the predictions that ship with it."""
