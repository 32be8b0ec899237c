"""How good samples are: figures, what they are computed from, and in whose features."""
