"""Folders of identities for a network of two kilobytes, and what it makes of them, computed by hand."""

import cv2
import numpy as np
import openvino as ov
import yaml
from openvino import opset13 as op

from networks.card import ModelCard

CARD = ModelCard("tiny", input_size=(24, 16), embedding_size=5, mean=127.5, scale=128.0)
SIZE = CARD.input_size
WEIGHTS = np.random.default_rng(1).normal(size=(24 * 16 * 3, 5)).astype(np.float32)


def model(folder):
    """The path of a network whose embedding is the face, 24 x 16 pixels, times random weights."""
    folder.mkdir(exist_ok=True)
    x = op.parameter([-1, *SIZE, 3], np.float32)
    flat = op.reshape(x, op.constant(np.array([0, len(WEIGHTS)])), True)
    output = op.matmul(flat, op.constant(WEIGHTS), False, False)
    ov.save_model(ov.Model([output.output(0)], [x]), folder / "tiny.xml", compress_to_fp16=False)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(CARD.to_mapping()))
    return folder / "tiny.xml"


def folder(path, counts, seed=0, noise=40):
    """Write ``path/pNUMBER/NUMBER.png``; returns {name below path: picture}, in natural order."""
    random = np.random.default_rng(seed)
    written = {}
    for person, count in enumerate(counts, 1):
        (path / f"p{person}").mkdir(parents=True)
        centre = random.integers(0, 256, (*SIZE, 3))
        for number in range(1, count + 1):
            picture = np.clip(centre + random.normal(0, noise, centre.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(str(path / f"p{person}" / f"{number}.png"), picture)
            written[f"p{person}/{number}.png"] = picture
    return written


def by_hand(pictures, flip="sum_raw"):
    """Embeddings float64 ``[n, 5]`` of the tiny network: RGB, (x - 127.5) / 128, times its weights."""
    pictures = list(pictures)

    def run(faces):
        return ((np.stack(faces)[..., ::-1] - 127.5) / 128).reshape(len(faces), -1) @ WEIGHTS

    straight, mirrored = run(pictures), run([picture[:, ::-1] for picture in pictures])
    found = {"none": straight, "sum_raw": straight + mirrored, "sum_normalised": unit(straight) + unit(mirrored)}
    return unit(found[flip])


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
