"""Measurements behind ``benchmarks/throughput.py``."""
