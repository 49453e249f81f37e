"""The loss, what it trains, and whose the backbone's adapter is meanwhile."""

import gc

import numpy as np
import pytest
import torch
from torch.nn import functional

from tempgen.decoders.dynadiff import DynadiffDecoder, DynadiffTask
from tempgen.errors import DecoderError
from tests.decoders.dynadiff.tiny import N_IMAGES, tiny_config

ROWS = np.arange(N_IMAGES)


def _train(module, task, n_steps):
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=1e-2)
    losses = []
    for step in range(n_steps):
        optimizer.zero_grad()
        loss = module(**task.batch(ROWS, step))["loss"]
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def test_the_loss_is_the_mean_squared_error_of_the_noise(make_module, trials, backbone):
    module = make_module().eval()
    batch = DynadiffTask(module, trials).batch(ROWS[:5], step=0)
    tokens = module.brain_module(batch["windows"], "1")
    tokens[batch["dropped"]] = 0
    noisy = backbone.scheduler.add_noise(batch["latents"], batch["noise"], batch["timesteps"])
    predicted = backbone.unet(noisy, batch["timesteps"], encoder_hidden_states=tokens).sample
    expected = functional.mse_loss(predicted, batch["noise"])
    torch.testing.assert_close(module(**batch)["loss"], expected)


def test_noisy_steps_can_weigh_more_in_the_loss(make_module, trials):
    module = make_module(loss_weight="inverse-signal", loss_weight_cap=4.0).eval()
    batch = DynadiffTask(module, trials).batch(ROWS[:8], step=0)
    one_by_one = [module(**{name: tensor[[i]] for name, tensor in batch.items()}) for i in range(8)]
    weights = (1 / module.alphas_cumprod[batch["timesteps"]]).clamp(max=4)
    assert weights.min() < 2 < 4 == weights.max()  # both sides of the cap are there
    expected = torch.stack([each["diffusion_loss"] for each in one_by_one]) * weights
    torch.testing.assert_close(module(**batch)["loss"], expected.mean())


def test_the_token_loss_is_added_by_its_weight(make_module, trials):
    module = make_module(token_loss=2.0).eval()
    batch = DynadiffTask(module, trials).batch(ROWS[:4], step=0)
    outcome = module(**batch)
    error = functional.mse_loss(module.tokens(batch["windows"]), trials.true_tokens(ROWS[:4]))
    torch.testing.assert_close(outcome["token_loss"], error)
    torch.testing.assert_close(outcome["loss"], outcome["diffusion_loss"] + 2 * error)


def test_the_loss_falls_on_a_few_trials(make_module, trials):
    module = make_module(condition_drop=0.0, brain_module__hidden_size=32)
    task = DynadiffTask(module, trials, held_out=trials)
    before = task.validate(module)
    losses = _train(module, task, 60)
    after = task.validate(module)
    assert np.mean(losses[-10:]) < 0.97 * np.mean(losses[:10])
    assert after["diffusion_loss"] < 0.97 * before["diffusion_loss"]


@pytest.mark.parametrize("null_embedding", ["zeros", "learned"])
@pytest.mark.parametrize("kind", ["none", "cross-attention-lora", "cross-attention-full"])
def test_gradients_reach_all_and_only_what_is_trained(make_module, trials, kind, null_embedding):
    module = make_module(adapter={"kind": kind}, null_embedding=null_embedding)
    frozen = {name for name, parameter in module.named_parameters() if not parameter.requires_grad}
    kept = {name: module.get_parameter(name).clone() for name in frozen}
    _train(
        module, DynadiffTask(module, trials), 2
    )  # a new LoRA's first factor has no gradient in the first step
    reached = {
        name
        for name, parameter in module.named_parameters()
        if parameter.grad is not None and parameter.grad.abs().sum() > 0
    }
    expected = {name for name, _ in module.named_parameters() if name.startswith("brain_module.")}
    expected |= {"unet." + name for name in module.slot.names}
    expected |= {"null_embedding"} if null_embedding == "learned" else set()
    assert reached == expected
    assert (kind == "none") == (not module.slot.names)
    for name, tensor in kept.items():
        torch.testing.assert_close(module.get_parameter(name).detach(), tensor, rtol=0, atol=0)


