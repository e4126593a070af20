"""The networks of the learned methods that the paper compares with, at a size that a CPU trains."""
