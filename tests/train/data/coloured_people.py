"""People told apart by how red they are, and a network that sees just that."""

from types import SimpleNamespace

import numpy as np

from networks.network import normalise
from tests.train.data.numbered import SIDE, encoded

_random = np.random.default_rng(0)
PEOPLE = normalise(np.linalg.qr(_random.standard_normal((64, 64)))[0][:16].astype(np.float32))
LOOKS = normalise(_random.standard_normal((16, 64)).astype(np.float32))


def face(person, look=0, kind="JPEG"):
    """The encoded picture of a person, 0..15, in one of 16 looks."""
    rgb = np.zeros((SIDE, SIDE, 3), np.uint8)
    rgb[..., 0], rgb[..., 1] = person * 16, look * 16
    return encoded(rgb, kind)


def embedding(person, look=0):
    """What the network makes of it."""
    return normalise((PEOPLE[person] + 0.4 * LOOKS[look])[None])[0]


class ColourNetwork:
    """Stands for ``networks.Network``; ``calls`` counts pictures, and it fails when ``left`` of them are embedded."""

    def __init__(self, digest="colours", left=None):
        self.name, self.dim, self.digest = "colours", 64, digest
        self.card = SimpleNamespace(input_size=(SIDE, SIDE))
        self.calls, self.left = 0, left

    def embed(self, pictures):
        assert pictures.shape[1:] == (SIDE, SIDE, 3) and pictures.dtype == np.uint8
        self.calls += len(pictures)
        if self.left is not None and self.calls > self.left:
            raise KeyboardInterrupt
        means = np.rint(pictures.astype(np.float64).mean(axis=(1, 2)) / 16).astype(int)
        return np.stack([embedding(red, green) for _, green, red in means])


def write_folder(folder, people):
    """FOLDER/NAME/LOOK.jpg from {name: (person, looks)} or {name: [(person, look), ...]}."""
    for name, faces in people.items():
        (folder / name).mkdir(parents=True)
        for number, (person, look) in enumerate(faces):
            (folder / name / f"{number}.jpg").write_bytes(face(person, look))
    return folder
