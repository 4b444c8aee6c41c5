"""The pictures of the README: ``python -m tests.recognizer.pages.screenshots FOLDER``.

Faces are blurred in them: no photo is part of this project.
"""

import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from mtcnn import create, read_picture
from networks import zoo
from tests.browser import started
from tests.recognizer.pages.films import film, scene
from tests.recognizer.pages.sites import photo_files, served
from tests.recognizer.video.clips import RATE, write
from tests.recognizer.video.clips import scene as video_scene

PEOPLE = {"Barack Obama": ("obama", "obama2"), "Joe Biden": ("biden",)}
BLUR = """() => document.querySelectorAll("main img, main video").forEach((each) => {
    each.style.filter = `blur(${Math.min(12, Math.max(6, each.clientWidth / 45))}px)`;
    each.parentElement.style.overflow = "hidden";
})"""
COLOURS = 128  # of the files' palettes


def main(folder: Path) -> None:
    """Write all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as room, served(Path(room)) as site, started() as browser:
        portraits = {name: _portrait(name) for names in PEOPLE.values() for name in names}
        for name, photos in PEOPLE.items():
            site.ask("POST", f"people/{name}/photos", files=photo_files(*(portraits[each] for each in photos)))
        _people(browser, site, folder)
        _recognize(browser, site, folder, Path(room), portraits)
        _video(browser, site, folder, Path(room), portraits)
        _camera(browser, site, folder, Path(room))
        with browser.open(f"{site.url}/system", width=1200) as opened:
            _shoot(opened, folder / "system.png")


def _people(browser, site, folder: Path) -> None:
    with browser.open(f"{site.url}/people", width=1200) as opened:
        _shoot(opened, folder / "people.png")
    with browser.open(f"{site.url}/person?name=Barack Obama", width=390, dark=True) as opened:
        _shoot(opened, folder / "person-phone.png", height=1400)


def _recognize(browser, site, folder: Path, room: Path, portraits) -> None:
    group = str(room / "group.jpg")
    cv2.imwrite(group, read_picture(zoo.sample("t1")))
    alone = str(room / "obama.jpg")
    cv2.imwrite(
        alone, video_scene((640, 400), (portraits["obama2"], (200, 210), 260), (portraits["biden"], (450, 210), 240))
    )
    with browser.open(f"{site.url}/recognize", width=1200) as opened:
        opened.page.locator("#files").set_input_files([alone, group])
        opened.page.get_by_text("Barack Obama").first.wait_for(timeout=60_000)
        opened.page.wait_for_timeout(3000)
        _shoot(opened, folder / "recognise.png", height=1500)


def _video(browser, site, folder: Path, room: Path, portraits) -> None:
    frames = [
        video_scene(
            (640, 360), (portraits["obama"], (150 + 2 * i, 180), 230),
            *([(portraits["biden"], (500, 180), 220)] if 30 < i < 90 else []),
        )
        for i in range(5 * RATE)
    ]  # fmt: skip
    clip = write(room / "party.mp4", frames)
    with clip.open("rb") as file:
        job = site.ask("POST", "jobs/video", files={"video": ("party.mp4", file)}).json()
    with browser.open(f"{site.url}/video/{job['id']}", width=900) as opened:
        opened.page.get_by_role("link", name="Joe Biden").wait_for(timeout=120_000)
        opened.page.evaluate("document.getElementById('copy').currentTime = 2")
        opened.page.wait_for_timeout(2000)
        _shoot(opened, folder / "video.png")


def _camera(browser, site, folder: Path, room: Path) -> None:
    path = room / "film.mjpeg"
    film(path, scene(_portrait("obama3")))
    with (
        browser.with_camera(path) as cinema,
        cinema.open(f"{site.url}/recognize#camera", width=1200, permissions=["camera"]) as opened,
    ):
        opened.page.get_by_role("button", name="Start the camera").click()
        opened.page.locator("#camera [data-part=inSight]").get_by_text("Barack Obama").wait_for(timeout=60_000)
        opened.page.wait_for_timeout(2000)
        _shoot(opened, folder / "camera.png")


def _shoot(opened, path: Path, height: int = 1200) -> None:
    """What is seen of a page, at most ``height`` pixels high."""
    opened.page.evaluate(BLUR)
    opened.page.wait_for_timeout(200)
    opened.page.screenshot(path=path, full_page=True)
    picture = Image.open(path).convert("RGB")
    picture = picture.crop((0, 0, picture.width, min(height, picture.height)))
    picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT).save(path, optimize=True)


def _portrait(name: str) -> np.ndarray:
    """The face of a sample photo with what is around it, uint8 ``[260, 260, 3]`` BGR."""
    picture = read_picture(zoo.sample(name))
    x1, y1, x2, y2 = create("mtcnn").detect_single(picture).boxes[0]
    x, y, half = (x1 + x2) / 2, (y1 + y2) / 2, 0.9 * max(x2 - x1, y2 - y1)
    cut = picture[max(0, int(y - half)) : int(y + half), max(0, int(x - half)) : int(x + half)]
    return cv2.resize(cut, (260, 260), interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
