"""Measurements, each with a command of its own."""
