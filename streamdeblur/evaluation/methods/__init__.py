"""The deblurring methods that can be evaluated, by name."""

from streamdeblur.evaluation.methods.registry import METHODS, open_method

__all__ = ["METHODS", "open_method"]
