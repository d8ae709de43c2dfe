"""Discriminators of Adversarial PoseNet."""

__all__: list[str] = []
