"""Recognisers of two kilobytes, and galleries whose people have crops: what tests of whole galleries need."""

from dataclasses import replace

import cv2
import numpy as np
import openvino as ov
import yaml
from openvino import opset13 as op

import db
from networks.card import ModelCard

CARD = ModelCard("tiny", task="embedding", input_size=(8, 6), embedding_size=5, mean=127.5, scale=128.0)


def model(folder, name="tiny", seed=1, size=5):
    """The path of a network whose embedding is the picture times random weights."""
    folder.mkdir(exist_ok=True)
    weights = np.random.default_rng(seed).normal(size=(8 * 6 * 3, size)).astype(np.float32)
    x = op.parameter([-1, 8, 6, 3], np.float32)
    flat = op.reshape(x, op.constant(np.array([0, 8 * 6 * 3])), True)
    output = op.matmul(flat, op.constant(weights), False, False)
    ov.save_model(ov.Model([output.output(0)], [x]), folder / f"{name}.xml", compress_to_fp16=False)
    card = replace(CARD, name=name, embedding_size=size)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(card.to_mapping()))
    return folder / f"{name}.xml"


def crop(seed, size=(8, 6)):
    """An aligned face, uint8 ``[h, w, 3]``, of noise."""
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def png(picture):
    return cv2.imencode(".png", picture)[1].tobytes()


def face(network, seed):
    """A face with its crop, as enrolling with ``store_crops`` makes it."""
    return db.Face(network.embed(crop(seed)[None])[0], f"{seed}.jpg", 0.5, png(crop(seed)), f"{seed:064x}")


def gallery_of(database, network, name="default"):
    return database.gallery(name, network.name, network.digest, network.dim)
