"""The work of `landscape run configs/quickstart.yaml` in plain PyTorch.

    python benchmarks/torch_quickstart OUT [--threads N]

Trains five losses with six seeds each on the digits of scikit-learn, one run after another, records
gradients along training, slices the risk around every trained point, checks the slices, and writes
runs, tables, figures and a page to OUT.
"""

import argparse
import itertools
import os
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import torch
from checks import check_slices
from problem import LOSSES, SEEDS, Groups, Run, load_data
from report import report
from slices import slice_point
from tables import store
from training import train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder for runs and report")
    parser.add_argument("--threads", type=int, help="threads of torch; by default as torch chooses")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    mpl.use("agg")
    seconds: dict[str, float] = defaultdict(float)

    def timed(stage: Callable[..., Any], *inputs: Any) -> Any:
        start = time.perf_counter()
        result = stage(*inputs)
        seconds[stage.__name__] += time.perf_counter() - start
        return result

    splits = [timed(load_data, seed) for seed in range(SEEDS)]
    groups: Groups = defaultdict(list)
    for loss, (seed, data) in itertools.product(LOSSES, enumerate(splits)):
        name = loss.__name__
        run = Run(loss, seed, arguments.out / "runs" / f"{name}-seed{seed}", *data)
        for stage in (train, slice_point, check_slices, store):
            timed(stage, run)
        groups[name].append(run)
    print(timed(report, groups, arguments.out / "report").to_string(index=False))
    print(f"\n{torch.get_num_threads()} threads of {os.cpu_count()} cores")
    for name, value in {**seconds, "all stages": sum(seconds.values())}.items():
        print(f"seconds, {name}: {value:.2f}")


if __name__ == "__main__":
    main()
