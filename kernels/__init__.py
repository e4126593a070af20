"""Loops over pixels, compiled by Numba: installed as ``streamdeblur.kernels``.

Each kernel works on plain arrays, releases the GIL, and is compared with a plain NumPy reference in the tests. `checked` makes
the entry through which Python calls it.
"""
