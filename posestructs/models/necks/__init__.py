"""Necks."""

__all__: list[str] = []
