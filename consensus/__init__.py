"""Consensus: Simplex with explicit nullify votes, as a pure engine."""
