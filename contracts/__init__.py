"""The rule book: what a transaction may do to the state, one file per action, all of one shape."""
