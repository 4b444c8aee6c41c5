"""IJB-B/C 1:1 and 1:N against loops over every face, pair and search."""

import os
import shutil
import tracemalloc
from dataclasses import replace
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest

from common.errors import BadArgument, BadDataset, BadEmbedding, UnknownChoice
from eval.ijb import embedding, lines
from eval.ijb.measuring import measure
from eval.ijb.modes import ALL, parse
from eval.ijb.templates import Templates
from mtcnn.align import align
from tests.eval.ijb.made_up import CARD, function, ijbc, network

BBT = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "bbt"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return ijbc(tmp_path_factory.mktemp("ijb"))


@pytest.fixture
def own(made, tmp_path):
    """One that a test may spoil."""
    return replace(made, folder=Path(shutil.copytree(made.folder, tmp_path / "IJBC")))


@pytest.fixture(autouse=True)
def small_portions(monkeypatch):
    """Templates whose faces are spread over many portions, and lists that are read in many blocks."""
    monkeypatch.setattr(embedding, "PORTION", 17)
    monkeypatch.setattr(lines, "BLOCK", 300)


TINY = network()


def run(made, modes="N0D1F1", protocol="both", network=TINY, **options):
    return measure(network, made.folder.parent, "IJBC", parse(modes), protocol, batch=4, **options)


def faces_by_hand(made, normalise, detector, flip):
    """What each picture adds to its template, as the official code computes it."""
    aligned = np.stack([align(p, points, (8, 6))[0] for p, points in zip(made.pictures, made.landmarks)])
    features = function(aligned).astype(np.float64)
    if flip:
        features = features + function(aligned[:, :, ::-1])
    if normalise:
        features = np.array([each / np.sqrt(np.sum(each**2)) for each in features])
    return np.array([each * score for each, score in zip(features, made.scores)]) if detector else features


def templates_by_hand(made, *mode):
    """{number: template}: the mean of each medium, their sum, its direction."""
    faces, found = faces_by_hand(made, *mode), {}
    for template in set(made.templates):
        total = 0
        for medium in set(made.media[made.templates == template]):
            total = total + faces[(made.templates == template) & (made.media == medium)].mean(0)
        found[template] = total / np.linalg.norm(total)
    return found


def rates_by_hand(genuine, impostor, fars):
    """{far: TAR} of the best threshold that keeps the FAR."""
    return {
        far: max([np.mean(genuine >= t) for t in genuine if np.mean(impostor >= t) <= far], default=0.0) for far in fars
    }


def search_by_hand(templates, gallery, probes):
    """(ranks of mated probes, their scores, best scores of strangers)."""
    ranks, scores, strangers = [], [], []
    for probe, person in probes.items():
        found = sorted(((templates[probe] @ templates[each], who) for each, who in gallery.items()), reverse=True)
        if person in gallery.values():
            ranks.append([who for _, who in found].index(person) + 1)
            scores.append(found[ranks[-1] - 1][0])
        else:
            strangers.append(found[0][0])
    return np.array(ranks), np.array(scores), np.sort(strangers)[::-1]


def test_pairs_of_every_mode_are_those_of_the_official_code(made):
    measured = run(made, "all", "1:1")
    assert [str(each.mode) for each in measured.results] == [f"N{n}D{d}F{f}" for n, d, f in product((1, 0), repeat=3)]
    assert measured.pictures == len(made.pictures) and measured.templates == 48
    seen = set()
    for result in measured.results:
        mode = result.mode
        templates = templates_by_hand(made, mode.normalise, mode.detector, mode.flip)
        scores = np.array([templates[first] @ templates[second] for first, second, _ in made.pairs])
        genuine, impostor = scores[made.pairs[:, 2] == 1], scores[made.pairs[:, 2] == 0]
        rates = result.verification
        assert (rates.genuine, rates.impostor) == (36, 396) and result.identification is None
        expected = rates_by_hand(genuine, impostor, (1e-1, 1e-2))
        assert {far: rates.tar[far] for far in expected} == pytest.approx(expected)
        assert [rates.tar[far] for far in (1e-3, 1e-4, 1e-5, 1e-6)] == [None] * 4, "too few pairs"
        assert rates.auc == pytest.approx(np.mean(genuine[:, None] > impostor))
        assert rates.thresholds[0.1] == pytest.approx(
            min(t for t in genuine if np.mean(impostor >= t) <= 0.1), abs=1e-6
        )
        seen.add((rates.auc, rates.thresholds[0.1]))
    assert len(seen) == 8, "the modes differ here, so that none stands for another"


