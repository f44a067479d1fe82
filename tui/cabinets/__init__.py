"""The cabinets: one screen for each part that somebody plays. A new one is a new file here, with a `CABINET` in it."""
