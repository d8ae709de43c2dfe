"""Utilities: checks, files, checkpoints, configs and the command line."""
