"""Batches that depend on (seed, step, trial) alone, and what watches a training."""

import numpy as np
import pytest
import torch

from tempgen.decoders.dynadiff import DynadiffTask, DynadiffTrials, encode_images, hold_out_runs
from tempgen.decoders.dynadiff.trials import draw_timesteps
from tempgen.errors import DecoderError
from tests.decoders.dynadiff.tiny import N_IMAGES

ROWS = np.arange(N_IMAGES)


def _same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def _rows_of(batch, rows):
    return {name: tensor[rows] for name, tensor in batch.items()}


def test_a_trial_is_the_same_in_any_batch_of_a_step(make_module, trials):
    task = DynadiffTask(make_module(), trials)
    everything = task.batch(ROWS, step=7)
    assert _same(task.batch(ROWS[[5, 2, 11]], step=7), _rows_of(everything, [5, 2, 11]))
    other = task.batch(ROWS, step=8)
    assert (everything["noise"] != other["noise"]).all()
    assert (everything["timesteps"] != other["timesteps"]).any()


def test_a_trials_noise_goes_with_its_key_not_with_its_row(make_module, trials, encoded, windows):
    chosen = ROWS[3:]
    fewer = DynadiffTrials(lambda rows: windows[chosen][rows], chosen, keys=trials.keys[3:], images=encoded)
    module = make_module()
    assert _same(
        DynadiffTask(module, fewer).batch(np.array([0, 4]), step=2),
        DynadiffTask(module, trials).batch(np.array([3, 7]), step=2),
    )


def test_window_noise_has_its_size_and_goes_with_step_and_trial(make_module, trials):
    quiet = DynadiffTask(make_module(), trials).batch(ROWS, step=3)
    noisy = DynadiffTask(make_module(window_noise=0.5), trials)
    added = noisy.batch(ROWS, step=3)
    difference = added.pop("windows") - quiet.pop("windows")
    assert _same(added, quiet)  # all else is as without it
    assert float(difference.std()) == pytest.approx(0.5, rel=0.1)
    assert abs(float(difference.mean())) < 0.1
    assert _same(noisy.batch(ROWS[[4, 1]], step=3), _rows_of(noisy.batch(ROWS, step=3), [4, 1]))
    assert not torch.equal(noisy.batch(ROWS, step=4)["windows"], noisy.batch(ROWS, step=3)["windows"])


def test_noise_does_not_depend_on_windows_and_so_on_the_lag(make_module, trials, encoded, windows):
    shifted = DynadiffTrials(lambda rows: windows[rows][:, ::-1], ROWS, keys=trials.keys, images=encoded)
    module = make_module()
    one, other = (DynadiffTask(module, each).batch(ROWS, step=0) for each in (trials, shifted))
    assert not torch.equal(one.pop("windows"), other.pop("windows"))
    assert _same(one, other)


def test_noise_has_the_offset_that_all_pixels_of_a_channel_share(make_module, trials):
    module = make_module(offset_noise=0.5)
    task = DynadiffTask(module, trials)
    noise = torch.cat([task.batch(ROWS, step)["noise"] for step in range(40)])
    channel_means = noise.mean((2, 3))
    assert channel_means.std() == pytest.approx((0.25 + 1 / 64) ** 0.5, rel=0.05)
    assert (noise - channel_means[..., None, None]).std() == pytest.approx((63 / 64) ** 0.5, rel=0.02)


def test_a_tenth_of_the_samples_loses_its_condition(make_module, trials):
    task = DynadiffTask(make_module(), trials)
    dropped = torch.cat([task.batch(ROWS, step)["dropped"] for step in range(80)])
    assert dropped.float().mean() == pytest.approx(0.1, abs=0.02)


def test_dropped_samples_do_not_see_their_windows(make_module, trials):
    module = make_module(null_embedding="zeros").eval()
    batch = DynadiffTask(module, trials).batch(ROWS[:4], step=0)
    losses = []
    for value in (False, True):
        batch["dropped"][:] = value
        losses.append([module(**batch | {"windows": scale * batch["windows"]})["loss"] for scale in (1, 9)])
    assert losses[0][0] != losses[0][1]
    assert losses[1][0] == losses[1][1]


def test_cubic_timesteps_favour_the_noisy_end():
    uniform = (torch.arange(100_000) + 0.5) / 100_000
    cubic = draw_timesteps(uniform, "cubic", 1000)
    assert cubic.double().mean() == pytest.approx(750, abs=1)  # mean of (1 - u^3) 1000
    assert (cubic >= 875).double().mean() == pytest.approx(0.5, abs=0.01)
    assert draw_timesteps(uniform, "uniform", 1000).double().mean() == pytest.approx(500, abs=1)
    assert cubic.min() >= 0
    assert cubic.max() == 999


