"""Photos of a request, limited before anything is decoded: how many, how many bytes, how many pixels."""

import io
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from mtcnn.pictures import FORMATS, MAX_SIDE
from recognizer.service.context import Services, services
from recognizer.service.errors import TooLarge, Unprocessable

FIELD = "photos"
MOST_FIELDS = 16
LONGEST_FIELD = 64 * 1024  # bytes
LONGEST_NAME = 120  # characters of a file's name that are told back
MULTIPART = "multipart/form-data"
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            MULTIPART: {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {
                        FIELD: {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}
                    },
                }
            }
        },
    }
}


@dataclass(frozen=True)
class Upload:
    """A photo as it came: its name, made harmless, and its encoded bytes, whose picture is within the limits."""

    name: str
    data: bytes = field(repr=False)


async def photos(request: Request, having: Annotated[Services, Depends(services)]) -> list[Upload]:
    """A dependency: the files of the multipart field ``photos``, in their order, at least one.

    Of a file, what does not look like a picture passes: whoever decodes it says what is wrong.

    Raises:
        TooLarge: too many, or too many pixels. Unprocessable: no multipart, or no photo in it.
    """
    async with form(request, having.settings.max_photos) as parsed:
        return await read(parsed, having.settings.max_pixels)


async def read(parsed: FormData, max_pixels: int) -> list[Upload]:
    """The photos of a form that was parsed; see :func:`photos`."""
    files = [each for each in parsed.getlist(FIELD) if isinstance(each, UploadFile)]
    if not files:
        raise Unprocessable(f"Send photos as multipart/form-data, in the field {FIELD}.", "no_photos")
    uploads = [Upload(name_of(file, number), await file.read()) for number, file in enumerate(files, 1)]
    await run_in_threadpool(_check_all, uploads, max_pixels)
    return uploads


def is_multipart(request: Request) -> bool:
    """Whether the body is said to be a form with files."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower() == MULTIPART


def form(request: Request, most: int) -> "_Parsed":
    """The form of a request, with at most so many files: ``async with form(request, 32) as parsed``.

    Raises:
        TooLarge, Unprocessable.
    """
    if not is_multipart(request):
        raise Unprocessable(f"Send photos as multipart/form-data, in the field {FIELD}.", "no_photos")
    return _Parsed(request, most)


class _Parsed:
    """``request.form()`` with limits, whose refusals are ours."""

    def __init__(self, request: Request, most: int):
        self._most = most
        self._form = request.form(max_files=most, max_fields=MOST_FIELDS, max_part_size=LONGEST_FIELD)

    async def __aenter__(self) -> FormData:
        try:
            return await self._form.__aenter__()
        except HTTPException as error:
            if "files" in str(error.detail):
                raise TooLarge(f"At most {self._most} photos a request.", most=self._most) from None
            raise Unprocessable(f"The form cannot be read: {error.detail}", "bad_form") from None

    async def __aexit__(self, *exception: object) -> None:
        await self._form.__aexit__(*exception)


def name_of(file: UploadFile, number: int) -> str:
    """What a file is called in answers: its name without folders and what cannot be printed, or its place."""
    name = (file.filename or "").replace("\\", "/").rpartition("/")[2]
    name = "".join(each for each in name if each.isprintable()).strip()[:LONGEST_NAME]
    return name or f"photo {number}"


def _check_all(uploads: list[Upload], max_pixels: int) -> None:
    for upload in uploads:
        size = size_of(upload.data)
        if size is not None and (size[0] * size[1] > max_pixels or max(size) > MAX_SIDE):
            raise TooLarge(
                f"{upload.name} has {size[0]}x{size[1]} pixels; at most {max_pixels} in all and {MAX_SIDE} a side.",
                photo=upload.name, most=max_pixels,
            )  # fmt: skip


def size_of(data: bytes) -> tuple[int, int] | None:
    """Width and height as the header says, nothing decoded; None where it is no picture that can be told."""
    from PIL import AvifImagePlugin, Image, TiffImagePlugin, WebPImagePlugin  # noqa: F401 (they register formats)

    try:
        return Image.open(io.BytesIO(data), formats=FORMATS).size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return MAX_SIDE + 1, MAX_SIDE + 1
    except Exception:  # header parsers raise nearly anything on damaged bytes; the decoder will say what
        return None
