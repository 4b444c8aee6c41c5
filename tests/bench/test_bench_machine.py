from bench.machine import cpu, gemm_peak

ZEN3 = """processor\t: 0
model name\t: AMD EPYC 7763
flags\t\t: fpu sse2 avx avx2 fma

processor\t: 1
model name\t: AMD EPYC 7763
flags\t\t: fpu sse2 avx avx2 fma
"""


def test_cpu_is_named_with_its_widest_vector_level():
    assert cpu(ZEN3) == ("AMD EPYC 7763", "AVX2")
    assert cpu(ZEN3.replace("fma", "avx512f avx512_bf16"))[1] == "AVX-512 with bf16"
    assert cpu("CPU implementer\t: 0x41\nFeatures\t: fp asimd evtstrm\n")[1] == "NEON"


def test_cpu_that_tells_nothing_is_no_error():
    assert cpu("")[1] == "unknown vector level"


def test_gemm_peak_is_measured_on_this_machine():
    assert 0.1 < gemm_peak(1) < 1e5
