"""Seconds and peak memory of looks at large models, in copies of their parameters.

    python benchmarks/look_sizes.py [mlp resnet transformer]

Each model is looked at in full width and in a quarter of it, each in its own process, on batches
that stream from the host: two lines of 5 points and a plane of 3 by 3. The peak is the growth of
the largest resident memory per copy of the additional parameters, so that libraries and compiled
programs do not count. One batch is what the compiler reserves for the risk of a batch, without
parameters.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time

import jax
import jax.numpy as jnp
import numpy as np

MODELS = ("mlp", "resnet", "transformer")
SLICES = {"lines": {"directions": 2, "points": 5}, "planes": {"points": [3, 3]}}
MIB = 2**20


def normal(key, *shape):
    """Returns weights (inputs, outputs) at the usual scale."""
    return jax.random.normal(key, shape) / np.sqrt(np.prod(shape[:-1]))


def mlp(part=1):
    """12.1 million parameters: 784-2048-2048-2048-1000, batches of 64 examples."""
    sizes = [784, *[2048 // part] * 3, 1000]
    keys = jax.random.split(jax.random.key(0), 4)
    params = [
        {"w": normal(key, a, b), "b": jnp.zeros(b)}
        for key, a, b in zip(keys, sizes[:-1], sizes[1:], strict=True)
    ]

    def apply(params, x):
        for layer in params[:-1]:
            x = jax.nn.relu(x @ layer["w"] + layer["b"])
        return x @ params[-1]["w"] + params[-1]["b"]

    return params, apply, lambda rng: rng.normal(size=(64, 784)), 1000


def resnet(part=1):
    """11.2 million parameters: residual blocks of 64 to 512 channels on 8 images of 32 by 32."""
    keys = iter(jax.random.split(jax.random.key(0), 30))
    params = {"stem": normal(next(keys), 3, 3, 3, 64 // part), "blocks": []}
    before = 64 // part
    for channels in (64, 64, 128, 128, 256, 256, 512, 512):
        channels //= part
        block = {"a": normal(next(keys), 3, 3, before, channels)}
        block["b"] = normal(next(keys), 3, 3, channels, channels)
        if channels != before:
            block["skip"] = normal(next(keys), 1, 1, before, channels)
        params["blocks"].append(block)
        before = channels
    params["head"] = normal(next(keys), 512 // part, 10)

    def convolve(x, w, stride=1):
        numbers = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(x, w, (stride,) * 2, "SAME", dimension_numbers=numbers)

    def apply(params, x):
        x = jax.nn.relu(convolve(x, params["stem"]))
        for block in params["blocks"]:
            stride = 2 if "skip" in block else 1
            skip = convolve(x, block["skip"], stride) if "skip" in block else x
            inner = jax.nn.relu(convolve(x, block["a"], stride))
            x = jax.nn.relu(skip + convolve(inner, block["b"])) / np.sqrt(2)
        return x.mean((1, 2)) @ params["head"]

    return params, apply, lambda rng: rng.normal(size=(8, 32, 32, 3)), 10


def transformer(part=1):
    """13.7 million parameters: 6 layers of 384 on 4 texts of 64 characters, 8192 tokens."""
    width, heads, length, tokens = 384 // part, 6, 64, 4096
    keys = iter(jax.random.split(jax.random.key(0), 60))
    params = {"tokens": normal(next(keys), tokens, width), "places": normal(next(keys), 64, width)}
    params["layers"] = [
        {
            "qkv": normal(next(keys), width, 3 * width),
            "out": normal(next(keys), width, width),
            "up": normal(next(keys), width, 4 * width),
            "down": normal(next(keys), 4 * width, width),
        }
        for _ in range(6)
    ]

    def layer_norm(x):
        return jax.nn.standardize(x)

    def attend(layer, x):
        q, k, v = jnp.split(x @ layer["qkv"], 3, axis=-1)
        q, k, v = (a.reshape(*a.shape[:2], heads, -1) for a in (q, k, v))
        return jax.nn.dot_product_attention(q, k, v, is_causal=True).reshape(x.shape)

    def apply(params, x):
        x = 20 * (params["tokens"][x] + params["places"][: x.shape[1]])
        for layer in params["layers"]:
            x = x + attend(layer, layer_norm(x)) @ layer["out"]
            x = x + jax.nn.gelu(layer_norm(x) @ layer["up"]) @ layer["down"]
        return layer_norm(x) @ params["tokens"].T

    return params, apply, lambda rng: rng.integers(0, tokens, (4, length)), None


def peak():
    """Returns the largest resident memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def look_at(name, part):
    """Looks at one model; returns its row of the table."""
    import landscape

    models = {"mlp": mlp, "resnet": resnet, "transformer": transformer}
    params, apply, draw, classes = models[name](part)
    size = sum(leaf.nbytes for leaf in jax.tree.leaves(params))

    def batches():
        rng = np.random.default_rng(0)
        for _ in range(2):
            inputs = draw(rng)
            if classes is None:
                yield inputs.astype(np.int32)
            else:
                yield inputs.astype(np.float32), rng.integers(0, classes, len(inputs), np.int32)

    def risk(params, batch):
        inputs, targets = (batch[:, :-1], batch[:, 1:]) if classes is None else batch
        logits = jax.nn.log_softmax(apply(params, inputs))
        return -jnp.take_along_axis(logits, targets[..., None], -1).mean()

    compiled = jax.jit(risk).lower(params, next(batches())).compile()
    batch = compiled.memory_analysis().temp_size_in_bytes
    del compiled
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        settings = {"filter_axes": "last", "slices": SLICES, "tell": len}
        landscape.look(params, batches, risk=risk, out=out, **settings)
        seconds = time.perf_counter() - start
    row = {"model": name, "parameters": size // 4, "seconds": seconds, "size": size}
    return row | {"peak": peak(), "batch": batch}


def measured(name, part):
    """Looks at a model in a process of its own; returns its numbers."""
    command = [sys.executable, __file__, "--one", name, str(part)]
    # Freed arrays go back to the system, so that the resident memory is that of living ones.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "1000000"}
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(output.stdout.splitlines()[-1])


def main():
    """Prints the table."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(look_at(sys.argv[2], int(sys.argv[3]))))
        return
    print("| model | parameters | seconds | peak, copies of the parameters | of it one batch |")
    print("|---|---|---|---|---|")
    for name in sys.argv[1:] or MODELS:
        large, small = measured(name, 1), measured(name, 4)
        unit = large["size"] - small["size"]
        peak_copies = (large["peak"] - small["peak"]) / unit
        batch = (large["batch"] - small["batch"]) / unit
        row = f"{large['parameters'] / 1e6:.1f} M | {large['seconds']:.0f}"
        print(f"| {name} | {row} | {peak_copies:.1f} | {batch:.1f} |", flush=True)


if __name__ == "__main__":
    main()
