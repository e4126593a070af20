"""A demonstration that needs no input files."""
