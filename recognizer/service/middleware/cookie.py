"""The cookie in which a browser shows the session of somebody who has signed in."""

from recognizer.service.middleware import asgi

NAME = "recognizer_session"
SECURE_NAME = f"__Host-{NAME}"
AMBIGUOUS = "several sessions"  # has not the shape of a token, and so is refused as one that is wrong


def read(scope: asgi.Scope) -> str | None:
    """The token that a request shows; None where there is none.

    Pages of neighbours (another port, another name of the same domain) may add cookies of the same name: where there
    are several, none is chosen. Over TLS the name begins with ``__Host-``, and only this host can have set it.
    """
    wanted, found = _name(scope), set()
    for header in asgi.values(scope, b"cookie"):
        for pair in header.decode("latin-1").split(";"):
            name, _, value = pair.strip(" \t").partition("=")
            if name == wanted and value:
                found.add(value)
    if not found:
        return None
    return found.pop() if len(found) == 1 else AMBIGUOUS


def given(scope: asgi.Scope, token: str, seconds: int) -> str:
    """``Set-Cookie`` that has a browser show a token for so long: to this host alone, and to no script."""
    secure = "; Secure" if _is_secure(scope) else ""
    return f"{_name(scope)}={token}; Max-Age={seconds}; Path=/; HttpOnly; SameSite=Strict{secure}"


def cleared(scope: asgi.Scope) -> str:
    """``Set-Cookie`` that has a browser forget the token."""
    return given(scope, "", 0)


def _name(scope: asgi.Scope) -> str:
    return SECURE_NAME if _is_secure(scope) else NAME


def _is_secure(scope: asgi.Scope) -> bool:
    return scope.get("scheme") in ("https", "wss")
