"""The retraining screens."""
