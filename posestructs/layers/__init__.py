"""Pure tensor functions of the two methods and thin modules around them."""

__all__: list[str] = []
