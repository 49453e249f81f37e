"""Dynadiff under the training loop: it learns, and a run that was stopped ends with the same bits."""

import pytest
import torch

from tempgen.decoders.dynadiff import DynadiffDecoder, DynadiffTask
from tempgen.training import train
from tests.decoders.dynadiff.tiny import tiny_config


class _StoppedError(Exception):
    """Stands in for what kills a run."""


def _task(make_module, trials, images, config):
    return DynadiffTask(make_module(config), trials, held_out=trials, seen=images.__getitem__)


def _quiet(line):
    pass


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_a_resumed_training_gives_the_same_decoder_as_an_uninterrupted_one(
    make_module, trials, images, windows, tmp_path, precision
):
    config = tiny_config(brain_module__dropout=0.5, optimization__mixed_precision=precision)
    task = _task(make_module, trials, images, config)
    train(task, config.optimization, tmp_path / "whole", say=_quiet)
    whole = DynadiffDecoder.from_module(task.module)

    task = _task(make_module, trials, images, config)
    original, asked = task.batch, []

    def batch(rows, step):
        asked.append(step)
        if step == 5:
            raise _StoppedError
        return original(rows, step)

    task.batch = batch
    with pytest.raises(_StoppedError):
        train(task, config.optimization, tmp_path / "stopped", say=_quiet)
    task.module.release()
    task = _task(make_module, trials, images, config)
    train(task, config.optimization, tmp_path / "stopped", say=_quiet)
    resumed = DynadiffDecoder.from_module(task.module)

    assert asked == [0, 1, 2, 3, 4, 5]
    for one, other in (
        (whole.adapter, resumed.adapter),
        (whole.brain_module.state_dict(), resumed.brain_module.state_dict()),
        ({"null": whole.null_embedding}, {"null": resumed.null_embedding}),
    ):
        assert one.keys() == other.keys()
        for name in one:
            assert torch.equal(one[name], other[name]), name
    assert not torch.equal(whole.null_embedding, torch.zeros_like(whole.null_embedding))  # it was trained


def test_training_lowers_the_token_error_from_a_token_loss(make_module, trials, images, tmp_path):
    config = tiny_config(token_loss=1.0, optimization__n_steps=60, optimization__validate_every=60)
    task = _task(make_module, trials, images, config)
    before = task.validate(task.module)
    outcome = train(task, config.optimization, tmp_path, say=_quiet)
    assert outcome.scores["token_error"] < 0.7 * before["token_error"]
    assert set(outcome.scores) >= {"diffusion_loss", "token_error", "pixel_correlation", "monitor"}


def test_gradient_checkpointing_gives_the_same_decoder(make_module, trials, images, tmp_path):
    weights = []
    for on in (False, True):
        config = tiny_config(optimization__gradient_checkpointing=on)
        task = _task(make_module, trials, images, config)
        train(task, config.optimization, tmp_path / str(on), say=_quiet)
        assert task.module.unet.is_gradient_checkpointing == on
        weights.append(DynadiffDecoder.from_module(task.module).adapter)
    assert weights[0]
    for name, tensor in weights[0].items():
        torch.testing.assert_close(tensor, weights[1][name], atol=1e-5, rtol=1e-3)
