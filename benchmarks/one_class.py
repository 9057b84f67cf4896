"""Calls of classes that exclude each other, on tables that scikit-learn ships: three rules, the same probabilities.

    python -m benchmarks.one_class

Each rule's macro F1, and the share of rows whose calls are exactly right: every class above its own threshold; the most
probable class; the class furthest above its threshold (what `fit` does where every row has one class). Means of two
times four outer parts.
"""

import numpy as np
from sklearn.datasets import load_digits, load_wine
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold

from models.data.labels_per_field import ANY, ONE
from models.estimator import OrganelleClassifier
from models.second_level.thresholds import call

SIZES = (150, 120, 100, 80, 60, 40, 30, 20, 15, 10)
"""Rows of each digit, so that some are rare."""


def tables() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Values and class numbers by name."""
    rng = np.random.default_rng(0)
    values, digit = map(np.asarray, load_digits(return_X_y=True))
    wines, kind = map(np.asarray, load_wine(return_X_y=True))
    some = rng.permutation(len(digit))[:500]
    rare = np.concatenate([rng.permutation(np.flatnonzero(digit == c))[:n] for c, n in enumerate(SIZES)])
    noisy = values + rng.normal(0, 6, values.shape)
    return {
        "500 digits": (values[some], digit[some]),
        "625 digits, 10 to 150 of each": (values[rare], digit[rare]),
        "the same with noise": (noisy[rare], digit[rare]),
        "178 wines": (wines, kind),
    }


def scores(labels: np.ndarray, calls: np.ndarray) -> tuple[float, float]:
    """Macro F1, and the share of rows that are right."""
    f1 = f1_score(labels, calls, average="macro", zero_division=0)  # pyright: ignore[reportArgumentType] (a number)
    return float(f1), float((calls == labels).all(1).mean())


def main() -> None:
    """Print a row for each table."""
    print("macro F1 / share of rows that are right: any, most probable, furthest above")
    for name, (values, number) in tables().items():
        labels, found = np.eye(number.max() + 1, dtype=bool)[number], []
        for seed in range(2):
            for seen, rest in StratifiedKFold(4, shuffle=True, random_state=seed).split(values, number):
                model = OrganelleClassifier(n_folds=4).fit(values[seen], labels[seen].astype(int))
                p = np.asarray(model.predict_proba(values[rest]))
                rules = (call(p, model.thresholds_, ANY), call(p, np.full(p.shape[1], 0.5), ONE),
                         call(p, model.thresholds_, ONE))  # fmt: skip
                found.append([scores(labels[rest], calls) for calls in rules])
        f1, right = np.mean(found, axis=0).T
        print(f"{name}:", ", ".join(f"{a:.3f} / {b:.3f}" for a, b in zip(f1, right, strict=True)), flush=True)


if __name__ == "__main__":
    main()
