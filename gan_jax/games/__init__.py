"""Games, one module per kind: make(...) -> Game."""
