"""The key that a request shows."""

from hashlib import sha256

from recognizer.service.middleware import asgi

PUBLIC = 15  # characters of "rk_" and the id
AMBIGUOUS = "several keys"  # has not the shape of a key, and so is refused as one that is wrong


def presented(scope: asgi.Scope) -> str | None:
    """What stands in ``Authorization: Bearer`` or ``X-API-Key``; None where there is nothing.

    Never in the address, which gets into logs and histories.
    """
    found = {value.decode("latin-1").strip() for value in asgi.values(scope, b"x-api-key")}
    for value in asgi.values(scope, b"authorization"):
        scheme, _, key = value.decode("latin-1").partition(" ")
        found.add(key.strip() if scheme.lower() == "bearer" else "")
    if not found:
        return None
    return found.pop() if len(found) == 1 else AMBIGUOUS


def public_part(shown: str) -> str:
    """What of a key, or of the token of a session, may be remembered: its id, or a digest where it has none."""
    return shown[:PUBLIC] if shown.startswith("rk_") else sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()