def test_searches_are_those_of_sorting_each_gallery(made):
    result = run(made, "N0D1F1,N1D0F0", "1:N").results
    for each, mode in zip(result, ((False, True, True), (True, False, False))):
        templates, found = templates_by_hand(made, *mode), each.identification
        everything, tpirs = [], []
        for name, gallery in made.galleries.items():
            ranks, scores, strangers = search_by_hand(templates, gallery, made.probes)
            one = found.galleries[name]
            assert (one.people, one.mated, one.unmated) == (6, 18, 18)
            assert one.rank == {k: pytest.approx(np.mean(ranks <= k)) for k in (1, 5, 10)}
            # 18 strangers: FPIR 0.1 lets one of them in, and 0.01 none.
            tpirs.append(np.mean((ranks == 1) & (scores > strangers[1])))
            assert one.tpir == {0.1: pytest.approx(tpirs[-1]), 0.01: None}
            everything.extend(ranks)
        assert 0 < np.mean(np.array(everything) == 1) < 1
        assert found.rank == {k: pytest.approx(np.mean(np.array(everything) <= k)) for k in (1, 5, 10)}
        assert found.tpir == {0.1: pytest.approx(np.mean(tpirs)), 0.01: None}
        assert each.verification is None


def test_what_arcface_torch_calls_n1d1f1_keeps_the_length_and_is_n0d1f1_here():
    """eval_ijbc.py leaves features alone where use_norm_score is true, and normalises them where it is not."""
    random = np.random.default_rng(0)
    raw, scores = random.normal(size=(5, 2, 4)).astype(np.float32), random.uniform(size=5).astype(np.float32)
    summed = raw[:, 0] + raw[:, 1]
    theirs = {
        True: summed * scores[:, None],
        False: summed / np.linalg.norm(summed, axis=1, keepdims=True) * scores[:, None],
    }
    np.testing.assert_allclose(parse("N0D1F1")[0].apply(raw, scores), theirs[True], rtol=1e-6)
    np.testing.assert_allclose(parse("N1D1F1")[0].apply(raw, scores), theirs[False], rtol=1e-6)


def test_modes_are_read_from_their_names_and_say_what_they_do():
    assert parse("all") == ALL and len(set(ALL)) == 8
    assert [str(mode) for mode in parse("N1D1F1, N0D1F0,N1D1F1")] == ["N1D1F1", "N0D1F0"]
    assert parse("N1D0F1")[0].describe() == "f(x) + f(mirrored x), scaled to length 1, without the detector score"
    assert parse("N0D1F0")[0].describe() == "f(x), length kept, times the detector score"
    for name in ("N1D1", "N2D1F1", "", "n1d1f1"):
        with pytest.raises(UnknownChoice, match=f"'{name}'.*all.*N0D1F1"):
            parse(name)


def test_the_flip_rule_of_the_card_does_not_add_to_that_of_the_mode(made):
    plain = run(made, "N1D1F1", "1:1").results
    flipping = run(made, "N1D1F1", "1:1", network(card=replace(CARD, flip="sum_normalised"))).results
    assert plain == flipping


def test_a_medium_counts_once_however_many_pictures_it_has():
    """A video of three and a photo: the mean of the three and the photo, in any order and any portions."""
    faces = np.array([[3.0, 0], [0, 3], [0, 6], [0, 3]], np.float32)
    templates = Templates(np.array([9, 9, 9, 9]), np.array([1, 2, 2, 2]))
    for cuts in ([4], [1, 3], [2, 1, 1]):
        sums, start = np.zeros((1, 2), np.float32), 0
        for count in cuts:
            templates.add(sums, start, faces[start : start + count])
            start += count
        np.testing.assert_allclose(sums, [[3, 4]], rtol=1e-6)
    templates.finish(sums)
    np.testing.assert_allclose(sums, [[0.6, 0.8]], rtol=1e-6)


class Counting:
    """A network that counts its faces, and is interrupted before the call of that number."""

    def __init__(self, interrupted=None):
        self.faces, self.calls, self.interrupted = 0, 0, interrupted

    def __call__(self, faces):
        if self.calls == self.interrupted:
            raise KeyboardInterrupt
        self.calls += 1
        self.faces += len(faces)
        return function(faces)


