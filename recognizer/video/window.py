"""Live pictures in a window, where OpenCV can open one."""

import os
import sys

import cv2
import numpy as np

from common.errors import MissingDependency

TITLE = "recognizer camera"
QUIT = (27, ord("q"))  # Escape


class Window:
    """A window; Escape, q or closing it ends the show.

    Raises:
        MissingDependency: OpenCV was built without windows, as ``opencv-python-headless`` is, or there is no screen.
    """

    def __init__(self):
        if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise MissingDependency("There is no screen for a window. Without --window, a browser shows the camera.")
        try:
            cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        except cv2.error:
            raise MissingDependency(
                "This OpenCV opens no windows: replace opencv-python-headless by opencv-python, or leave out --window "
                "and look at the camera in a browser."
            ) from None
        self._is_sized = False

    def show(self, picture: np.ndarray) -> bool:
        """Show a picture uint8 ``[H, W, 3]`` BGR; False once the user has had enough."""
        if not self._is_sized:  # as the picture is; from then on as the user likes
            cv2.resizeWindow(TITLE, picture.shape[1], picture.shape[0])
            self._is_sized = True
        cv2.imshow(TITLE, picture)
        pressed = cv2.waitKey(1) & 0xFF
        return pressed not in QUIT and cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) >= 1

    def close(self) -> None:
        """Close it."""
        cv2.destroyWindow(TITLE)
