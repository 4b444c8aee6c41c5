"""Videos and cameras: faces followed from frame to frame, and named by their best frames.

    from recognizer import Recognizer
    from recognizer.video import recognize_video

    result = recognize_video(Recognizer(), "party.mp4", "annotated.mp4")

Needs PyAV (``pip install insightface-tensorflow[video]``), which is imported when a video is opened.
"""

from recognizer.video.camera import Camera
from recognizer.video.live import LiveRecognizer
from recognizer.video.recognize import recognize_video
from recognizer.video.results import Track, VideoProgress, VideoResult
from recognizer.video.take_pic import Taken, take_pic

__all__ = [
    "Camera", "LiveRecognizer", "Taken", "Track", "VideoProgress", "VideoResult", "recognize_video", "take_pic",
]  # fmt: skip
