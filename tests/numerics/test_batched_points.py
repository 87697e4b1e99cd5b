"""Points in groups and on several devices: every point is evaluated once, with its own value."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landscape.numerics import batched_points

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("width", [1, 2, 4])
@pytest.mark.parametrize("count", [0, 1, 3, 4, 7, 8])
def test_map_first_maps_the_first_and_leaves_the_rest(width, count):
    values = np.arange(8.0)
    found = jax.jit(
        lambda count: batched_points.map_first(
            lambda a, b: {"product": a * b, "both": jnp.stack([a, b])},
            (jnp.asarray(values), jnp.asarray(values + 1)),
            count,
            width,
        )
    )(count)
    np.testing.assert_allclose(found["product"][:count], (values * (values + 1))[:count])
    np.testing.assert_allclose(found["both"][:count, 1], (values + 1)[:count])
    # No more than the block that is begun is computed.
    begun = -(-count // width) * width
    assert not np.asarray(found["both"])[begun:].any()


@given(
    slices=st.integers(1, 7),
    points=st.integers(1, 60),
    groups=st.integers(1, 4),
    size=st.integers(1, 9),
    devices=st.integers(1, 4),
)
def test_calls_hold_every_point_of_every_slice_once_and_in_order(
    slices, points, groups, size, devices
):
    plan = batched_points.Plan(groups, size, 1, devices)
    coordinates = np.arange(2.0 * points).reshape(points, 2)
    results = []
    for call in batched_points.calls(slices, coordinates, plan):
        assert call.coordinates.shape == (groups, size * devices, 2)
        assert call.counts.shape == (groups, devices) and call.slices.shape == (groups,)
        assert (np.ptp(call.counts, axis=1) <= 1).all()
        assert not call.counts[call.number :].any()
        total = call.coordinates.sum(axis=2) + 1000.0 * call.slices[:, None]
        results.append(({"total": total, "points": call.coordinates}, call))
    joined = batched_points.joined(results, slices, plan)
    for number in range(slices):
        np.testing.assert_array_equal(joined["points"][number], coordinates)
        expected = coordinates.sum(axis=1) + 1000 * number
        np.testing.assert_array_equal(joined["total"][number], expected)


def test_a_plan_keeps_results_within_their_budget():
    budget = batched_points.BUDGET
    for size, width, directions in itertools.product((1, 4, 1000, 2**20, 2**30), (1, 16), (1, 2)):
        plan = batched_points.plan_for(size, size, directions, width)
        assert plan.size >= 1 and plan.size % plan.width == 0
        for count in (plan.size, plan.groups):
            assert count * plan.devices * size <= max(budget, size * plan.devices)


PROGRAM = """
import sys, jax, numpy as np
from landscape.numerics import risk, slices
from landscape.numerics.loss import Loss, Targets
from landscape.catalog import build
from landscape.config import ModelPart
from landscape.parts.losses.multiclass import brier
assert jax.local_device_count() == int(sys.argv[1])
make = build("models", ModelPart(name="mlp", options={"widths": [5]}), folder=".")
model = make((4,), 3)
params, *directions = (model.init(jax.random.key(i)) for i in range(3))
rng = np.random.default_rng(0)
examples = risk.Examples(
    jax.numpy.asarray(rng.normal(size=(20, 4)), "float32"),
    Targets(jax.nn.one_hot(jax.numpy.arange(20) % 3, 3)),
)
points = rng.normal(size=(23, 2)).astype("float32")
along = slices.slicer(slices.PointMeasure(model, [], 8, gradients=False))
plane = along(Loss(brier), params, [tuple(directions)], points, examples)["risk"]
lines = along(Loss(brier), params, [(d,) for d in directions], points[:, :1], examples)["risk"]
print(plane.tobytes().hex() + lines.tobytes().hex())
"""


@pytest.mark.slow
def test_several_devices_share_the_points_and_find_the_same_bytes():
    found = []
    for devices in (1, 3):
        flags = f"--xla_force_host_platform_device_count={devices}"
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(devices)],
            env=os.environ | {"XLA_FLAGS": flags},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(done.stdout.strip())
    assert len(bytes.fromhex(found[0])) == 3 * 23 * 4
    assert found[0] == found[1]


COUNT = """
import jax
from landscape.numerics.compiling import use_all_cores
use_all_cores()
print(jax.local_device_count())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, min(os.cpu_count(), 8)),
        ({"JAX_NUM_CPU_DEVICES": "3"}, 3),
        ({"XLA_FLAGS": "--xla_force_host_platform_device_count=5"}, 5),
    ],
)
def test_a_cpu_is_a_device_for_each_core_unless_the_environment_says_how_many(environment, wanted):
    clean = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", "JAX_NUM_CPU_DEVICES")}
    done = subprocess.run(
        [sys.executable, "-c", COUNT],
        env=clean | {"JAX_PLATFORMS": "cpu"} | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == wanted
