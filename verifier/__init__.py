"""Does the weather allow this energy? Integer-only verdicts over meter readings."""
