"""Writes the data files that the page on own parts names."""

import datasets
import numpy as np
import pandas

from helpers import churn_table

N = 60


def write(folder):
    churn_table.write(folder / "churn.csv")
    random = np.random.default_rng(0)
    number, part = np.arange(N), np.array(["train"] * 40 + ["test"] * 20)
    cells = pandas.DataFrame(
        {
            "size": random.normal(10, 2, N),
            "weight": random.normal(5, 1, N),
            "shape": random.choice(["round", "flat"], N),
            "kind": number % 3,
        }
    )
    cells.to_parquet(folder / "cells.parquet")
    cells.to_csv(folder / "sizes.csv", sep=";", decimal=",", index=False)
    patients = cells.assign(patient=number // 3, ill=number % 2)
    patients.to_csv(folder / "patients.csv", index=False)
    images = random.normal(size=(N, 8, 8, 3))
    masks = random.choice([0, 1, 2, 255], (N, 8, 8))
    np.savez(folder / "images.npz", x=images, kind=number % 3)
    np.savez(folder / "scenes.npz", inputs=images.transpose(0, 3, 1, 2), targets=masks)
    series = random.normal(size=(N, 9, 2))
    trust = np.linspace(0.5, 1, N)
    np.savez(folder / "series.npz", inputs=series, targets=number % 2, trust=trust, part=part)
    tokens = random.integers(0, 7, (N, 9))
    np.savez(folder / "tokens.npz", inputs=tokens, targets=np.where(tokens == 3, -1, tokens))
    levels = datasets.ClassLabel(names=["low", "mid", "high"])
    columns = {"stars": (number % 5).tolist(), "level": (number % 3).tolist()}
    features = datasets.Features({"stars": datasets.Value("int64"), "level": levels})
    datasets.disable_progress_bars()
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(str(folder / "reviews"))


def write_counts(folder):
    """Writes the arrays of the page on the audit."""
    random = np.random.default_rng(0)
    counts = random.poisson(9.0, N).astype(float)
    exposure = random.uniform(1, 2, N)
    np.savez(folder / "counts.npz", predictions=np.zeros(N), targets=counts, exposure=exposure)
