"""Backbones."""

__all__: list[str] = []
