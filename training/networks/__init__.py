"""The networks of the two steps."""
