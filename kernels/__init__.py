"""Loops over pixels, compiled by Numba: installed as ``streamdeblur.kernels``.

Each kernel works on plain arrays, releases the GIL, and is held against a plain NumPy twin in the tests.
"""
