"""Fakes of devices that this machine lacks."""
