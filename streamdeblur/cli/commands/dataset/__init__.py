"""Commands that make data sets and count what they hold."""
