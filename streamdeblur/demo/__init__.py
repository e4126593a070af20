"""A demonstration that needs nothing but the installation."""
