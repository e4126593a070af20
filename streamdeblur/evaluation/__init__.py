"""Evaluation: how much of what blur took away comes back, for any method, on any data."""
