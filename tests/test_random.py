"""Random numbers: PyTorch's own for a seed (recorded with PyTorch 2.13), in any mix, order, size and precision."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tracemalloc
from time import process_time

import numpy as np
import pytest

from gradcli.engine.execute.run import execute
from gradcli.errors import GradcliError
from gradcli.graph.op import OPS
from gradcli.ops.create import GENERATOR
from gradcli.ops.random import Draw, Generator


def draw(generator: Generator, kind: str, count: int, dtype: str = "float32") -> Draw:
    return generator.reserve(kind, count, np.dtype(dtype))


FIRST = {
    ("rand", "float32"): [0.028979241847991943, 0.4018985629081726, 0.25984418392181396, 0.3666413426399231],
    ("rand", "float64"): [0.2318341720884639, 0.07875386135027063, 0.46640616040796923, 0.41437948768611854],
    ("rand", "float16"): [0.0289764404296875, 0.40185546875, 0.259765625, 0.36669921875],
    ("randn", "float32"): [0.0461304634809494, 0.4024028182029724, -1.0115290880203247, 0.2167382389307022],
    ("randn", "float64"): [0.04613046189666927, 0.4024028259218943, -1.0115290977852016, 0.21673823500721034],
    ("randn", "float16"): [0.046142578125, 0.40234375, -1.01171875, 0.216796875],
}


@pytest.mark.parametrize(("kind", "dtype"), FIRST)
def test_the_first_numbers_of_a_seed(kind: str, dtype: str) -> None:
    numbers = draw(Generator(1234), kind, 4, dtype).numbers()
    assert numbers.dtype == dtype
    np.testing.assert_allclose(numbers, FIRST[kind, dtype], rtol=1e-15)


# From 16 on, normal numbers come in groups; a group that is not full overwrites the numbers before it.
GROUPS = {
    (17, "float32", 0.5690726637840271): [
        -0.8201345205307007,
        -0.32456663250923157,
        1.9263681173324585,
        -0.3300117254257202,
        0.19844505190849304,
        0.7820726633071899,
        1.0391076803207397,
        -0.7245107293128967,
        -0.8489086031913757,
        -0.21534152328968048,
        -1.8157286643981934,
        -0.3452419638633728,
        -2.0614778995513916,
        0.6741006970405579,
        -1.3233457803726196,
        -1.3597689867019653,
        -0.866701602935791,
    ],
    (17, "float16", 0.6266505718231201): [
        -0.8203125,
        -1.5830078125,
        -0.324462890625,
        1.9267578125,
        -0.330078125,
        0.198486328125,
        0.7822265625,
        1.0390625,
        -0.724609375,
        -0.2093505859375,
        -0.21533203125,
        -1.8154296875,
        -0.34521484375,
        -2.060546875,
        0.67431640625,
        -1.3232421875,
        -1.359375,
    ],
    (16, "float32", 0.720380425453186): [
        -0.8201345205307007,
        0.39563116431236267,
        0.8989084959030151,
        -1.3884038925170898,
        -0.16699601709842682,
        0.2851499617099762,
        -0.641091525554657,
        -0.8936554193496704,
        0.9265429973602295,
        -0.5355122089385986,
        -1.1597203016281128,
        -0.4601571559906006,
        0.7085390686988831,
        1.0127553939819336,
        0.23039686679840088,
        1.090165138244629,
    ],
    (20, "float64", 0.7737615704536438): [
        0.06626753966449943,
        0.04699155524392409,
        1.8365386300294015,
        1.367690398536778,
        1.457454937932726,
        1.932214860010293,
        -1.4418139927522924,
        0.7277603478716976,
        -1.3131496578292892,
        -0.3280001761367003,
        -1.3521685881505834,
        1.7951074839458658,
        1.7421050311620636,
        -0.523961020712386,
        -0.28387899021947915,
        0.45257550210102954,
        -1.6677291342328766,
        -1.5870322969308357,
        2.03026332869622,
        0.6596523264462502,
    ],
}


@pytest.mark.parametrize(("count", "dtype", "after"), GROUPS)
def test_normal_numbers_in_groups(count: int, dtype: str, after: float) -> None:
    generator = Generator(7)
    numbers = draw(generator, "randn", count, dtype).numbers()
    np.testing.assert_allclose(numbers, GROUPS[count, dtype, after], rtol=1e-14)
    assert draw(generator, "rand", 1).numbers() == np.float32(after)


# SHA-256 of 65,551 numbers of seed 42, and the number that follows them. Logarithm, sine and cosine of double precision
# are the C library's, whose last bit differs between systems.
LONG = {
    ("rand", "float32"): ("eefe7d70447d9c66", 0.21558189392089844),
    ("rand", "float64"): ("e8785a0c1bd61a4f", 0.05178958177566528),
    ("rand", "float16"): ("c45fb3bf808a35d7", 0.21558189392089844),
    ("randn", "float32"): ("49f304c833f9a4fa", 0.734687089920044),
    ("randn", "float16"): ("fe357ded9f3c339e", 0.3926282525062561),
    ("randn", "float64"): (None, 0.9395321011543274),
}


@pytest.mark.parametrize(("kind", "dtype"), LONG)
def test_long_draws_to_the_last_bit(kind: str, dtype: str) -> None:
    digest, after = LONG[kind, dtype]
    generator = Generator(42)
    numbers = draw(generator, kind, 65551, dtype).numbers()
    if digest is not None:
        assert hashlib.sha256(numbers.tobytes()).hexdigest().startswith(digest)
    assert draw(generator, "rand", 1).numbers() == np.float32(after)


MIX = [
    ("randn", 3, "float32", [0.8032760620117188, 0.17483338713645935, 0.08897809684276581]),
    ("rand", 2, "float64", [0.7553698716458989, 0.608250626920705]),
    # The normal number left over from the first draw comes first.
    ("randn", 2, "float32", [-0.6137180328369141, 0.3374950885772705]),
    ("randn", 16, "float32", [0.26150116324424744, 0.9311244487762451]),
    ("rand", 1, "float32", [0.13936209678649902]),
]


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 2, 0, 4, 0], [4], [3, 1]], ids=str)
def test_draws_do_not_depend_on_the_order_in_which_they_are_made(order: list[int]) -> None:
    generator = Generator(3)
    draws = [draw(generator, kind, count, dtype) for kind, count, dtype, _ in MIX]
    for at in order:
        expected = MIX[at][3]
        np.testing.assert_allclose(draws[at].numbers()[: len(expected)], expected, rtol=1e-7)


@pytest.mark.parametrize(
    ("seed", "first"),
    [
        (5, 0.8302518725395203),
        (2**32 + 5, 0.8302518725395203),
        (-1, 0.9937993884086609),
        (2**64 - 1, 0.9937993884086609),
    ],
)
def test_the_low_bits_of_a_seed_count(seed: int, first: float) -> None:
    assert draw(Generator(seed), "rand", 1).numbers() == np.float32(first)


@pytest.mark.parametrize("seed", [2**64, -(2**63) - 1])
def test_seeds_out_of_range(seed: int) -> None:
    with pytest.raises(GradcliError, match="out of range"):
        Generator(seed)


def test_without_a_seed_the_numbers_differ() -> None:
    assert draw(Generator(None), "rand", 4).numbers().tolist() != draw(Generator(None), "rand", 4).numbers().tolist()


def test_no_numbers() -> None:
    generator = Generator(0)
    assert draw(generator, "randn", 1).numbers().shape == (1,)
    assert draw(generator, "randn", 0).numbers().shape == (0,)
    assert draw(generator, "rand", 0, "float64").numbers().shape == (0,)
    # An empty draw leaves the number that is left over alone.
    np.testing.assert_allclose(draw(generator, "randn", 1).numbers(), [-0.293428897857666], rtol=1e-7)


def test_numbers_lie_in_the_half_open_range() -> None:
    for dtype in ("float16", "float32", "float64"):
        numbers = draw(Generator(1), "rand", 200_000, dtype).numbers()
        assert numbers.min() >= 0
        assert numbers.max() < 1


def test_reserving_takes_neither_time_nor_memory() -> None:
    tracemalloc.start()
    start = process_time()
    generator = Generator(0)
    huge = draw(generator, "rand", 10**15)
    last = draw(generator, "rand", 1)
    assert process_time() - start < 1
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert isinstance(huge, Draw)
    with pytest.raises(GradcliError, match="out of reach"):
        last.numbers()


def test_many_draws_that_nobody_asked_for() -> None:
    generator, whole = Generator(9), Generator(9)
    for _ in range(20_000):
        draw(generator, "rand", 3)
    last = draw(generator, "rand", 3)
    assert last.numbers().tolist() == draw(whole, "rand", 60_003).numbers()[-3:].tolist()


def test_running_past_a_long_draw_needs_little_memory() -> None:
    generator, whole = Generator(9), Generator(9)
    draw(generator, "randn", 2_000_003)
    tracemalloc.start()
    numbers = draw(generator, "rand", 2).numbers()
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    draw(whole, "randn", 2_000_003).numbers()
    assert numbers.tolist() == draw(whole, "rand", 2).numbers().tolist()


def test_functions_draw_in_the_order_of_the_text() -> None:
    token = GENERATOR.set(Generator(3))
    try:
        a, b = OPS["randn"](3), OPS["rand"](2, dtype="float64")
    finally:
        GENERATOR.reset(token)
    second, first = execute([b, a])
    np.testing.assert_allclose(first, MIX[0][3], rtol=1e-7)
    np.testing.assert_allclose(second, MIX[1][3], rtol=1e-15)


def test_the_generator_costs_nothing_until_a_number_is_made() -> None:
    code = (
        "import sys, numpy as np; from gradcli.ops.random import Generator; g = Generator(0);"
        "d = g.reserve('rand', 3, np.dtype('f4')); assert 'numpy.random' not in sys.modules; d.numbers()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
