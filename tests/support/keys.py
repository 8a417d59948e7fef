"""Keys, and the guard with and without them."""

from scoring.serving.access import AccessGuard, KeyRing

OLD, NEW, OTHER = "a" * 32, "b" * 32, "c" * 32
OPEN, LOCKED = AccessGuard(KeyRing()), AccessGuard(KeyRing(f"desk:{OLD}, {OTHER}"))
