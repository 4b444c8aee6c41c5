import numpy as np
import openvino
import pytest
from openvino import opset13 as opset

from bench.embed import cosines, multiply_adds, network_input
from bench.rounding import rounded


def test_network_input_is_rgb_in_the_public_files_scale():
    faces = np.zeros((1, 1, 1, 3), np.uint8)
    faces[0, 0, 0] = (0, 128, 255)  # blue, green, red
    assert network_input(faces)[0, 0, 0] == pytest.approx([127.5 / 128, 0.5 / 128, -127.5 / 128])


def test_cosines_do_not_depend_on_length():
    assert cosines([[3.0, 0.0], [1.0, 1.0]], [[5.0, 0.0], [0.0, 2.0]]) == pytest.approx([1, 0.5**0.5])


def test_multiply_adds_of_known_layers():
    source = opset.parameter([2, 3, 8, 8], np.float32)
    x = opset.convolution(
        source, opset.constant(np.zeros((4, 3, 3, 3), np.float32)), [2, 2], [1, 1], [1, 1], [1, 1]
    )
    x = opset.group_convolution(
        x, opset.constant(np.zeros((4, 1, 1, 3, 3), np.float32)), [1, 1], [1, 1], [1, 1], [1, 1]
    )
    x = opset.reshape(x, opset.constant(np.array([2, 64])), False)
    x = opset.matmul(x, opset.constant(np.zeros((64, 10), np.float32)), False, False)
    model = openvino.Model([x.output(0)], [source])
    # 4 x 4 x 4 outputs of 27 products, as many of 9, and 10 of 64
    assert multiply_adds(model) == 64 * 27 + 64 * 9 + 10 * 64


def test_operands_are_rounded_before_they_are_multiplied(tmp_path):
    source = opset.parameter([-1, 2], np.float32)
    weights = opset.constant(np.array([[1.0], [1.0]], np.float32))
    product = opset.matmul(source, weights, False, False)
    openvino.save_model(openvino.Model([product.output(0)], [source]), tmp_path / "net.xml", compress_to_fp16=False)
    x = np.array([[1 + 2**-10, 2**-10]], np.float32)  # bf16 has 8 bits: 1 + 2**-10 is 1 in it, 2**-10 is itself
    assert rounded(tmp_path / "net.xml", "f32", x)[0, 0] == 1 + 2**-9
    assert rounded(tmp_path / "net.xml", "bf16", x)[0, 0] == 1 + 2**-10
    assert rounded(tmp_path / "net.xml", "f16", x)[0, 0] == 1 + 2**-9
