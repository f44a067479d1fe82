"""Measurements of the product on real and made data."""
