"""Measures what a recorder costs: time of training steps with it over that without it.

    python benchmarks/recorder.py [torch | jax]

Rounds with and without a recorder alternate. Printed is the ratio of the smallest CPU times of a
round, at the default interval.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import landscape

ROUNDS = 5
SECONDS = 0.5  # of a round, about
Step = Callable[[Any], None]


class Case(NamedTuple):
    """Milliseconds of a step without a recorder, and the factor with one."""

    name: str
    milliseconds: float
    factor: float


def ratio(
    steps: Callable[[Any], Step], record: Callable[[str], Any], name: str
) -> tuple[float, float]:
    """Returns the milliseconds of a step without a recorder, and the ratio with one."""
    best = {"without": float("inf"), "with": float("inf")}
    step = steps(None)
    start = time.process_time()
    for _ in range(5):
        step(None)
    count = 20 * max(2, round(SECONDS / 20 / (time.process_time() - start) * 5))
    for number in range(ROUNDS):
        for kind in best:
            recorder = record(f"{name} {number}") if kind == "with" else None
            step = steps(recorder)
            step(None)
            start = time.process_time()
            for _ in range(count):
                step(None)
            best[kind] = min(best[kind], time.process_time() - start)
            if recorder is not None:
                recorder.finish()
    return 1e3 * best["without"] / count, best["with"] / best["without"]


def torch_cases(out: str) -> Iterator[Case]:
    import torch
    from torch import nn

    torch.set_num_threads(1)

    def case(name: str, module: nn.Module, inputs: Any, targets: Any) -> Case:
        loss, optimizer = nn.CrossEntropyLoss(), torch.optim.Adam(module.parameters())

        def steps(recorder: Any) -> Step:
            def step(_: Any) -> None:
                predictions = module(inputs)
                optimizer.zero_grad()
                loss(predictions, targets).backward()
                if recorder is not None:
                    recorder.step(predictions, targets)
                optimizer.step()

            return step

        def record(label: str) -> Any:
            return landscape.torch.Recorder(module, loss, name="torch", label=label, out=out)

        return Case(name, *ratio(steps, record, name))

    def mlp(width: int, layers: int) -> nn.Module:
        hidden = [nn.Sequential(nn.Linear(width, width), nn.ReLU()) for _ in range(layers)]
        return nn.Sequential(nn.Linear(64, width), *hidden, nn.Linear(width, 10))

    cnn = nn.Sequential(
        *(nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3, 2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(64 * 14 * 14, 10)),
    )
    encoder = nn.TransformerEncoderLayer(128, 4, 256, dropout=0.0, batch_first=True)
    transformer = nn.Sequential(
        nn.TransformerEncoder(encoder, 3, enable_nested_tensor=False),
        nn.Flatten(),
        nn.Linear(32 * 128, 10),
    )
    classes, table = torch.randint(0, 10, (64,)), torch.randn(64, 64)
    yield case("mlp, 2 layers of 64", mlp(64, 2), table, classes)
    yield case("mlp, 12 layers of 64", mlp(64, 12), table, classes)
    yield case("transformer", transformer, torch.randn(16, 32, 128), classes[:16])
    yield case("cnn", cnn, torch.randn(16, 3, 32, 32), classes[:16])
    yield case("mlp, 3 layers of 1000 (3 million)", mlp(1000, 3), table, classes)


def jax_cases(out: str) -> Iterator[Case]:
    import jax
    import jax.numpy as jnp
    import optax

    def case(name: str, width: int) -> Case:
        shapes = [(64, width), (width, width), (width, 10)]
        keys = jax.random.split(jax.random.key(0), 3)
        params = [jax.random.normal(k, s) / s[0] ** 0.5 for k, s in zip(keys, shapes, strict=True)]
        inputs = jax.random.normal(keys[0], (64, 64))
        targets = jax.random.randint(keys[1], (64,), 0, 10)
        optimizer = optax.adam(1e-3)

        def apply(params: Any, inputs: Any) -> Any:
            for weight in params[:-1]:
                inputs = jax.nn.relu(inputs @ weight)
            return inputs @ params[-1]

        loss = optax.softmax_cross_entropy_with_integer_labels

        @jax.jit
        def gradient(params: Any) -> Any:
            return jax.grad(lambda p: jnp.mean(loss(apply(p, inputs), targets)))(params)

        @jax.jit
        def update(params: Any, state: Any, gradients: Any) -> Any:
            updates, state = optimizer.update(gradients, state)
            return optax.apply_updates(params, updates), state

        def steps(recorder: Any) -> Step:
            point = [params, optimizer.init(params)]

            def step(_: Any) -> None:
                gradients = gradient(point[0])
                if recorder is not None:
                    recorder(point[0], (inputs, targets), gradients)
                point[:] = update(*point, gradients)
                jax.block_until_ready(point)

            for _ in range(25):  # compiles, and records twice
                step(None)
            return step

        def record(label: str) -> Any:
            return landscape.Recorder(apply, loss, name="jax", label=label, out=out)

        return Case(name, *ratio(steps, record, name))

    yield case("mlp of 64", 64)
    yield case("mlp of 1000 (1 million)", 1000)


if __name__ == "__main__":
    kinds = {"torch": torch_cases, "jax": jax_cases}
    with tempfile.TemporaryDirectory() as folder:
        for kind in sys.argv[1:] or kinds:
            for case in kinds[kind](folder):
                text = f"{kind:6} {case.name:36} {case.milliseconds:8.3f} ms x {case.factor:.3f}"
                print(text, flush=True)
