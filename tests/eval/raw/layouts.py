"""The layouts in which verification sets are published, made up in small: every picture another colour."""

from pathlib import Path

import cv2
import numpy as np


def picture(path, number):
    """A picture of 24x24 pixels whose colour tells which it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path.with_suffix(".png")), np.full((24, 24, 3), (number % 251, number // 251, 77), np.uint8))
    path.with_suffix(".png").rename(path)  # readers go by the content


def lfw(folder, people=12, each=4, folds=10, size=2, pictures="lfw-funneled"):
    """``pairs.txt`` and pictures; the pairs as (name, name, same) in the order of the list."""
    random = np.random.default_rng(0)
    numbers = iter(range(10_000))
    for person in range(people):
        for number in range(1, each + 1):
            picture(folder / pictures / f"P_{person}" / f"P_{person}_{number:04d}.jpg", next(numbers))
    lines, pairs = [f"{folds}\t{size}"], []
    for _ in range(folds):
        for _ in range(size):
            person, (a, b) = random.integers(people), random.choice(each, 2, replace=False) + 1
            lines.append(f"P_{person}\t{a}\t{b}")
            pairs.append((f"P_{person}/P_{person}_{a:04d}.jpg", f"P_{person}/P_{person}_{b:04d}.jpg", True))
        for _ in range(size):
            (one, two), (a, b) = random.choice(people, 2, replace=False), random.integers(1, each + 1, 2)
            lines.append(f"P_{one}\t{a}\tP_{two}\t{b}")
            pairs.append((f"P_{one}/P_{one}_{a:04d}.jpg", f"P_{two}/P_{two}_{b:04d}.jpg", False))
    (folder / "pairs.txt").write_text("\n".join(lines) + "\n")
    return pairs


def cfp(folder, people=8, folds=10, size=3):
    """``Data`` and ``Protocol``; the pairs by split."""
    random = np.random.default_rng(1)
    numbers, listed = iter(range(10_000)), {"F": [], "P": []}
    for person in range(1, people + 1):
        for kind, key, count in (("frontal", "F", 10), ("profile", "P", 4)):
            for number in range(1, count + 1):
                name = f"Data/Images/{person:03d}/{kind}/{number:02d}.jpg"
                picture(folder / name, next(numbers))
                listed[key].append(name)
    protocol = folder / "Protocol"
    protocol.mkdir()
    for key, names in listed.items():
        text = "\n".join(f"{number} ../{name} " for number, name in enumerate(names, 1))
        (protocol / f"Pair_list_{key}.txt").write_text(text)
    pairs = {"FF": [], "FP": []}
    for split, second in (("FF", listed["F"]), ("FP", listed["P"])):
        for fold in range(1, folds + 1):
            place = protocol / "Split" / split / f"{fold:02d}"
            place.mkdir(parents=True)
            for file, same in (("same.txt", True), ("diff.txt", False)):
                chosen = [
                    (int(random.integers(len(listed["F"]))), int(random.integers(len(second)))) for _ in range(size)
                ]
                (place / file).write_text("".join(f"{a + 1},{b + 1}\r\n" for a, b in chosen))
                pairs[split] += [(listed["F"][a], second[b], same) for a, b in chosen]
    return pairs


def calfw(folder, name="CALFW", folds=10, size=3, pictures="images"):
    """``pairs_CALFW.txt``, genuine pairs first; all pairs in the order of the list."""
    pairs = [(f"A_{n}_0001.jpg", f"A_{n}_0002.jpg", True, n // size + 1) for n in range(folds * size)]
    pairs += [(f"A_{n}_0001.jpg", f"A_{n + 1}_0002.jpg", False, 0) for n in range(folds * size - 1)]
    pairs.append(("A_0_0002.jpg", "A_2_0001.jpg", False, 0))
    for number, file in enumerate(sorted({file for pair in pairs for file in pair[:2]})):
        picture(folder / pictures / file, number)
    marks = [fold if name == "CALFW" else min(fold, 1) for *_, fold in pairs]
    lines = [f"{file} {mark}" for pair, mark in zip(pairs, marks) for file in pair[:2]]
    (folder / f"pairs_{name}.txt").write_text("\n".join(lines) + "\n")
    return [pair[:3] for pair in pairs]


def agedb(folder, pictures="03_Protocol_Images", folds=10, size=2):
    """Pictures of AgeDB's names; the pairs of each fold."""
    names = [f"{number}_MariaCallas_{20 + number}_f" for number in range(6)]
    names += [f"{number}_GeorgeBush_{20 + number}_m" for number in range(6, 12)]
    for number, name in enumerate(names):
        picture(folder / pictures / f"{name}.jpg", number)
    random = np.random.default_rng(2)
    pairs = []
    for _ in range(folds):
        fold = []
        for same in [True] * size + [False] * size:
            a, b = random.choice(6, 2, replace=False)
            fold.append((names[a], names[b if same else b + 6], same))
        pairs.append(fold)
    return pairs


def people(folder, counts):
    """A folder of identities p1, p2...; (person, picture name) of all, in order."""
    made = []
    for person, count in enumerate(counts, 1):
        for number in range(1, count + 1):
            name = f"p{person}/{number}.jpg"
            picture(folder / name, len(made))
            made.append((f"p{person}", name))
    return made


def pairs_of(found):
    """The pairs of a ``RawSet`` as (name, name, same)."""
    return [(*found.names[2 * n : 2 * n + 2], same) for n, same in enumerate(found.issame)]


def replace(path: Path, old: str, new: str) -> None:
    """Change the first ``old`` of a text file."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
