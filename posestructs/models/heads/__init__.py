"""Heads."""

__all__: list[str] = []
