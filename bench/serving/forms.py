"""Requests as bytes, and forms with files."""

from collections.abc import Mapping, Sequence

BOUNDARY = "bench-0f6c1d7e5a"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def form(photos: Sequence[bytes], fields: Mapping[str, str] | None = None, field: str = "photos") -> bytes:
    """The body of a form with text fields and files; its kind is ``FORM``."""
    parts = []
    for name, text in (fields or {}).items():
        parts.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode())
    for number, photo in enumerate(photos, 1):
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{number}.jpg"\r\n\r\n'
        parts.append(head.encode() + photo + b"\r\n")
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


def request(method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """A whole request to a service on this machine."""
    fields = {"Host": "127.0.0.1", **(headers or {})}
    if method != "GET":
        fields["Content-Length"] = str(len(body))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def search(photo: bytes) -> bytes:
    """A whole request that asks who is in a photo."""
    return request("POST", "/v1/search", form([photo]), {"Content-Type": FORM})
