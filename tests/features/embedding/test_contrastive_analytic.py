"""The contrastive loss against its formula, who meets whom in a batch, and what augmentation leaves alone."""

import numpy as np
import pytest
import torch

from features.embedding.augmentation import Augmentation, augment
from features.embedding.contrastive import Groups, contrastive_loss


def loss_by_loops(vectors: np.ndarray, temperature: float) -> float:
    """Equation 1 of Chen et al. 2020, cell by cell."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    n, total = len(unit) // 2, 0.0
    for i in range(2 * n):
        others = [np.exp(unit[i] @ unit[j] / temperature) for j in range(2 * n) if j != i]
        total -= np.log(np.exp(unit[i] @ unit[(i + n) % (2 * n)] / temperature) / sum(others))
    return total / (2 * n)


def test_loss_is_the_published_formula(rng):
    vectors = rng.normal(size=(10, 6))
    for temperature in (0.1, 0.5):
        found = float(contrastive_loss(torch.from_numpy(vectors), temperature))
        assert found == pytest.approx(loss_by_loops(vectors, temperature), rel=1e-5)


def test_loss_of_equal_vectors_is_that_of_guessing():
    assert float(contrastive_loss(torch.ones(8, 3), 0.2)) == pytest.approx(np.log(7), rel=1e-6)


def test_partners_are_of_one_field_and_fields_of_one_group_never_meet(rng):
    field_of = np.repeat(np.arange(12), [1, 2, 3, 4] * 3)
    group_of = np.arange(12) // 3
    groups = Groups(
        [np.flatnonzero(field_of == f) for f in range(12)], [np.flatnonzero(group_of == g) for g in range(4)]
    )
    seen = set()
    for _ in range(200):
        one, other = groups.draw(3, rng)
        assert (field_of[one] == field_of[other]).all()
        assert len(set(group_of[field_of[one]])) == 3
        alone = np.isin(field_of[one], [0, 4, 8])
        assert (one[~alone] != other[~alone]).all()
        seen |= set(one)
    assert seen == set(range(len(field_of)))


def disc(n: int = 3) -> torch.Tensor:
    """Crops of a half-bright disc."""
    y, x = np.mgrid[:32, :32] - 15.5
    plane = (np.hypot(y, x) < 9) * np.where(x > 0, 0.8, 0.4)
    return torch.from_numpy(plane).float().expand(n, 4, 32, 32).contiguous()


def test_without_amounts_a_cell_is_only_turned():
    still = Augmentation(zoom=0, blur=0, contrast=0, gain=0, noise=0)
    found = augment(disc(64), still, torch.Generator().manual_seed(0))
    assert (found.sum(dim=(2, 3)) / disc(64).sum(dim=(2, 3)) - 1).abs().max() < 0.03
    assert (found - disc(64)).abs().mean(dim=(1, 2, 3)).max() > 0.05
    columns = torch.arange(32) - 15.5
    for along in (columns, columns[:, None]):
        heavy = (found[:, 0] * along).sum(dim=(1, 2)) / found[:, 0].sum(dim=(1, 2))
        assert heavy.max() > 1
        assert heavy.min() < -1  # the bright half points anywhere


def test_augmentation_stays_inside_the_cell_and_changes_channels_each_by_itself():
    found = augment(disc(16), Augmentation(zoom=0), torch.Generator().manual_seed(1))
    y, x = np.mgrid[:32, :32] - 15.5
    assert found[..., torch.from_numpy(np.hypot(y, x) > 11)].abs().max() == 0
    levels = found.sum(dim=(2, 3))
    assert (levels.std(dim=1) > 0.01 * levels.mean(dim=1)).all()
    again = augment(disc(16), Augmentation(zoom=0), torch.Generator().manual_seed(1))
    torch.testing.assert_close(found, again, rtol=0, atol=0)