def test_an_interrupted_run_goes_on_from_the_cache_and_gives_the_same(made, tmp_path):
    count = len(made.pictures)
    expected = run(made).results
    broken = Counting(interrupted=40)
    with pytest.raises(KeyboardInterrupt):
        run(made, network=network(broken), cache=tmp_path / "new" / "cache")
    (kept,) = (tmp_path / "new" / "cache").iterdir()
    portions = len(list(kept.iterdir()))
    assert 2 < portions < count // 17 and kept.name.startswith("IJBC-")
    rest = Counting()
    again = run(made, network=network(rest), cache=tmp_path / "new" / "cache")
    assert rest.faces == 2 * (count - 17 * portions)
    assert str(again.results) == str(expected)
    none = Counting()
    assert str(run(made, network=network(none), cache=tmp_path / "new" / "cache").results) == str(expected)
    assert none.faces == 0
    assert all(path.suffix == ".npy" for path in kept.iterdir()), "nothing half-written stays"


def test_damaged_portions_and_those_of_another_network_are_not_used(made, tmp_path):
    run(made, cache=tmp_path)
    (kept,) = tmp_path.iterdir()
    first, second, third, *_ = sorted(kept.iterdir())
    first.write_bytes(first.read_bytes()[:-10])
    second.write_bytes(b"no array")
    np.save(third, np.full(np.load(third).shape, np.nan, np.float32))
    anew = Counting()
    assert str(run(made, network=network(anew), cache=tmp_path).results) == str(run(made).results)
    assert anew.faces == 2 * 3 * 17
    for options in ({"network": network(other := Counting(), digest="e")}, {"engine": "keras"}):
        run(made, cache=tmp_path, **options)
    assert other.faces == 2 * len(made.pictures) and len(list(tmp_path.iterdir())) == 3


def test_a_cache_that_cannot_be_written_to_is_said(made, tmp_path):
    run(made, cache=tmp_path)
    (kept,) = tmp_path.iterdir()
    (kept / "00000017.npy").unlink()
    (kept / "00000017.npy").mkdir()
    with pytest.raises(BadArgument, match="00000017.npy cannot be written: Is a directory"):
        run(made, cache=tmp_path)
    with pytest.raises(BadArgument, match="cannot hold embeddings"):
        run(made, cache=made.meta(PAIRS))


def test_without_a_flip_in_any_mode_faces_run_once_and_are_run_anew_for_one_that_flips(made, tmp_path):
    count = len(made.pictures)
    for modes, expected in (("N1D1F0,N0D0F0", count), ("N1D1F1", 2 * count), ("N1D1F0", 0)):
        faces = Counting()
        run(made, modes, network=network(faces), cache=tmp_path)
        assert faces.faces == expected, modes


