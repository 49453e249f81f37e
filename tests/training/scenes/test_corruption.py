import numpy as np
import pytest
import torch

from tempgen.training.scenes.corruption import SPREAD, Components, TokenCorruption


@pytest.fixture(scope="module")
def tokens():
    """Standardized tokens (300, 5, 6) with a few strong components, about a mean of 0."""
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((30, 30)) * np.geomspace(1, 0.03, 30)[:, None]
    raw = (rng.standard_normal((300, 30)) @ mixing).reshape(300, 5, 6)
    return torch.from_numpy((raw - raw.mean(axis=0)) / raw.std(axis=0)).float()


POSITION = torch.linspace(-1, 1, 30).reshape(5, 6)


def corruption(tokens, *, clean=0.0, dropped=0.0, position=POSITION):
    return TokenCorruption.of(tokens + position, position, clean=clean, dropped=dropped)


ROWS = np.arange(100)


def test_components_are_those_of_a_singular_value_decomposition(tokens):
    values = tokens[:, 1:].flatten(1)
    found = Components.of(values, 10)
    _, singular, directions = np.linalg.svd(values.double().numpy(), full_matrices=False)
    np.testing.assert_allclose(found.variances.numpy(), singular[:10] ** 2 / len(values), rtol=1e-4)
    overlap = np.abs(directions[:10] @ found.directions.double().numpy())
    np.testing.assert_allclose(overlap, np.eye(10), atol=1e-2)
    torch.testing.assert_close(found.coordinates, values @ found.directions)


def test_disturbed_tokens_are_the_posterior_mean_of_a_noisy_measurement(tokens):
    values = tokens[:, 0]
    part = Components.of(values, values.shape[1])
    rows, level = np.array([3, 8]), torch.tensor([0.2, 0.7])
    generator = torch.Generator().manual_seed(0)
    noise, uneven = (torch.randn(2, 6, generator=generator) for _ in range(2))
    given = part.disturbed(rows, level=level, noise=noise, uneven=uneven).double().numpy()

    variances = part.variances.double().numpy()
    smallest, largest = variances.min() / 10, variances.max() * 10
    directions = part.directions.double().numpy()
    for k, row in enumerate(rows):
        expected = np.zeros(6)
        for c in range(6):
            variance_of_noise = smallest * (largest / smallest) ** float(level[k])
            variance_of_noise *= np.exp(SPREAD * float(uneven[k, c]))
            measured = values[row].double().numpy() @ directions[:, c]
            measured += variance_of_noise**0.5 * float(noise[k, c])
            # product of the prior N(0, v) and the likelihood N(measured, s)
            precision = 1 / variances[c] + 1 / variance_of_noise
            expected += measured / variance_of_noise / precision * directions[:, c]
        np.testing.assert_allclose(given[k], expected, rtol=1e-3, atol=1e-4)


def test_no_noise_leaves_the_kept_components_and_much_noise_leaves_nothing(tokens):
    values = tokens[:, 0]
    part = Components.of(values, values.shape[1])
    rows, still = np.arange(20), torch.zeros(20, 6)
    little = part.disturbed(rows, level=torch.full((20,), -1.0), noise=still, uneven=still)
    torch.testing.assert_close(little, values[:20], rtol=0.02, atol=0.02)
    much = part.disturbed(rows, level=torch.full((20,), 2.0), noise=still, uneven=still)
    assert float(much.abs().max()) < 0.02


def test_clean_tokens_are_untouched_and_dropped_ones_are_zero(tokens):
    assert torch.equal(corruption(tokens, clean=1).sample(ROWS, step=0, seed=0), (tokens + POSITION)[ROWS])
    assert not corruption(tokens, dropped=1).sample(ROWS, step=0, seed=0).any()
    disturbed = corruption(tokens).sample(ROWS, step=0, seed=0)
    assert disturbed.shape == (100, 5, 6)
    assert not (disturbed == (tokens + POSITION)[ROWS]).all(dim=(1, 2)).any()
    assert disturbed.any(dim=2).any(dim=1).all()


def test_shares_of_clean_and_dropped_samples_are_the_configured_ones(tokens):
    drawn = [corruption(tokens, clean=0.3, dropped=0.2).sample(ROWS, step=step, seed=0) for step in range(10)]
    sampled = torch.stack(drawn)  # (10, 100, 5, 6)
    clean = (sampled == (tokens + POSITION)[ROWS]).all(dim=(2, 3)).float().mean()
    dropped = (sampled == 0).all(dim=(2, 3)).float().mean()
    assert float(clean) == pytest.approx(0.3, abs=0.05)
    assert float(dropped) == pytest.approx(0.2, abs=0.05)


def test_each_row_depends_on_its_own_key_alone(tokens):
    made = corruption(tokens, clean=0.2, dropped=0.1)
    whole = made.sample(ROWS, step=4, seed=0)
    order = np.array([70, 2, 33])
    torch.testing.assert_close(made.sample(order, step=4, seed=0), whole[order], rtol=1e-4, atol=1e-5)
    for other in (made.sample(ROWS, step=5, seed=0), made.sample(ROWS, step=4, seed=1)):
        assert (other != whole).any(dim=2).any(dim=1).float().mean() > 0.5


def test_the_position_is_never_lost_but_with_all_tokens(tokens):
    with_position = corruption(tokens).sample(ROWS, step=0, seed=0)
    without = corruption(tokens, position=torch.zeros(5, 6)).sample(ROWS, step=0, seed=0)
    torch.testing.assert_close(with_position - without, POSITION.expand(100, 5, 6), rtol=1e-3, atol=1e-3)


def test_the_whole_and_the_grid_are_disturbed_to_different_degrees(tokens):
    disturbed = corruption(tokens).sample(ROWS, step=0, seed=0)
    error = (disturbed - (tokens + POSITION)[ROWS]).square()
    whole, grid = error[:, 0].mean(dim=1), error[:, 1:].mean(dim=(1, 2))
    assert abs(float(torch.corrcoef(torch.stack([whole, grid]))[0, 1])) < 0.4
