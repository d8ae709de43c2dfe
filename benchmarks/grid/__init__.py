"""The grid of models, data sets and seeds behind ``benchmarks/accuracy.py``."""
