"""Parts of ``benchmarks/adversarial_recipes.py``."""
