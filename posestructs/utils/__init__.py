"""Small helpers without a better place."""
