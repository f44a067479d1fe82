"""Validators that lie, one behaviour a file."""
