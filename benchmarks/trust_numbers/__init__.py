"""Numbers, tables and figures of ``benchmarks/trust.py``."""
