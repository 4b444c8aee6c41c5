"""What the measurements ran on, so that they can be judged against what its arithmetic allows."""

import os
import platform
import subprocess
import sys
from pathlib import Path

# Widest first; the names are those of /proc/cpuinfo.
VECTOR_LEVELS = {
    "amx_tile": "AMX", "avx512_bf16": "AVX-512 with bf16", "avx512f": "AVX-512", "avx2": "AVX2", "avx": "AVX",
    "asimd": "NEON",
}  # fmt: skip

_GEMM = """
import time, numpy as np
a = np.random.default_rng(0).random((2048, 2048), dtype=np.float32)
a @ a
best = 1e9
for _ in range(5):
    started = time.perf_counter()
    a @ a
    best = min(best, time.perf_counter() - started)
print(2 * 2048**3 / best / 1e9)
"""


def facts() -> dict[str, str]:
    """CPU model, vector level, cores, load and versions as printable values."""
    model, level = cpu(_cpuinfo())
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    return {
        "CPU": f"{model}, {level}, {os.cpu_count()} cores",
        "load average at the start": load,
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }


def cpu(cpuinfo: str) -> tuple[str, str]:
    """(model name, vector level) from the text of ``/proc/cpuinfo``; "unknown" where it does not say."""
    fields = dict(
        (part.strip() for part in line.split(":", 1))
        for line in reversed(cpuinfo.splitlines())
        if ":" in line
    )
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    level = next((name for flag, name in VECTOR_LEVELS.items() if flag in flags), "unknown vector level")
    return fields.get("model name") or platform.processor() or "unknown CPU", level


def gemm_peak(threads: int) -> float:
    """GFLOP/s of NumPy's float32 matrix product (2048 x 2048, best of five) on ``threads`` threads."""
    limits = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    done = subprocess.run(
        [sys.executable, "-c", _GEMM],
        env={**os.environ, **limits},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def _cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""
