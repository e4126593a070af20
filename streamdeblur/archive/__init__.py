"""Whole archives: plans of files and segments, and the processes and machines that work them off."""
