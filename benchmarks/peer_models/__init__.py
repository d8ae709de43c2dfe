"""Ready-made pose models behind ``benchmarks/peers.py``."""
