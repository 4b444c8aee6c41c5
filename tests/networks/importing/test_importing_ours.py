"""The zoo's MobileFaceNet, bundles and .keras files into our backbones."""

import numpy as np
import openvino as ov
import pytest

from common.errors import BadArgument, BadModel, ChecksumMismatch
from networks import backbones, bundle
from networks.card import ModelCard
from networks.importing import Backbone, backbone_of, load_into, recalibrate

pytest.importorskip("tensorflow", reason="TensorFlow runs these models: pip install '.[train]'")
keras = pytest.importorskip("keras", reason="Keras builds these models: pip install '.[train]'")

from networks.importing.describe import of_layers  # noqa: E402

TINY = {"embedding_size": 12, "input_size": (32, 48), "width": 0.125}
OPTIONS = {  # other than the usual
    "resnet_v2_m_50": {"activation": "prelu"},
    "mobilefacenet": {"scale": 4, "blocks": (2, 8, 12, 4)},
    "vit_t": {"drop_path": 0.1},
}


@pytest.fixture(scope="module")
def photo_faces(mtcnn_files, sample_photo):
    """Aligned faces of the sample photos, as MobileFaceNet is fed."""
    import mtcnn

    detector, crops = mtcnn.create("mtcnn"), []
    for name in ("t1", "obama"):
        picture = mtcnn.read_picture(sample_photo(name))
        crops.append(mtcnn.align(picture, detector.detect(picture).landmarks))
    return (np.concatenate(crops)[..., ::-1].astype(np.float32) - 127.5) / 128


def by_openvino(path, faces):
    """The file runs two faces at a time."""
    run = ov.compile_model(ov.Core().read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.concatenate([next(iter(run([np.stack([face, face])]).values()))[:1] for face in faces])


def test_the_public_mobilefacenet_gives_the_outputs_of_its_file_on_real_faces(mobilefacenet_files, photo_faces):
    found = backbone_of("mobilefacenet")
    assert found == Backbone("mobilefacenet_public", 192)
    model = found.build()
    imported = load_into(model, "mobilefacenet")
    expected = by_openvino(mobilefacenet_files["model"], photo_faces)
    assert len(photo_faces) >= 6 and np.abs(expected).max() > 0.1
    np.testing.assert_allclose(np.asarray(model(photo_faces, training=False)), expected, atol=1e-4)
    assert imported.left_out == () and imported.difference < 1e-4
    assert len(imported.folded) == 52
    assert recalibrate(model, photo_faces) == ()
    np.testing.assert_allclose(np.asarray(model(photo_faces, training=False)), expected, atol=1e-4)


def test_the_public_mobilefacenet_with_an_embedding_of_our_size(mobilefacenet_files):
    model = backbones.get("mobilefacenet_public", embedding_size=256)
    assert load_into(model, mobilefacenet_files["model"]).left_out == ("embedding_dense", "embedding_norm")
    smaller = backbones.get("mobilefacenet_public", embedding_size=192, input_size=(96, 96))
    left_out = load_into(smaller, mobilefacenet_files["model"]).left_out
    assert left_out[0] == "embedding_depthwise_conv" and left_out[-1] == "embedding_norm"


@pytest.fixture(scope="module")
def small():
    return backbones.get("iresnet18", **TINY)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_model_tells_its_backbone(name):
    model = backbones.get(name, **TINY, **OPTIONS[name])
    assert of_layers(model, "it") == Backbone(name, options=OPTIONS[name], **TINY)


def test_a_keras_file_fills_its_backbone(tmp_path, small):
    small.save(tmp_path / "model.keras")
    found = backbone_of(tmp_path / "model.keras")
    assert found == Backbone("iresnet18", options={"se": False}, **TINY)
    again = found.build()
    assert load_into(again, tmp_path / "model.keras").left_out == ()
    for old, new in zip(small.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_bundle_is_checked_and_gives_its_keras_file(tmp_path, small):
    folder = tmp_path / "bundle"
    card = ModelCard("small", input_size=(32, 48), embedding_size=12)
    bundle.write(folder, small, card, ("keras",))
    assert backbone_of(folder) == Backbone("iresnet18", options={"se": False}, **TINY)
    other = backbones.get("iresnet18", **TINY | {"embedding_size": 8})
    assert load_into(other, folder).left_out == ("embedding_dense", "embedding_norm")
    (folder / "model.keras").write_bytes(b"altered")
    with pytest.raises(ChecksumMismatch):
        load_into(other, folder)


def test_another_network_or_option_in_a_keras_file_is_refused(tmp_path, small):
    small.save(tmp_path / "m.keras")
    with pytest.raises(BadModel, match="holds a iresnet18; the model to be filled is a iresnet34"):
        load_into(keras.Model(small.inputs, small.outputs, name="iresnet34"), tmp_path / "m.keras")
    with pytest.raises(BadModel, match=r"stage1_unit1_se_squeeze_conv expects \[\(1, 1, 8, 1\)\], found nothing"):
        load_into(squeezing := backbones.get("iresnet18", se=True, **TINY), tmp_path / "m.keras")
    squeezing.save(tmp_path / "se.keras")
    with pytest.raises(BadModel, match="it has 16 layers more, such as stage1_unit1_se_excite_conv"):
        load_into(small, tmp_path / "se.keras")


def test_a_keras_model_that_is_no_backbone_is_refused(tmp_path):
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Dense(2)(inputs), name="mine").save(tmp_path / "m.keras")
    with pytest.raises(BadModel, match="a model called 'mine', which is no backbone"):
        backbone_of(tmp_path / "m.keras")
    keras.Model(inputs, keras.layers.Dense(2)(inputs), name="iresnet18").save(tmp_path / "m.keras")
    with pytest.raises(BadModel, match=r"m\.keras holds a iresnet18 that was changed"):
        backbone_of(tmp_path / "m.keras")


def test_what_is_no_source_is_told(tmp_path):
    (tmp_path / "model.h5").write_bytes(b"")
    with pytest.raises(BadModel, match=r"no source of weights: .*\.keras, \.onnx, "):
        backbone_of(tmp_path / "model.h5")
    with pytest.raises(BadModel, match="No such file: .*none.onnx"):
        backbone_of(tmp_path / "none.onnx")
    with pytest.raises(BadModel, match="no source of weights"):
        backbone_of("mobilefacenett")
    with pytest.raises(BadArgument, match="a name or a path, not int"):
        backbone_of(3)
    (tmp_path / "n.keras").write_bytes(b"no zip")
    with pytest.raises(BadModel, match=r"n\.keras"):
        backbone_of(tmp_path / "n.keras")


def test_recalibrating_needs_faces(small):
    with pytest.raises(BadArgument, match="at least two faces"):
        recalibrate(small, np.zeros((1, 32, 48, 3)))