def test_latents_are_draws_from_the_posterior(make_module, trials, encoded):
    task = DynadiffTask(make_module(), trials)
    draws = torch.stack([task.batch(ROWS, step)["latents"] for step in range(200)])
    standardized = (draws - encoded.mean) / torch.exp(0.5 * encoded.logvar)
    assert standardized.mean() == pytest.approx(0, abs=0.01)
    assert standardized.std() == pytest.approx(1, abs=0.01)


def test_validation_says_the_same_each_time_and_leaves_random_state_alone(make_module, trials, images):
    module = make_module(brain_module__dropout=0.5).train()
    task = DynadiffTask(module, trials, held_out=trials, seen=images.__getitem__)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first = task.validate(module)
    assert torch.rand(1) == expected
    assert first == task.validate(module)
    assert module.training
    assert set(first) == {"diffusion_loss", "token_error", "pixel_correlation", "monitor"}
    assert first["monitor"] == first["diffusion_loss"]
    assert -1 <= first["pixel_correlation"] <= 1


def test_the_monitor_is_lower_for_better_reconstructions(make_module, trials, images):
    module = make_module(monitor="pixel_correlation")
    scores = DynadiffTask(module, trials, held_out=trials, seen=images.__getitem__).validate(module)
    assert scores["monitor"] == -scores["pixel_correlation"]


def test_token_error_is_one_for_the_mean_of_the_true_tokens(make_module, trials, encoded):
    module = make_module()
    last = module.brain_module.output
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(encoded.tokens.mean(0).flatten())
    scores = DynadiffTask(module, trials, held_out=trials).validate(module)
    assert scores["token_error"] == pytest.approx(1, rel=1e-4)


def test_nothing_is_said_where_nothing_is_held_out(make_module, trials):
    module = make_module()
    assert DynadiffTask(module, trials).validate(module) == {}


def test_whole_runs_are_held_out():
    runs = np.repeat(np.arange(40), 5)
    held_out = hold_out_runs(runs, fraction=0.05, seed=0)
    assert held_out.sum() == 10
    assert {held_out[runs == run].mean() for run in range(40)} == {0.0, 1.0}
    assert not hold_out_runs(runs, fraction=0, seed=0).any()
    assert hold_out_runs(np.array([1, 2]), fraction=0.9, seed=0).sum() == 1
    with pytest.raises(DecoderError, match="validation_fraction: 0"):
        hold_out_runs(np.ones(5, dtype=int), fraction=0.1, seed=0)


def test_images_are_encoded_once_and_then_read(backbone, images, tmp_path):
    calls = []

    def read(ids):
        calls.append(ids)
        return images[ids]

    ids = np.array([4, 2, 4, 7])
    first = encode_images(
        backbone, ids, read, folder=tmp_path, source="store", with_tokens=True, batch_size=2
    )
    assert [len(each) for each in calls] == [2, 1]
    again = encode_images(backbone, ids[::-1], read, folder=tmp_path, source="store", with_tokens=True)
    assert len(calls) == 2
    for name in ("mean", "logvar", "tokens"):
        assert getattr(first, name).dtype == torch.float16
        assert torch.equal(getattr(first, name), getattr(again, name))
    direct = backbone.encode(torch.from_numpy(images[[7]]).movedim(-1, 1) / 255)
    torch.testing.assert_close(
        first.moments(first.rows(np.array([7]))).mean, direct.mean, atol=2e-3, rtol=2e-3
    )
    encode_images(backbone, ids, read, folder=tmp_path, source="another store")
    assert len(calls) == 3
    assert len(list(tmp_path.iterdir())) == 2


def test_an_image_that_was_not_encoded_and_a_damaged_cache_are_named(backbone, images, tmp_path):
    encoded = encode_images(backbone, np.arange(3), images.__getitem__, folder=tmp_path)
    with pytest.raises(DecoderError, match="image 9 was not encoded"):
        encoded.rows(np.array([1, 9]))
    with pytest.raises(DecoderError, match="with_tokens=True"):
        encoded.tokens_of(np.array([0]))
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DecoderError, match="is damaged"):
        encode_images(backbone, np.arange(3), images.__getitem__, folder=tmp_path)


def test_trials_without_a_key_of_their_own_are_refused(trials, encoded):
    with pytest.raises(DecoderError, match="different keys"):
        DynadiffTrials(trials.windows, trials.image_ids, keys=np.zeros(N_IMAGES, dtype=int), images=encoded)
