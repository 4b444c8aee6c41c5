"""PyTorch's side of ``bench/train.py``: the same IResNet-50 with ArcFace, written here, without this project.

Run as a script it times steps on a device and prints JSON:

    python bench/peer_r50.py '{"batch": 256, "classes": 1000, "device": "cuda", "bfloat16": true}'
"""

import json
import math
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

LAYERS, CHANNELS = (3, 4, 14, 3), (64, 128, 256, 512)
SCALE, MARGIN = 64.0, 0.5


class Unit(nn.Module):
    """BN, conv, BN, PReLU, strided conv, BN, beside the input or its strided 1x1 projection."""

    def __init__(self, channels: int, depth: int, stride: int):
        super().__init__()
        self.residual = nn.Sequential(
            nn.BatchNorm2d(channels), nn.Conv2d(channels, depth, 3, 1, 1, bias=False),
            nn.BatchNorm2d(depth), nn.PReLU(depth),
            nn.Conv2d(depth, depth, 3, stride, 1, bias=False), nn.BatchNorm2d(depth),
        )  # fmt: skip
        self.shortcut = nn.Identity()
        if stride != 1 or channels != depth:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, depth, 1, stride, bias=False), nn.BatchNorm2d(depth))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[n, channels, h, w]`` to ``[n, depth, h / stride, w / stride]``."""
        return self.shortcut(x) + self.residual(x)


class IResNet50(nn.Module):
    """Pictures ``[n, 3, size, size]`` to embeddings ``[n, 512]``."""

    def __init__(self, size: int, width: float):
        super().__init__()
        depths = [max(1, int(depth * width)) for depth in CHANNELS]
        channels, units = depths[0], []
        stem = [nn.Conv2d(3, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels), nn.PReLU(channels)]
        for count, depth in zip(LAYERS, depths):
            for number in range(count):
                units.append(Unit(channels, depth, 2 if number == 0 else 1))
                channels = depth
        tail = [
            nn.BatchNorm2d(channels),
            nn.Flatten(),
            nn.Linear(channels * (size // 16) ** 2, 512),
            nn.BatchNorm1d(512),
        ]
        self.body = nn.Sequential(*stem, *units, *tail)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return self.body(x)


def arcface(embeddings: torch.Tensor, labels: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Scaled logits with the margin on the angle of the own class, in float32."""
    cosine = functional.normalize(embeddings.float()) @ functional.normalize(kernel).T
    own = cosine.gather(1, labels[:, None]).clamp(-1 + 1e-7, 1 - 1e-7)
    moved = own * math.cos(MARGIN) - torch.sqrt(1 - own * own) * math.sin(MARGIN)
    changed = torch.where(own > math.cos(math.pi - MARGIN), moved, own - MARGIN * math.sin(MARGIN))
    return cosine.scatter(1, labels[:, None], changed) * SCALE


def trainer(classes: int, size: int, width: float = 1.0, device: str = "cpu", bfloat16: bool = False) -> Callable:
    """A function that makes a step on pictures uint8 ``[n, size, size, 3]`` and labels, and returns the loss."""
    torch.manual_seed(0)
    form = torch.contiguous_format if device == "cpu" else torch.channels_last
    model = IResNet50(size, width).to(device, memory_format=form).train()
    kernel = nn.Parameter(torch.randn(classes, 512, device=device) * 0.01)
    optimizer = torch.optim.SGD([*model.parameters(), kernel], lr=0.01, momentum=0.9, weight_decay=5e-4)

    def step(pictures: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        x = (pictures.permute(0, 3, 1, 2).float() - 127.5) / 127.5
        with torch.autocast(device.split(":")[0], torch.bfloat16, enabled=bfloat16):
            embeddings = model(x.contiguous(memory_format=form))
        loss = functional.cross_entropy(arcface(embeddings, labels, kernel), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def main(options: dict[str, Any]) -> dict[str, Any]:
    """Seconds of ``steps`` steps after three that do not count, their median, the last loss and the device."""
    batch, classes, size = options.pop("batch"), options.pop("classes"), options.pop("size", 112)
    steps, compiled = options.pop("steps", 30), options.pop("compile", False)
    device = options.get("device", "cpu")
    torch.set_float32_matmul_precision("high")
    step = trainer(classes, size, **options)
    step = torch.compile(step) if compiled else step
    random = np.random.default_rng(0)
    pictures = torch.tensor(random.integers(0, 256, (batch, size, size, 3), np.uint8), device=device)
    labels = torch.tensor(random.integers(0, classes, batch), device=device)
    warmup = [float(step(pictures, labels)) for _ in range(3)]
    seconds = []
    for _ in range(steps):
        started = time.perf_counter()
        value = float(step(pictures, labels))  # waits for the device
        seconds.append(time.perf_counter() - started)
    name = torch.cuda.get_device_name() if device.startswith("cuda") else "cpu"
    return {
        "backend": f"PyTorch {torch.__version__}", "device": name, "seconds": seconds,
        "median": median(seconds), "first_loss": warmup[0], "last_loss": value,
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