def test_training_mode_leaves_the_frozen_model_in_evaluation_mode(make_module):
    module = make_module().train()
    assert module.brain_module.training
    assert not any(part.training for part in module.unet.modules())


def test_only_one_training_has_the_adapter_of_a_backbone(make_module, backbone, trials):
    module = make_module()
    with pytest.raises(DecoderError, match="being trained already"):
        make_module()
    decoder = DynadiffDecoder.from_module(module)
    with pytest.raises(DecoderError, match="has given the backbone's adapter free"):
        DynadiffDecoder.from_module(module)
    second = make_module()
    with pytest.raises(DecoderError, match="other weights would overwrite it"):
        decoder.reconstruct(np.zeros((1, 3, 20), dtype=np.float32))
    del second
    gc.collect()
    assert decoder.reconstruct(np.zeros((1, 3, 20), dtype=np.float32)).shape == (1, 16, 16, 3)


def test_each_training_from_scratch_starts_from_the_same_weights(make_module, trials):
    first = make_module()
    start = {name: parameter.detach().clone() for name, parameter in first.named_parameters()}
    _train(first, DynadiffTask(first, trials), 2)
    first.release()
    torch.manual_seed(123)
    for name, parameter in make_module().named_parameters():
        torch.testing.assert_close(parameter.detach(), start[name], rtol=0, atol=0)


def test_a_backbone_with_another_adapter_is_refused(make_module):
    make_module().release()
    with pytest.raises(DecoderError, match="load another backbone"):
        make_module(adapter={"rank": 2})


def test_the_loss_of_the_zero_null_embedding_is_what_the_released_code_has(make_module, backbone):
    module = make_module(null_embedding="zeros")
    torch.testing.assert_close(module.null_embedding.detach(), backbone.null_tokens(1)[0])
    assert not module.null_embedding.requires_grad
    assert tiny_config().null_embedding == "learned"  # the paper's


def _gradients(module, batch):
    module.zero_grad()
    outcome = module(**batch)
    outcome["loss"].backward()
    found = {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}
    return outcome, found


@pytest.mark.parametrize("kind", ["none", "cross-attention-lora"])
def test_leaving_out_samples_without_condition_changes_no_gradient(make_module, trials, monkeypatch, kind):
    module = make_module(
        null_embedding="zeros", adapter={"kind": kind}, token_loss=0.5, loss_weight="inverse-signal"
    ).train()
    _train(module, DynadiffTask(module, trials), 1)  # the updates of a new LoRA are zero
    batch = DynadiffTask(module, trials).batch(ROWS[:8], step=0)
    batch["dropped"][:] = torch.arange(8) % 3 == 0
    seen = []
    denoise = module.backbone.denoise
    monkeypatch.setattr(
        module.backbone,
        "denoise",
        lambda latents, *rest: seen.append(len(latents)) or denoise(latents, *rest),
    )
    left_out, gradients = _gradients(module, batch)
    monkeypatch.setattr(type(module), "skips_dropped", False)
    computed, expected = _gradients(module, batch)
    assert seen == [5, 8]
    assert gradients.keys() == expected.keys()
    assert any(gradient.abs().sum() > 0 for gradient in expected.values())
    for name, gradient in expected.items():
        torch.testing.assert_close(gradients[name], gradient, rtol=1e-4, atol=1e-7)
    assert left_out["loss"] < computed["loss"]
    torch.testing.assert_close(left_out["token_loss"], computed["token_loss"])


@pytest.mark.parametrize(
    ("changes", "skips"),
    [
        ({}, True),
        ({"null_embedding": "learned"}, False),
        ({"adapter": {"kind": "cross-attention-full"}}, False),
        ({"adapter": {"kind": "linear-lora"}}, False),
        ({"optimization__compile": True}, False),
    ],
)
def test_samples_without_condition_are_left_out_only_where_they_have_no_gradient(make_module, changes, skips):
    assert make_module(**{"null_embedding": "zeros"} | changes).skips_dropped == skips
