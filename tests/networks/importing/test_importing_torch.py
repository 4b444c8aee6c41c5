"""Against PyTorch itself: networks built as arcface_torch and TreB1eN build theirs, saved and exported by it.

Run where torch can be imported beside TensorFlow (``pip install torch onnxscript``); it is in none of the extras.
"""

import numpy as np
import pytest

from networks.importing import backbone_of, load_into

pytest.importorskip("tensorflow", reason="TensorFlow runs these models: pip install '.[train]'")
torch = pytest.importorskip("torch", reason="needs PyTorch: pip install torch onnxscript")

from torch import nn  # noqa: E402

SIZE, EMBEDDING, WIDTH = 32, 16, 8  # pixels, numbers, channels of the stem


class Sum(nn.Module):
    """x + branch(x), the shortcut through a module of its own where there is one."""

    def __init__(self, names, shortcut_name, shortcut, order):
        super().__init__()
        for name, module in names.items():
            self.add_module(name, module)
        if shortcut is not None:
            self.add_module(shortcut_name, shortcut)
        self.order, self.shortcut_name, self.has_shortcut = order, shortcut_name, shortcut is not None

    def forward(self, x):
        y = x
        for name in self.order:
            y = getattr(self, name)(y)
        return y + (getattr(self, self.shortcut_name)(x) if self.has_shortcut else x)


def convolution(inputs, outputs, size=3, stride=1, groups=1, padding=None):
    padding = size // 2 if padding is None else padding
    return nn.Conv2d(inputs, outputs, size, stride, padding, groups=groups, bias=False)


