"""A batch to look at: its pictures on one sheet, its angles to the classes."""

import numpy as np

COLUMNS, LARGEST = 8, 64


def sheet(pictures: np.ndarray) -> np.ndarray:
    """Up to 64 pictures uint8 ``[n, h, w, 3]`` side by side, eight in a row; the rest of the last row is black."""
    pictures = pictures[:LARGEST]
    count, height, width, _ = pictures.shape
    rows = -(-count // COLUMNS)
    blank = np.zeros((rows * COLUMNS - count, height, width, 3), np.uint8)
    tiles = np.concatenate([pictures, blank]).reshape(rows, COLUMNS, height, width, 3)
    return tiles.transpose(0, 2, 1, 3, 4).reshape(rows * height, COLUMNS * width, 3)


def angles(embeddings: np.ndarray, kernel: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Degrees between embeddings ``[n, d]`` and the classes' weights ``[classes, ..., d]``: "target", "non_target".

    Where a class has several centers, its nearest counts; where the embedding is cut into slices, all of it does.
    """
    embeddings = _normalised(np.float32(embeddings).reshape(len(embeddings), -1))
    if kernel.ndim == 3 and kernel.shape[1] * kernel.shape[2] == embeddings.shape[1]:
        kernel = kernel.reshape(len(kernel), -1)
    centers = _normalised(np.float32(kernel).reshape(len(kernel), -1, embeddings.shape[1]))
    cosines = np.einsum("nd,ckd->nck", embeddings, centers, optimize=True).max(axis=2)
    degrees = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
    own = np.zeros(degrees.shape, bool)
    own[np.arange(len(labels)), labels] = True
    return {"target": degrees[own], "non_target": degrees[~own]}


def _normalised(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
