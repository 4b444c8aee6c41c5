"""PyTorch's state dicts into our backbones. Their outputs are those of the ONNX file with the same weights."""

import json

import numpy as np
import openvino as ov
import pytest

from common.errors import BadModel
from networks import backbones
from networks.importing import backbone_of, load_into

pytest.importorskip("tensorflow", reason="TensorFlow runs these models: pip install '.[train]'")
pytest.importorskip("keras", reason="Keras builds these models: pip install '.[train]'")
pytest.importorskip("onnx", reason="ONNX files are written with it: pip install '.[test]'")

from tests.networks.importing import onnx_networks, torch_files  # noqa: E402


def faces(size=(32, 32)):
    return np.random.default_rng(3).uniform(-1, 1, (3, *size, 3)).astype(np.float32)


def outputs(model, x):
    return np.asarray(model(x, training=False))


def by_onnx(content, x):
    run = ov.compile_model(ov.Core().read_model(content), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return next(iter(run([np.ascontiguousarray(x.transpose(0, 3, 1, 2))]).values()))


@pytest.fixture(scope="module")
def iresnet():
    return onnx_networks.iresnet(False)


def described(**changes):
    expected = {"name": "iresnet18", "embedding_size": 16, "input_size": (32, 32), "width": 0.125}
    return expected | {"options": {"se": False}} | changes


@pytest.mark.parametrize(
    "network, expected",
    [
        (onnx_networks.iresnet, described()),
        (
            onnx_networks.mobilefacenet,
            described(name="mobilefacenet", options={"scale": 2, "blocks": (1, 4, 6, 2)}),
        ),
    ],
    ids=["iresnet", "mobilefacenet"],
)
def test_arcface_torch_networks_give_the_outputs_of_their_onnx_files(tmp_path, network, expected):
    content, parameters = network(False)
    path = torch_files.save(tmp_path / "backbone.pth", parameters)
    found = backbone_of(path)
    assert vars(found) == expected
    model = found.build()
    imported = load_into(model, path)
    assert imported.left_out == imported.unused == imported.folded == ()
    assert set(imported.matched) == {layer.name for layer in model.layers if layer.weights}
    x = faces()
    np.testing.assert_allclose(outputs(model, x), by_onnx(content, x), rtol=1e-4, atol=1e-4)


def treb1en_names(name):
    """arcface_torch's names of MobileFaceNet in TreB1eN's words."""
    blocks = {"0": "conv", "1": "conv_dw", "2": "project"}
    parts = {"0": "conv", "1": "bn", "2": "prelu"}
    words = name.split(".")
    first, rest, tensor = words[0], words[1:-1], words[-1]
    if first == "features":
        middle = {"2": ["linear"], "3": ["bn"]}.get(rest[1]) or ["conv_6_dw", parts[rest[3]]]
    elif first == "conv_sep":
        middle = ["conv_6_sep", parts[rest[1]]]
    else:
        index, rest = int(rest[0]), [word for word in rest[1:] if word != "layers"]
        top = ["conv1", "conv2_dw", "conv_23", "conv_3", "conv_34", "conv_4", "conv_45", "conv_5"][index]
        inner = rest if index < 2 or index % 2 == 0 else rest[1:]
        middle = [top] if index < 2 or index % 2 == 0 else [top, "model", rest[0]]
        middle += [parts[inner[0]]] if len(inner) == 1 else [blocks[inner[0]], parts[inner[1]]]
    return ".".join([*middle, tensor])


def test_treb1en_mobilefacenet_under_its_own_names(tmp_path):
    content, parameters = onnx_networks.mobilefacenet(False, scale=1)
    path = torch_files.save(tmp_path / "m.pt", {treb1en_names(key): value for key, value in parameters.items()})
    found = backbone_of(path)
    assert (found.name, found.options["scale"]) == ("mobilefacenet", 1)
    model, x = found.build(), faces()
    assert load_into(model, path).unused == ()
    np.testing.assert_allclose(outputs(model, x), by_onnx(content, x), rtol=1e-4, atol=1e-4)


def test_every_kind_of_number_comes_as_float32(tmp_path, iresnet):
    _, parameters = iresnet
    wanted = parameters["conv1.weight"].astype(np.float16)
    path = torch_files.save(tmp_path / "half.pth", parameters | {"conv1.weight": wanted})
    model = backbone_of(path).build()
    load_into(model, path)
    (kernel,) = model.get_layer("stem_conv").get_weights()
    np.testing.assert_array_equal(kernel, np.float32(wanted).transpose(2, 3, 1, 0))


def test_a_training_checkpoint_and_names_with_a_prefix(tmp_path, iresnet):
    _, parameters = iresnet

    def wrapped(state):
        rest = torch_files.text("epoch") + torch_files.number(3) + torch_files.text("state_optimizer") + b"}"
        return b"}(" + torch_files.text("state_dict_backbone") + state + rest + b"u"

    path = torch_files.save(tmp_path / "checkpoint.pt", parameters, wrapped, prefix="module.")
    model = backbone_of(path).build()
    assert load_into(model, path).unused == ()


def test_a_fortran_ordered_tensor_is_read_by_its_strides(tmp_path, iresnet):
    _, parameters = iresnet
    turned = np.asfortranarray(parameters["fc.weight"])
    pairs = dict(parameters)
    path = tmp_path / "n.pth"
    torch_files.save(path, pairs)
    expected = backbone_of(path).build()
    load_into(expected, path)

    strides = [step // 4 for step in turned.strides]
    names = list(pairs)
    content = torch_files.entries(
        *[
            (
                name,
                torch_files.tensor(
                    str(index),
                    pairs[name].shape,
                    strides if name == "fc.weight" else [step // pairs[name].itemsize for step in pairs[name].strides],
                    pairs[name].size,
                    storage=torch_files.STORAGES[pairs[name].dtype.str[1:]],
                ),
            )
            for index, name in enumerate(names)
        ]
    )
    storages = {str(index): pairs[name].tobytes() for index, name in enumerate(names)}
    storages[str(names.index("fc.weight"))] = turned.tobytes(order="A")
    torch_files.write(path, torch_files.pickled(content), storages)
    model = backbone_of(path).build()
    load_into(model, path)
    for old, new in zip(expected.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def as_safetensors(path, parameters):
    header, raw = {"__metadata__": {"format": "pt"}}, b""
    kinds = {"f4": "F32", "i8": "I64"}
    for name, array in parameters.items():
        start, raw = len(raw), raw + array.tobytes()
        kind = kinds[array.dtype.str[1:]]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [start, len(raw)]}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw)
    return path


def test_safetensors_hold_the_same(tmp_path, iresnet):
    _, parameters = iresnet
    first = torch_files.save(tmp_path / "n.pth", parameters)
    second = as_safetensors(tmp_path / "n.safetensors", parameters)
    models = [backbone_of(path).build() for path in (first, second)]
    for model, path in zip(models, (first, second), strict=True):
        load_into(model, path)
    for old, new in zip(*[model.get_weights() for model in models], strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_gamma_that_ours_has_not_goes_into_the_matrix(tmp_path, iresnet):
    _, parameters = iresnet
    gamma = np.linspace(0.5, 2, 16, dtype=np.float32)
    paths = [
        torch_files.save(tmp_path / "one.pth", parameters),
        torch_files.save(tmp_path / "two.pth", parameters | {"features.weight": gamma}),
    ]
    models = [backbone_of(path).build() for path in paths]
    _, imported = [load_into(model, path) for model, path in zip(models, paths, strict=True)]
    assert imported.folded == ("embedding_norm",)
    one, two = (outputs(model, faces()) for model in models)
    beta = parameters["features.bias"]
    np.testing.assert_allclose(two - beta, (one - beta) * gamma, rtol=1e-4, atol=1e-5)


def test_another_embedding_size_leaves_the_embedding_out(tmp_path, iresnet):
    path = torch_files.save(tmp_path / "n.pth", iresnet[1])
    imported = load_into(backbone_of(path).build(embedding_size=8), path)
    assert imported.left_out == ("embedding_dense", "embedding_norm")


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda p: p.pop("layer2.1.conv2.weight"), r"stage2_unit2_conv2 expects \[\(3, 3, 16, 16\)\], found nothing"),
        (lambda p: p.update({"layer1.0.bn1.bias": np.zeros(5, np.float32)}), r"stage1_unit1_norm1 expects .*\(5,\)"),
        (lambda p: p.update({"layer4.2.bn1.bias": np.zeros(5, np.float32)}), r"1 tensors more, such as layer4\.2"),
        (lambda p: p.update({"conv1.bias": np.zeros(8, np.float32)}), "stem_conv expects .* found nothing"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_changes(tmp_path, iresnet, change, message):
    parameters = dict(iresnet[1])
    change(parameters)
    path = torch_files.save(tmp_path / "n.pth", parameters)
    model = backbones.get("iresnet18", embedding_size=16, input_size=(32, 32), width=0.125)
    before = model.get_weights()
    with pytest.raises(BadModel, match=message):
        load_into(model, path)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_head_beside_the_network_is_reported(tmp_path, iresnet):
    path = torch_files.save(tmp_path / "n.pth", iresnet[1] | {"head.kernel": np.zeros((4, 4), np.float32)})
    model = backbone_of(path).build()
    assert load_into(model, path).unused == ("head.kernel",)


def test_another_network_is_refused(tmp_path, iresnet):
    path = torch_files.save(tmp_path / "n.pth", iresnet[1])
    for name in ("mobilefacenet", "ir_50", "resnet_v2_m_50"):
        model = backbones.get(name, embedding_size=16, input_size=(32, 32), width=0.125)
        with pytest.raises(BadModel, match=f"does not hold the weights of {name}"):
            load_into(model, path)
    path = torch_files.save(tmp_path / "o.pth", {"a.weight": np.zeros(3, np.float32)})
    with pytest.raises(BadModel, match="holds the state dict of no network known here"):
        backbone_of(path)
