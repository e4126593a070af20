"""Deconvolution: what a picture was before one kernel blurred it, with the kernel known or to be found."""
