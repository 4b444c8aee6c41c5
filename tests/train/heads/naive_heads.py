"""The heads' formulas, written down once more, one number at a time, in float64."""

import numpy as np

SMALL = 1e-6  # a vector shorter than this has no direction


def unit(vector):
    length = np.sqrt(np.sum(np.asarray(vector, np.float64) ** 2))
    return np.asarray(vector, np.float64) / length if length > SMALL else np.zeros(len(vector))


def arcface(cosine, margin=0.5, branch="classic"):
    theta = np.arccos(cosine)
    past = theta + margin >= np.pi
    if branch == "classic" and past:
        return cosine - margin * np.sin(margin)
    if branch == "smooth" and past:
        return -2 - np.cos(theta + margin)
    if branch == "easy" and cosine <= 0:
        return cosine
    return np.cos(theta + margin)


def combined(cosine, m1=1.0, m2=0.3, m3=0.2):
    return np.cos(m1 * np.arccos(cosine) + m2) - m3


def psi(theta, margin=4):
    for k in range(int(margin) + 1):
        if k * np.pi <= margin * theta <= (k + 1) * np.pi:
            return (-1) ** k * np.cos(margin * theta) - 2 * k
    raise AssertionError(theta)


def sphereface(cosine, iteration, margin=4):
    weight = max(5.0, 1500 / (1 + 0.1 * iteration))
    return (weight * cosine + psi(np.arccos(cosine), margin)) / (1 + weight)


def adaface(cosine, length, mean, std, margin=0.4, concentration=0.333):
    cosine = min(max(cosine, -1 + 1e-3), 1 - 1e-3)
    z = min(max(concentration * (min(max(length, 1e-3), 100) - mean) / (std + 1e-3), -1), 1)
    theta = min(max(np.arccos(cosine) - margin * z, 1e-3), np.pi - 1e-3)
    return np.cos(theta) - (margin + margin * z)


def logits(embeddings, labels, kernel, own, scale, others=lambda cosine: cosine):
    """``own(cosine, row)`` for a row's class, ``others(cosine)`` elsewhere, times ``scale`` (a number or one a row)."""
    scale = np.broadcast_to(scale, len(embeddings))
    out = np.zeros((len(embeddings), len(kernel)))
    for row, x in enumerate(embeddings):
        for column, weights in enumerate(kernel):
            cosine = min(max(unit(x) @ unit(weights), -1), 1)
            out[row, column] = scale[row] * (own(cosine, row) if column == labels[row] else others(cosine))
    return out


def entropy(logits, labels, smoothing=0.0):
    out = []
    for row, label in zip(np.asarray(logits, np.float64), labels):
        p = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
        share = np.full(len(row), smoothing / len(row))
        share[label] += 1 - smoothing
        out.append(-(share * np.log(p)).sum())
    return np.array(out)
