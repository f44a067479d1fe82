"""Whole screens: the network, a block or transaction to its last field, the keys."""
