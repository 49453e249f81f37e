import numpy as np
import pytest
import torch

from tempgen.models.scene_encoder import SceneEncoder
from tempgen.training.scenes.encoder import EncoderModule, EncoderTask, categories_found, standardize


def small_encoder(seed=0):
    torch.manual_seed(seed)
    return SceneEncoder(channels=(8, 8, 16), token_dim=12)


def test_categories_found_agrees_with_a_loop():
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((200, 10)).astype(np.float32)
    categories = np.zeros((200, 10), np.float32)
    for row in categories:
        row[rng.choice(10, size=rng.integers(1, 4), replace=False)] = 1
    expected = []
    for scores, truth in zip(logits, categories, strict=True):
        n = int(truth.sum())
        named = np.argsort(-scores)[:n]
        expected.append(sum(truth[k] for k in named) / n)
    found = categories_found(torch.from_numpy(logits), torch.from_numpy(categories))
    np.testing.assert_allclose(found.numpy(), expected)
    assert float(found.mean()) == pytest.approx(categories.sum(axis=1).mean() / 10, abs=0.05)  # chance


def test_categories_are_all_found_by_themselves(pictures):
    categories = torch.from_numpy(pictures.categories)
    assert categories_found(categories, categories).eq(1).all()
    assert categories_found(-categories, categories).eq(0).all()


def test_standardized_tokens_have_sd_1_about_their_positions_over_scenes(pictures):
    encoder = small_encoder()
    standardize(encoder, pictures)
    with torch.no_grad():
        tokens = encoder(pictures.pixels(slice(None))) - encoder.position
    assert float(tokens.mean(dim=0).abs().max()) < 1e-2
    # what never changes is not blown up
    changes = encoder.token_scale > 1e-3
    assert changes.float().mean() > 0.9
    torch.testing.assert_close(tokens.std(dim=0)[changes], torch.ones(int(changes.sum())), rtol=1e-2, atol=0)


def test_only_the_first_scenes_set_the_scale(pictures):
    first, all_of_them = small_encoder(), small_encoder()
    standardize(first, pictures, n_scenes=50)
    standardize(all_of_them, pictures)
    with torch.no_grad():
        raw = first.raw_tokens(pictures.pixels(slice(0, 50)))
    torch.testing.assert_close(first.token_mean, raw.mean(dim=0))
    assert not torch.allclose(first.token_mean, all_of_them.token_mean)


def test_training_the_readouts_lowers_every_loss(pictures):
    module = EncoderModule(small_encoder())
    rows = np.arange(32)
    batch = EncoderTask("encoder", pictures, pictures, module, {}).batch(rows, 0)
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-2)
    first = {name: float(value.detach()) for name, value in module(**batch).items()}
    for _ in range(40):
        optimizer.zero_grad()
        module(**batch)["loss"].backward()
        optimizer.step()
    last = {name: float(value.detach()) for name, value in module(**batch).items()}
    assert set(first) == {"loss", "pixels", "background", "category", "colour", "place"}
    assert all(last[name] < first[name] for name in first)


@torch.no_grad()
def test_validation_is_the_share_of_categories_found_in_held_out_scenes(pictures, held_out):
    module = EncoderModule(small_encoder()).eval()
    scores = EncoderTask("encoder", pictures, held_out, module, {}).validate(module)
    logits = module.category_logits(held_out.pixels(slice(None)))
    expected = categories_found(logits, torch.from_numpy(held_out.categories)).mean()
    assert scores == {"category": pytest.approx(float(expected)), "monitor": pytest.approx(-float(expected))}
