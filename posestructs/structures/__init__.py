"""What a body is made of: kinematic trees and what is fitted to them."""

__all__: list[str] = []
