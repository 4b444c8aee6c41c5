"""Networks of PyTorch as ONNX graphs and as state dicts, both from one description, with random weights.

The graphs are those that ``torch.onnx.export`` writes: convolutions and the normalisation behind them folded into one
(evaluation mode), or not (training preserved). Names and structure are arcface_torch's and TreB1eN's.
"""

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

EPSILON = 1e-5


class Builder:
    """Writes operations and makes up their weights; ``parameters`` is then the state dict."""

    def __init__(self, folded, width, seed=0):
        self.folded, self.width = folded, width
        self.parameters, self.nodes, self.constants = {}, [], []
        self._random = np.random.default_rng(seed)

    def parameter(self, name, shape, low=-1.0, high=1.0):
        if name not in self.parameters:
            self.parameters[name] = self._random.uniform(low, high, shape).astype(np.float32)
        return self.parameters[name]

    def convolution(self, x, name, inputs, outputs, size=3, stride=1, groups=1, padding=None, norm=None):
        scale = 1 / np.sqrt(size * size * inputs / groups)
        shape = (outputs, inputs // groups, size, size)
        kernel = self.parameter(f"{name}.weight", shape, -2 * scale, 2 * scale)
        pads = [size // 2 if padding is None else padding] * 4
        options = {"strides": [stride] * 2, "pads": pads, "group": groups, "kernel_shape": [size] * 2}
        if norm is None:
            return self.node("Conv", [x, self.constant(kernel)], **options)
        gamma, beta, mean, variance = self.statistics(norm, outputs)
        if not self.folded:
            return self.norm(self.node("Conv", [x, self.constant(kernel)], **options), norm, outputs)
        factor = gamma / np.sqrt(variance + EPSILON)
        kernel, bias = kernel * factor[:, None, None, None], beta - mean * factor
        return self.node("Conv", [x, self.constant(kernel), self.constant(bias)], **options)

    def statistics(self, name, channels, frozen=False):
        self.parameters[f"{name}.num_batches_tracked"] = np.array(7, np.int64)
        if frozen:
            self.parameters[f"{name}.weight"] = np.ones(channels, np.float32)
        return (
            self.parameter(f"{name}.weight", channels, 0.5, 1.5),
            self.parameter(f"{name}.bias", channels, -0.5, 0.5),
            self.parameter(f"{name}.running_mean", channels, -0.5, 0.5),
            self.parameter(f"{name}.running_var", channels, 0.5, 1.5),
        )

    def norm(self, x, name, channels, frozen=False):
        vectors = [self.constant(vector) for vector in self.statistics(name, channels, frozen)]
        return self.node("BatchNormalization", [x, *vectors], epsilon=EPSILON)

    def prelu(self, x, name, channels):
        slopes = self.parameter(f"{name}.weight", channels, 0.0, 0.5)
        return self.node("PRelu", [x, self.constant(slopes.reshape(-1, 1, 1))])

    def linear(self, x, name, inputs, outputs, bias=True, norm=None, frozen=False):
        scale = 1 / np.sqrt(inputs)
        kernel = self.parameter(f"{name}.weight", (outputs, inputs), -2 * scale, 2 * scale)
        shift = self.parameter(f"{name}.bias", outputs) if bias else np.zeros(outputs, np.float32)
        gamma, beta, mean, variance = self.statistics(norm, outputs, frozen)
        if self.folded == "all":  # as the exporter of PyTorch 2.9 and later does
            factor = gamma / np.sqrt(variance + EPSILON)
            kernel, shift = kernel * factor[:, None], (shift - mean) * factor + beta
            return self.node("Gemm", [x, self.constant(kernel), self.constant(shift)], transB=1)
        if bias:
            x = self.node("Gemm", [x, self.constant(kernel), self.constant(shift)], transB=1)
        else:
            x = self.node("MatMul", [x, self.constant(np.ascontiguousarray(kernel.T))])
        return self.norm(x, norm, outputs, frozen)

    def excite(self, x, name, channels):
        y = self.node("GlobalAveragePool", [x])
        y = self.convolution(y, f"{name}.fc1", channels, max(1, channels // 16), 1)
        y = self.convolution(self.node("Relu", [y]), f"{name}.fc2", max(1, channels // 16), channels, 1)
        return self.node("Mul", [x, self.node("Sigmoid", [y])])

    def node(self, kind, inputs, **attributes):
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(self, array):
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
        return name

    def model(self, output, size, embedding_size, batch="n"):
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [batch, 3, *size])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, [batch, embedding_size])],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        checker.check_model(model)
        return model.SerializeToString()

    def channels(self, count):
        return max(8, round(count * self.width / 8) * 8)


def iresnet(
    folded, units=(2, 2, 2, 2), width=0.125, size=(32, 32), embedding_size=16, se=False, batch="n", swapped=False
):
    """arcface_torch's; ``swapped`` sums the shortcut and the residual in the other order."""
    build = Builder(folded, width)
    inputs = build.channels(64)
    x = build.prelu(build.convolution("input.1", "conv1", 3, inputs, norm="bn1"), "prelu", inputs)
    for stage, (count, depth) in enumerate(zip(units, (64, 128, 256, 512), strict=True), 1):
        depth = build.channels(depth)
        for number in range(count):
            name, stride = f"layer{stage}.{number}", 1 if number else 2
            y = build.norm(x, f"{name}.bn1", inputs)
            y = build.convolution(y, f"{name}.conv1", inputs, depth, norm=f"{name}.bn2")
            y = build.prelu(y, f"{name}.prelu", depth)
            y = build.convolution(y, f"{name}.conv2", depth, depth, stride=stride, norm=f"{name}.bn3")
            y = build.excite(y, f"{name}.se", depth) if se else y
            if stride == 2:
                x = build.convolution(
                    x, f"{name}.downsample.0", inputs, depth, 1, 2, padding=0, norm=f"{name}.downsample.1"
                )
            x, inputs = build.node("Add", [x, y] if swapped else [y, x]), depth
    x = build.node("Flatten", [build.norm(x, "bn2", inputs)], axis=1)
    values = inputs * (size[0] // 16) * (size[1] // 16)
    x = build.linear(x, "fc", values, embedding_size, norm="features", frozen=True)
    return build.model(x, size, embedding_size, batch), build.parameters


def mobilefacenet(folded, scale=2, width=0.125, size=(32, 32), embedding_size=16):
    """arcface_torch's."""
    build = Builder(folded, width)
    narrow, broad = build.channels(64 * scale), build.channels(128 * scale)

    def block(x, name, inputs, outputs, size=1, stride=1, groups=1, padding=None):
        x = build.convolution(
            x, f"{name}.layers.0", inputs, outputs, size, stride, groups, padding, norm=f"{name}.layers.1"
        )
        return build.prelu(x, f"{name}.layers.2", outputs)

    def bottleneck(x, name, inputs, outputs, expansion, stride):
        x = block(x, f"{name}.layers.0", inputs, expansion)
        x = block(x, f"{name}.layers.1", expansion, expansion, 3, stride, expansion)
        name = f"{name}.layers.2.layers"
        return build.convolution(x, f"{name}.0", expansion, outputs, 1, norm=f"{name}.1")

    x = block("input.1", "layers.0", 3, narrow, 3, 2)
    x = block(x, "layers.1", narrow, narrow, 3, 1, build.channels(64))
    inputs = narrow
    stages = ((128, narrow, 128, 4), (256, broad, 256, 6), (512, broad, 256, 2))
    for stage, (opening, outputs, expansion, count) in enumerate(stages, 1):
        x = bottleneck(x, f"layers.{2 * stage}", inputs, outputs, build.channels(opening), 2)
        inputs = outputs
        for number in range(count):
            name = f"layers.{2 * stage + 1}.layers.{number}"
            y = bottleneck(x, name, inputs, inputs, build.channels(expansion), 1)
            x = build.node("Add", [x, y])
    last = build.channels(512)
    x = block(x, "conv_sep", inputs, last)
    name = "features.layers"
    x = build.convolution(x, f"{name}.0.layers.0", last, last, size[0] // 16, 1, last, 0, norm=f"{name}.0.layers.1")
    x = build.node("Flatten", [x], axis=1)
    x = build.linear(x, f"{name}.2", last, embedding_size, bias=False, norm=f"{name}.3")
    return build.model(x, size, embedding_size), build.parameters
