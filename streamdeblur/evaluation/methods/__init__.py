"""What is compared: methods that make sharp faces of blurry ones, by name."""

from streamdeblur.evaluation.methods.registry import METHODS, open_method

__all__ = ["METHODS", "open_method"]
