"""Keys, and the guard with and without them."""

from scoring.serving.access import Guard, KeyRing

OLD, NEW, OTHER = "a" * 32, "b" * 32, "c" * 32
OPEN, LOCKED = Guard(KeyRing()), Guard(KeyRing(f"desk:{OLD}, {OTHER}"))
