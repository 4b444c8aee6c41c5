"""Enrols a facebank in a process of its own: ``python enrol_process.py DATABASE FACEBANK``; a dot per stored batch."""

import sys

from db.gallery import Gallery
from recognizer import Recognizer, facebank


def main(database: str, folder: str) -> None:
    facebank.BATCH = 4
    stored = Gallery.add_unseen

    def reported(gallery, faces):
        added = stored(gallery, faces)
        print(".", flush=True)
        return added

    Gallery.add_unseen = reported
    with Recognizer(database=database) as recognizer:
        print("ready", flush=True)
        recognizer.add_facebank(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
