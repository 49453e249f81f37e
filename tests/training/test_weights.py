"""Tests of tempgen.training.weights: what is loaded lies in memory as what it belongs to."""

import pytest
import torch
from torch import Tensor, nn

from tempgen.errors import TrainingError
from tempgen.training import train
from tempgen.training.weights import load_optimizer_state, optimizer_state, trainable_parameters
from tests.training.tiny import TinyTask, quiet, same_bits, tiny_config, trained_weights


class ConvModule(nn.Module):
    """A convolution whose weights lie channels last."""

    def __init__(self) -> None:
        super().__init__()
        layers = nn.Sequential(nn.Conv2d(6, 5, 3), nn.GELU(), nn.Conv2d(5, 3, 2))
        self.layers = layers.to(memory_format=torch.channels_last)

    def forward(self, seen: Tensor, wanted: Tensor) -> dict[str, Tensor]:
        places = torch.linspace(-1, 1, 16).reshape(4, 4)
        images = (seen[:, :, None, None] * places).contiguous(memory_format=torch.channels_last)
        return {"loss": (self.layers(images).flatten(1) - wanted).square().mean()}


def conv_task(**options) -> TinyTask:
    task = TinyTask(**options)
    torch.manual_seed(0)
    task.module = ConvModule()
    return task


def is_channels_last(tensor: Tensor) -> bool:
    return tensor.is_contiguous(memory_format=torch.channels_last) and not tensor.is_contiguous()


@pytest.mark.parametrize("ema_decay", [None, 0.9])
def test_resumed_run_of_channels_last_weights_equals_an_uninterrupted_one(tmp_path, ema_decay):
    config = tiny_config(n_steps=30, keep="last", ema_decay=ema_decay)
    whole, broken, resumed = conv_task(), conv_task(broken_from=17), conv_task()
    train(whole, config, tmp_path / "whole", say=quiet)
    with pytest.raises(TrainingError):
        train(broken, config, tmp_path / "cut", say=quiet)
    said: list[str] = []
    train(resumed, config, tmp_path / "cut", say=said.append)

    assert any("goes on after step 14 of 30" in line for line in said)
    assert is_channels_last(resumed.module.layers[0].weight)
    assert same_bits(trained_weights(resumed), trained_weights(whole))


def test_loaded_moments_have_the_layout_of_their_parameter_and_the_saved_values():
    module = ConvModule()
    names = {parameter: name for name, parameter in trainable_parameters(module).items()}
    optimizer = torch.optim.AdamW(module.parameters(), fused=True)
    module(torch.randn(4, 6), torch.randn(4, 3))["loss"].backward()
    optimizer.step()
    # a file knows shapes alone
    saved = {key: value.clone().contiguous() for key, value in optimizer_state(optimizer, names).items()}
    assert saved["exp_avg/layers.0.weight"].is_contiguous()

    other = torch.optim.AdamW(module.parameters(), fused=True)
    load_optimizer_state(other, saved, names)

    assert same_bits(optimizer_state(other, names), saved)
    for kind in ("exp_avg", "exp_avg_sq"):
        moment = other.state[module.layers[0].weight][kind]
        assert is_channels_last(moment)
        assert moment.stride() == module.layers[0].weight.stride()
