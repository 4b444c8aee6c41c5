"""The live connection: a WebSocket for the pictures of a camera."""

from fastapi import APIRouter, WebSocket

from recognizer.service.context import allow, caller_of, gallery_name, services_of
from recognizer.service.live.connection import Live
from recognizer.service.live.tasks import task_of

router = APIRouter(tags=["faces"])


@router.websocket("/live")
async def live(socket: WebSocket) -> None:
    """Answer each picture before the next; ``?gallery=NAME&task=recognize|enrol``. See docs/live.md.

    What is raised before it is accepted is answered in the shape of all errors, as plain HTTP.
    """
    services, caller = services_of(socket), caller_of(socket)
    task = task_of(socket.query_params.get("task", "recognize"))
    await allow(task.role)(caller)
    gallery = await gallery_name(caller, services, socket.query_params.get("gallery"))
    await services.recognizers.get(gallery)
    await socket.accept()
    with services.metrics.live():
        await Live(socket, services, task, gallery).run()