def test_a_pickled_array_in_the_cache_is_not_unpickled(made, tmp_path):
    run(made, cache=tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    marker = tmp_path / "ran"

    class Attack:
        def __reduce__(self):
            return os.system, (f"touch {marker}",)

    np.save(sorted(kept.iterdir())[0], np.array([Attack()]), allow_pickle=True)
    run(made, cache=tmp_path / "cache")
    assert not marker.exists()


def test_memory_is_that_of_the_templates_and_of_one_portion(tmp_path, monkeypatch):
    """600 faces of 2 x 512 numbers would take 2.5 MB at once, and the templates of their pairs 24 MB."""
    made = ijbc(tmp_path, people=2, probes=1)
    names = made.meta("name_5pts_score.txt").read_text().splitlines()[:4]
    made.rewrite("name_5pts_score.txt", lambda _: names * 150)
    made.rewrite("face_tid_mid.txt", lambda _: [f"{i % 4 + 1}.png {i % 10} {i}" for i in range(600)])
    made.rewrite("template_pair_label.txt", lambda _: [f"{i % 10} {i % 7} {int(i % 3 == 0)}" for i in range(6000)])
    monkeypatch.setattr(embedding, "PORTION", 64)
    monkeypatch.setattr("eval.ijb.verification.BLOCK", 64)
    monkeypatch.setattr("eval.ijb.verification.PORTION", 1000)
    weights = np.random.default_rng(0).normal(size=(8 * 6 * 3, 512)).astype(np.float32)
    wide = network(lambda faces: faces.reshape(len(faces), -1) @ weights, card=replace(CARD, embedding_size=512))
    tracemalloc.start()
    run(made, "N0D1F1", "1:1", wide)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


LIST, MEDIA, PAIRS = "name_5pts_score.txt", "face_tid_mid.txt", "template_pair_label.txt"
G2, PROBES = "1N_gallery_G2.csv", "1N_probe_mixed.csv"


def change_line(number, change):
    """A change of one line of a list."""
    return lambda lines: [change(each) if i == number else each for i, each in enumerate(lines, 1)]


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        (LIST, change_line(3, lambda text: text.rsplit(" ", 1)[0]), "line 3: expected 'NAME x1 .* SCORE'.*not '3.png"),
        (LIST, change_line(3, lambda text: text.replace("3.png 1", "3.png x1")), "line 3"),
        (LIST, change_line(4, lambda text: text.rsplit(" ", 1)[0] + " nan"), "line 4"),
        (LIST, change_line(4, lambda text: text.rsplit(" ", 1)[0] + " -1"), "line 4"),
        (LIST, change_line(5, lambda text: "5.png" + " 7.0" * 10 + " 0.9"), "line 5: expected.*points that differ"),
        (LIST, change_line(6, lambda text: "../" + text), "line 6"),
        (LIST, change_line(6, lambda text: "/etc/" + text), "line 6"),
        (LIST, change_line(7, lambda text: "x" * 5000), "line 7: longer than 4096 bytes"),
        (LIST, lambda lines: [], "is empty"),
        (MEDIA, change_line(8, lambda text: text.replace("8.png", "9.png")), "line 8:.*same names.*not '9.png"),
        (MEDIA, change_line(8, lambda text: text + "5 5"), "line 8"),
        (MEDIA, change_line(8, lambda text: "8.png 99999999999 1"), "line 8"),
        (MEDIA, lambda lines: lines[:20], "ends after 20 of"),
        (MEDIA, lambda lines: [*lines, "999.png 1 1"], r"line \d+: expected the end, after"),
        (PAIRS, change_line(60, lambda text: text[:-1] + "2"), "line 60: expected 'TEMPLATE TEMPLATE LABEL'.* 2'"),
        (PAIRS, change_line(60, lambda text: "17 " + text.split(" ", 1)[1]), "line 60:.*templates that have pictures"),
        (PAIRS, change_line(60, lambda text: text[:-2]), "line 60"),
        (PAIRS, lambda lines: [each[:-2] for each in lines], "line 1:"),
        (PAIRS, change_line(60, lambda text: text[:-1] + "-1"), "line 60"),
        (PAIRS, change_line(61, lambda text: text[:-1] + "# 1"), "line 61"),
        (PAIRS, lambda lines: [*lines[:60], "", "7 7"], "line 62: expected.*not '7 7'"),
        (PAIRS, lambda lines: [], "is empty"),
        (G2, change_line(3, lambda text: "17,70,x"), "line 3: expected 'TEMPLATE,PERSON,...'.*not '17,70,x'"),
        (G2, change_line(3, lambda text: "nothing"), "line 3"),
        (PROBES, lambda lines: [*lines, lines[1].split(",")[0] + ",999"], r"line \d+:.*always the same person"),
        (G2, lambda lines: lines[:1], "holds no template"),
        (G2, lambda lines: [each.split(",")[0] + ",5" for each in lines[1:]], "no person in common"),
        (PAIRS, lambda lines: [each[:-1] + "1" for each in lines], "0 impostor"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named(own, name, change, said):
    own.rewrite(name, change)
    faces = Counting()
    with pytest.raises(BadDataset, match=f"{name}.*{said}") as caught:
        run(own, network=network(faces))
    assert len(str(caught.value)) < 600
    assert faces.faces == 0, "before the first picture is embedded"


@pytest.mark.parametrize("name", [LIST, PAIRS])
def test_an_endless_line_is_refused_before_it_fills_the_memory(own, monkeypatch, name):
    monkeypatch.undo()
    with own.meta(name).open("a") as file:
        file.write("7" * 30_000_000)
    tracemalloc.start()
    with pytest.raises(BadDataset, match=r"line \d+: longer than 4096 bytes"):
        run(own, network=network(Counting()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


def test_lists_without_headings_with_blank_lines_and_windows_line_ends_are_read(made, own):
    own.rewrite(PROBES, lambda lines: [f'"{a}","{b}"' for a, b, *_ in (each.split(",") for each in lines[1:])])
    own.rewrite(PAIRS, lambda lines: [each.replace(" ", "\t") + "\r" for each in lines] + ["", "  "])
    assert str(run(own).results) == str(run(made).results)


def test_what_is_missing_is_named_all_at_once_with_where_to_get_it(own):
    for name in (MEDIA, G2):
        own.meta(name).unlink()
    with pytest.raises(BadDataset, match=r"(?s)ijbc_face_tid_mid.txt\n.*ijbc_1N_gallery_G2.csv\n.*NIST"):
        run(own)
    with pytest.raises(BadDataset) as caught:
        run(own, protocol="1:1")
    assert "gallery" not in str(caught.value), "what is not needed is not asked for"
    with pytest.raises(UnknownChoice, match="'IJBA'.*IJBB, IJBC"):
        measure(TINY, own.folder, "IJBA", ALL)
    with pytest.raises(UnknownChoice, match="'2:2'.*1:1, 1:N, both"):
        run(own, protocol="2:2")
    with pytest.raises(BadArgument, match="batch.*not 0"):
        measure(TINY, own.folder, "IJBC", ALL, batch=0)


def test_the_folder_itself_and_what_holds_it_are_both_found_and_ijbb_has_galleries_s1_and_s2(own):
    expected = run(own).results
    inside = measure(TINY, own.folder, "IJBC", parse("N0D1F1")).results
    assert str(inside) == str(expected)
    for path in (own.folder / "meta").iterdir():
        path.rename(path.with_name(path.name.replace("ijbc", "ijbb").replace("_G", "_S")))
    own.folder.rename(own.folder.with_name("IJBB"))
    (ijbb,) = measure(TINY, own.folder.parent, "IJBB", parse("N0D1F1")).results
    assert ijbb.verification == expected[0].verification and list(ijbb.identification.galleries) == ["S1", "S2"]


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(b"no picture")])
def test_a_picture_that_cannot_be_used_is_named(own, spoil):
    spoil(own.folder / "loose_crop" / "20.png")
    with pytest.raises(BadDataset, match="Picture 20 of the list of faces cannot be used: .*20.png"):
        run(own)


def test_embeddings_and_templates_that_mean_nothing_are_refused(own):
    with pytest.raises(BadEmbedding, match="embedding of 1.png is not finite"):
        run(own, network=network(lambda faces: function(faces) * np.nan))
    with pytest.raises(BadDataset, match=r"template \d+ add up to nothing"):
        run(own, network=network(lambda faces: function(faces) * 0))


def test_real_faces_in_loose_crops_are_told_apart(tmp_path, mtcnn_files, mobilefacenet_files):
    if not BBT.is_dir():
        pytest.skip("../shared/data/bbt, photos of eight people, is not on this machine")
    import mtcnn
    import networks

    detector = mtcnn.create("mtcnn")
    (tmp_path / "meta").mkdir()
    (tmp_path / "loose_crop").mkdir()
    faces, media = [], []
    for person, folder in enumerate(sorted(path for path in BBT.iterdir() if path.is_dir())[:4]):
        for number, path in enumerate(sorted(folder.iterdir())[:4]):
            name, photo = f"{len(faces)}.png", cv2.imread(str(path))
            found = detector.detect_single(photo)
            cv2.imwrite(str(tmp_path / "loose_crop" / name), photo)
            points = " ".join(f"{value:.3f}" for value in found.landmarks.reshape(-1))
            faces.append(f"{name} {points} {found.scores[0]:.3f}\n")
            media.append(f"{name} {10 * person + number // 2} {number}\n")  # two templates of two photos each
    pairs = [f"{10 * a} {10 * b + 1} {int(a == b)}\n" for a in range(4) for b in range(4)]
    for name, content in ((LIST, faces), (MEDIA, media), (PAIRS, pairs)):
        (tmp_path / "meta" / f"ijbc_{name}").write_text("".join(content))
    loaded = networks.load("mobilefacenet")
    for result in measure(loaded, tmp_path, "IJBC", ALL, "1:1").results:
        assert (result.verification.genuine, result.verification.impostor) == (4, 12)
        assert result.verification.auc == 1.0 and result.verification.thresholds[0.1] > 0.4, result
