"""What each request passes before the routes, from the outside in. Plain ASGI: each part is one class in a file.

    install(app, settings)

The order is part of the protection: nothing of a body is read before a key was checked, nothing is parsed before it was
counted, and what is refused on the way is logged and has its headers like any other answer.
"""

from fastapi import FastAPI

from recognizer.service.middleware.access_log import AccessLog
from recognizer.service.middleware.checking import Checking
from recognizer.service.middleware.failing import Failing
from recognizer.service.middleware.headers import Headers
from recognizer.service.middleware.inside import Inside
from recognizer.service.middleware.keys import Keys
from recognizer.service.middleware.limits import Limits
from recognizer.service.middleware.origin import Origin
from recognizer.service.middleware.proxy import Proxy
from recognizer.service.middleware.rate import Failures
from recognizer.service.middleware.request_id import RequestId
from recognizer.service.settings import ServiceSettings


def install(app: FastAPI, settings: ServiceSettings) -> None:
    """Put all of it around an application that has not answered yet.

    Raises:
        BadConfig: ``trusted_proxies`` holds something else than addresses and networks.
    """
    app.state.checking = checking = Checking(Failures(settings.failures_per_minute))  # signing in needs it, too
    parts = (
        (Inside, {}),
        (RequestId, {}),
        (AccessLog, {}),
        (Headers, {}),
        (Failing, {}),
        (Proxy, {"trusted": settings.trusted_proxies}),
        (Origin, {"keys_off": settings.keys == "off"}),
        (Keys, {"checking": checking, "required": settings.keys == "required", "pages": settings.pages}),
        (Limits, {"settings": settings}),
    )
    for part, options in reversed(parts):  # the last one that is added is the outermost
        app.add_middleware(part, **options)