class IResNet(nn.Module):
    def __init__(self, units=(2, 2, 2, 2)):
        super().__init__()
        self.conv1, self.bn1, self.prelu = convolution(3, WIDTH), nn.BatchNorm2d(WIDTH), nn.PReLU(WIDTH)
        inputs = WIDTH
        for stage, count in enumerate(units, 1):
            depth = WIDTH * 2 ** (stage - 1)
            made = [self.unit(inputs if index == 0 else depth, depth, 1 if index else 2) for index in range(count)]
            self.add_module(f"layer{stage}", nn.Sequential(*made))
            inputs = depth
        self.bn2, self.dropout = nn.BatchNorm2d(inputs), nn.Dropout(0.0)
        self.fc = nn.Linear(inputs * (SIZE // 16) ** 2, EMBEDDING)
        self.features = nn.BatchNorm1d(EMBEDDING)
        self.features.weight.requires_grad = False

    @staticmethod
    def unit(inputs, depth, stride):
        names = {
            "bn1": nn.BatchNorm2d(inputs),
            "conv1": convolution(inputs, depth),
            "bn2": nn.BatchNorm2d(depth),
            "prelu": nn.PReLU(depth),
            "conv2": convolution(depth, depth, stride=stride),
            "bn3": nn.BatchNorm2d(depth),
        }
        shortcut = nn.Sequential(convolution(inputs, depth, 1, stride), nn.BatchNorm2d(depth)) if stride > 1 else None
        return Sum(names, "downsample", shortcut, list(names))

    def forward(self, x):
        x = self.prelu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.features(self.fc(self.dropout(torch.flatten(self.bn2(x), 1))))


class Excitation(nn.Module):
    def __init__(self, channels):
        super().__init__()
        inner = max(1, channels // 16)
        self.fc1, self.fc2 = convolution(channels, inner, 1), convolution(inner, channels, 1)

    def forward(self, x):
        y = nn.functional.adaptive_avg_pool2d(x, 1)
        return x * torch.sigmoid(self.fc2(torch.relu(self.fc1(y))))


class IRSE50(nn.Module):
    def __init__(self):
        super().__init__()
        self.input_layer = nn.Sequential(convolution(3, WIDTH), nn.BatchNorm2d(WIDTH), nn.PReLU(WIDTH))
        units, inputs = [], WIDTH
        for stage, count in enumerate((3, 4, 14, 3)):
            depth = WIDTH * 2**stage
            for index in range(count):
                units.append(self.unit(inputs, depth, 1 if index else 2))
                inputs = depth
        self.body = nn.Sequential(*units)
        values = inputs * (SIZE // 16) ** 2
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Dropout(0.6),
            nn.Flatten(),
            nn.Linear(values, EMBEDDING),
            nn.BatchNorm1d(EMBEDDING),
        )

    @staticmethod
    def unit(inputs, depth, stride):
        residual = nn.Sequential(
            nn.BatchNorm2d(inputs),
            convolution(inputs, depth),
            nn.PReLU(depth),
            convolution(depth, depth, stride=stride),
            nn.BatchNorm2d(depth),
            Excitation(depth),
        )
        if inputs == depth:
            shortcut = nn.MaxPool2d(1, stride)
        else:
            shortcut = nn.Sequential(convolution(inputs, depth, 1, stride), nn.BatchNorm2d(depth))
        return Sum({"res_layer": residual}, "shortcut_layer", shortcut, ["res_layer"])

    def forward(self, x):
        return self.output_layer(self.body(self.input_layer(x)))


class Layers(nn.Module):
    """A Sequential called layers, as arcface_torch's MobileFaceNet nests them; with a shortcut where asked."""

    def __init__(self, *modules, residual=False):
        super().__init__()
        self.layers, self.residual = nn.Sequential(*modules), residual

    def forward(self, x):
        return x + self.layers(x) if self.residual else self.layers(x)


class MobileFaceNet(nn.Module):
    def __init__(self, scale=2):
        super().__init__()
        narrow, broad, last = WIDTH * scale, 2 * WIDTH * scale, 8 * WIDTH

        def block(inputs, outputs, size=1, stride=1, groups=1):
            return Layers(
                convolution(inputs, outputs, size, stride, groups), nn.BatchNorm2d(outputs), nn.PReLU(outputs)
            )

        def bottleneck(inputs, outputs, expansion, stride, residual=False):
            return Layers(
                block(inputs, expansion),
                block(expansion, expansion, 3, stride, expansion),
                Layers(convolution(expansion, outputs, 1), nn.BatchNorm2d(outputs)),
                residual=residual,
            )

        def residuals(channels, count, expansion):
            return Layers(*[bottleneck(channels, channels, expansion, 1, True) for _ in range(count)])

        self.layers = nn.ModuleList(
            [
                block(3, narrow, 3, 2),
                block(narrow, narrow, 3, 1, WIDTH),
                bottleneck(narrow, narrow, 2 * WIDTH, 2),
                residuals(narrow, 4, 2 * WIDTH),
                bottleneck(narrow, broad, 4 * WIDTH, 2),
                residuals(broad, 6, 4 * WIDTH),
                bottleneck(broad, broad, 8 * WIDTH, 2),
                residuals(broad, 2, 4 * WIDTH),
            ]
        )
        self.conv_sep = block(broad, last)
        whole = convolution(last, last, SIZE // 16, 1, last, padding=0)
        self.features = Layers(
            Layers(whole, nn.BatchNorm2d(last)),
            nn.Flatten(),
            nn.Linear(last, EMBEDDING, bias=False),
            nn.BatchNorm1d(EMBEDDING),
        )

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.features(self.conv_sep(x))


class Attention(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.qkv, self.proj, self.heads = nn.Linear(size, 3 * size, bias=False), nn.Linear(size, size), 8

    def forward(self, x):
        n, patches, size = x.shape
        q, k, v = self.qkv(x).reshape(n, patches, 3, self.heads, size // self.heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) * (size // self.heads) ** -0.5).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(n, patches, size))


class Perceptron(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(size, 4 * size), nn.Linear(4 * size, size)

    def forward(self, x):
        return self.fc2(nn.functional.relu6(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.attn, self.mlp = Attention(size), Perceptron(size)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    """``vit_t`` at its real width of 256: its name is told by that."""

    def __init__(self, size=256, depth=12):
        super().__init__()
        patches = (36 // 9) ** 2
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, size, 9, 9)
        self.pos_embed = nn.Parameter(torch.randn(1, patches, size))
        self.mask_token = nn.Parameter(torch.randn(1, 1, size))
        self.blocks, self.norm = nn.ModuleList([Block(size) for _ in range(depth)]), nn.LayerNorm(size)
        self.feature = nn.Sequential(
            nn.Linear(size * patches, size, bias=False),
            nn.BatchNorm1d(size, eps=2e-5),
            nn.Linear(size, EMBEDDING, bias=False),
            nn.BatchNorm1d(EMBEDDING, eps=2e-5),
        )

    def forward(self, x):
        x = self.patch_embed.proj(x).flatten(2).transpose(1, 2) + self.pos_embed
        for each in self.blocks:
            x = each(x)
        return self.feature(self.norm(x).flatten(1))


def trained(network):
    """In evaluation mode, with statistics and slopes as after training."""
    torch.manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
            if module.weight.requires_grad:
                nn.init.uniform_(module.weight, 0.5, 1.5)
        elif isinstance(module, nn.PReLU):
            nn.init.uniform_(module.weight, 0, 0.5)
    return network.eval()


def faces(size=SIZE):
    return torch.randn(3, 3, size, size, generator=torch.Generator().manual_seed(2))


def assert_same(path, network, **changes):
    found = backbone_of(path)
    model = found.build(**changes)
    imported = load_into(model, path)
    x = faces(model.input_shape[1])
    with torch.no_grad():
        expected = network(x).numpy()
    output = np.asarray(model(x.numpy().transpose(0, 2, 3, 1), training=False))
    np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-4)
    assert imported.left_out == ()
    return found, imported


NETWORKS = {"iresnet18": IResNet, "ir_se_50": IRSE50, "mobilefacenet": MobileFaceNet}


@pytest.mark.parametrize("name", NETWORKS)
def test_state_dicts_that_pytorch_saves(tmp_path, name):
    network = trained(NETWORKS[name]())
    torch.save(network.state_dict(), tmp_path / "backbone.pth")
    found, imported = assert_same(tmp_path / "backbone.pth", network)
    assert found.name == name and imported.unused == ()


def test_a_checkpoint_as_arcface_torch_writes_it(tmp_path):
    network = trained(IResNet())
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1, momentum=0.9)
    checkpoint = {
        "epoch": 3,
        "global_step": 1000,
        "state_dict_backbone": nn.DataParallel(network).state_dict(),
        "state_dict_softmax_fc": {"weight": torch.zeros(5, EMBEDDING)},
        "state_optimizer": optimizer.state_dict(),
    }
    torch.save(checkpoint, tmp_path / "checkpoint_gpu_0.pt")
    assert_same(tmp_path / "checkpoint_gpu_0.pt", network)


def test_half_precision(tmp_path):
    network = trained(IResNet())
    torch.save({key: value.half() for key, value in network.state_dict().items()}, tmp_path / "half.pth")
    torch.save({key: value.bfloat16() for key, value in network.state_dict().items()}, tmp_path / "brain.pth")
    assert_same(tmp_path / "half.pth", network.half().float())
    network.load_state_dict({key: value.bfloat16() for key, value in trained(IResNet()).state_dict().items()})
    assert_same(tmp_path / "brain.pth", network.bfloat16().float())


def test_vision_transformers(tmp_path):
    network = trained(VisionTransformer())
    torch.save(network.state_dict(), tmp_path / "vit.pt")
    found, imported = assert_same(tmp_path / "vit.pt", network)
    assert (found.name, found.input_size) == ("vit_t", (36, 36))
    assert imported.unused == ("mask_token",)


@pytest.mark.parametrize("exporter", ["torch.export", "TorchScript", "TorchScript, not folded"])
@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_files_that_pytorch_exports(tmp_path, name, exporter):
    network, path = trained(NETWORKS[name]()), str(tmp_path / "network.onnx")
    options = {"input_names": ["input"], "dynamo": exporter == "torch.export"}
    if exporter == "TorchScript, not folded":
        options |= {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
    torch.onnx.export(network, (faces()[:1],), path, **options)
    found, imported = assert_same(path, network)
    assert found.name == name
    assert bool(imported.folded) == (exporter != "TorchScript, not folded")
    assert imported.difference < 1e-4
