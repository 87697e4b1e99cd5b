"""Makes a table like those of customer churn: text, dates, missing values, 5 % positives."""

import csv

import numpy as np

ROWS, POSITIVES = 800, 40
COLUMNS = (
    *("customer", "signed_up", "age", "plan", "country", "fee", "calls", "paperless"),
    "churned",
)


def rows(seed=0):
    """Yields rows of texts; short contracts, many calls and old age make churn likelier."""
    random = np.random.default_rng(seed)
    plan = random.choice(["monthly", "yearly", "two years"], ROWS, p=[0.5, 0.3, 0.2])
    calls = random.poisson(1.0, ROWS)
    age = random.integers(18, 80, ROWS)
    fee = random.gamma(4.0, 15.0, ROWS)
    score = 2.0 * (plan == "monthly") + 0.9 * calls + 0.03 * age + random.logistic(0, 0.5, ROWS)
    churned = np.argsort(np.argsort(-score)) < POSITIVES
    for i in range(ROWS):
        yield [
            f"C{i * 7919 % 100_003:05d}",
            f"20{random.integers(10, 24)}-{random.integers(1, 13):02d}-01",
            "" if random.random() < 0.08 else age[i],
            plan[i],
            "" if random.random() < 0.03 else random.choice(["NO", "IT", "DE"]),
            f"{fee[i]:.2f}",
            f"{calls[i]}" if calls[i] < 3 else "3+",
            random.choice(["true", "false"]),
            "yes" if churned[i] else "no",
        ]


def write(path):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([COLUMNS, *rows()])
    return path
