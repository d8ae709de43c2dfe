"""Encode joints to training targets, decode maps to joints."""

__all__: list[str] = []
