"""A small IJB-C made of noise, as the official files have it, and what is in it as arrays."""

from dataclasses import dataclass

import cv2
import numpy as np

from networks.card import ModelCard
from networks.network import Network

SIZE = (8, 6)
WEIGHTS = np.random.default_rng(1).normal(size=(8 * 6 * 3, 16))
CARD = ModelCard("tiny", input_size=SIZE, embedding_size=16)


def function(faces):
    """Raw embeddings whose lengths differ from face to face."""
    return ((faces.reshape(len(faces), -1) / 255.0 - 0.5) @ WEIGHTS).astype(np.float32)


def network(run=function, digest="d", card=CARD):
    return Network(lambda faces: [run(faces)], card, digest)


@dataclass
class MadeUp:
    """What the files say, a row a picture, and the lists of 1:1 and 1:N."""

    folder: object
    pictures: list
    landmarks: np.ndarray
    scores: np.ndarray
    templates: np.ndarray
    media: np.ndarray
    pairs: np.ndarray
    galleries: dict
    probes: dict

    def meta(self, name):
        return self.folder / "meta" / f"ijbc_{name}"

    def rewrite(self, name, change):
        """Change a list, given as its lines."""
        path = self.meta(name)
        path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")


def ijbc(folder, seed=0, people=12, probes=3):
    """Write ``folder/IJBC``: half of the people in gallery G1 and half in G2, some probes of each."""
    random = np.random.default_rng(seed)
    owners = np.repeat(np.arange(people), 1 + probes)
    numbers = 1000 + random.permutation(len(owners)) * 3  # templates have numbers with gaps, in no order
    rows = [
        (template, owner, medium)
        for template, owner in zip(numbers, owners)
        for medium in random.choice(50, random.integers(1, 4), replace=False)
        for _ in range(random.integers(1, 4))  # a medium with several pictures is a video
    ]
    rows = [rows[each] for each in random.permutation(len(rows))]
    faces = random.integers(0, 256, (people, 6, 5, 3))
    pictures = [picture(random, faces[owner]) for _, owner, _ in rows]
    landmarks = np.stack([points(random) for _ in rows])
    scores = random.uniform(0.2, 1, len(rows)).round(3)
    by_gallery = {
        name: {int(numbers[(1 + probes) * person]): person + 70 for person in range(start, people, 2)}
        for start, name in enumerate(("G1", "G2"))
    }
    probed = {int(n): int(owner) + 70 for i, (n, owner) in enumerate(zip(numbers, owners)) if i % (1 + probes)}
    galleries = by_gallery["G1"] | by_gallery["G2"]
    pairs = [(g, p, int(galleries[g] == probed[p])) for g in galleries for p in probed]
    made = MadeUp(
        folder / "IJBC", pictures, landmarks, scores, np.array([row[0] for row in rows]),
        np.array([row[2] for row in rows]), np.array(pairs)[random.permutation(len(pairs))], by_gallery, probed,
    )  # fmt: skip
    write(made)
    return made


def picture(random, face):
    """A person's colours on 40x36 pixels, under much noise and with a contrast of its own."""
    base = cv2.resize(face.astype(np.float32), (36, 40), interpolation=cv2.INTER_NEAREST)
    mixed = 128 + random.uniform(0.2, 1) * (base - 128) + random.normal(0, 40, base.shape)
    return np.clip(mixed, 0, 255).astype(np.uint8)


def points(random):
    """Five points near where a face of 40x36 pixels has them."""
    target = np.array([[12, 17], [24, 17], [18, 24], [13, 31], [23, 31]])
    return (target + random.normal(0, 0.7, (5, 2))).round(3).astype(np.float32)


def write(made):
    (made.folder / "meta").mkdir(parents=True)
    (made.folder / "loose_crop").mkdir()
    for number, each in enumerate(made.pictures, 1):
        cv2.imwrite(str(made.folder / "loose_crop" / f"{number}.png"), each)
    names = [f"{number}.png" for number in range(1, len(made.pictures) + 1)]
    made.meta("name_5pts_score.txt").write_text(
        "".join(
            f"{name} {' '.join(f'{value:.3f}' for value in face.reshape(-1))} {score:.3f}\n"
            for name, face, score in zip(names, made.landmarks, made.scores)
        )
    )
    rows = zip(names, made.templates, made.media)
    made.meta("face_tid_mid.txt").write_text("".join(f"{name} {tid} {mid}\n" for name, tid, mid in rows))
    made.meta("template_pair_label.txt").write_text("".join("{} {} {}\n".format(*pair) for pair in made.pairs))
    for name, people in {**{f"gallery_{g}": p for g, p in made.galleries.items()}, "probe_mixed": made.probes}.items():
        pictures = made.templates.tolist()
        lines = [f"{t},{person},img/{i}.jpg,7" for t, person in people.items() for i in range(pictures.count(t))]
        made.meta(f"1N_{name}.csv").write_text("\n".join(["TEMPLATE_ID,SUBJECT_ID,FILENAME,SIGHTING_ID", *lines]))
