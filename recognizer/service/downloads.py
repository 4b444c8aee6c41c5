"""Files as answers, whole or the bytes that ``Range`` asks for; what cannot be given is told as all errors are."""

from fastapi.responses import FileResponse

from recognizer.service.errors import ServiceError, response
from recognizer.service.middleware import asgi


class BadRange(ServiceError):
    """``Range`` names bytes that a file does not have, or cannot be read."""

    status, code = 416, "bad_range"


class Download(FileResponse):
    """A file. Raises nothing: a range that cannot be given is answered with 416 ``bad_range``."""

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        is_refused = False

        async def watched(message: asgi.Message) -> None:
            nonlocal is_refused
            is_refused = is_refused or message.get("status") in (400, 416)  # in plain text
            if not is_refused:
                await send(message)

        await super().__call__(scope, receive, watched)
        if is_refused:
            await response(self._refusal())(scope, receive, send)

    def _refusal(self) -> BadRange:
        size = int(self.headers["content-length"])
        whole = {"Content-Range": f"bytes */{size}"}
        return BadRange(f"Ask for bytes that the file has: it has {size}.", whole, bytes=size)
