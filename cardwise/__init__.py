"""Which card, how many of them, how fast, at what cost: predictions for serving a model."""

__version__ = "0.1.0"
