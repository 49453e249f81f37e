import numpy as np
import pytest
import torch

from tempgen.config.optimization import OptimizationConfig
from tempgen.models.backbone.scenes import arguments_of
from tempgen.training.scenes.corruption import TokenCorruption
from tempgen.training.scenes.denoiser import DenoiserModule, DenoiserTask, make_scheduler, make_unet

CHANNELS, TOKEN_DIM = 8, 12


@pytest.fixture
def unet():
    torch.manual_seed(0)
    return make_unet((32, 32), latent_channels=CHANNELS, token_dim=TOKEN_DIM)


@pytest.fixture
def readout():
    # four places, each of 4 x 4 latents
    return torch.randn(4, TOKEN_DIM, CHANNELS * 16, generator=torch.Generator().manual_seed(2)) / 4


@pytest.fixture
def module(unet, readout):
    return DenoiserModule(unet, alphas_cumprod=make_scheduler().alphas_cumprod, readout=readout, cap=4.0)


@pytest.fixture
def task(module):
    rng = torch.Generator().manual_seed(0)
    tokens = torch.randn(40, 5, TOKEN_DIM, generator=rng)
    latents = torch.randn(40, CHANNELS, 8, 8, generator=rng)
    corruption = TokenCorruption.of(tokens, torch.zeros(5, TOKEN_DIM), clean=0.25, dropped=0.1)
    return DenoiserTask(latents, corruption, (latents[:6], tokens[:6]), module, OptimizationConfig(), {})


def test_sampling_starts_at_the_last_timestep_that_was_trained():
    scheduler = make_scheduler()
    scheduler.set_timesteps(20)
    assert int(scheduler.timesteps[0]) == 999
    assert float(scheduler.alphas_cumprod[-1]) < 0.01


@torch.no_grad()
@pytest.mark.parametrize("timestep", [0, 400, 999])
def test_an_untrained_network_gives_back_its_input(unet, readout, timestep):
    noise = torch.randn(16, CHANNELS, 8, 8, generator=torch.Generator().manual_seed(1))
    arguments = arguments_of(noise, torch.randn(16, 5, TOKEN_DIM), readout)
    predicted = unet(timestep=timestep, **arguments).sample
    assert float((predicted - noise).square().mean()) < 0.1 < float(noise.square().mean())


def test_the_loss_is_the_weighted_error_of_the_noise(module, task):
    batch = task.batch(np.arange(10), 0)
    alphas = module.alphas[batch["timesteps"]]
    noisy = torch.stack(
        [
            a**0.5 * x + (1 - a) ** 0.5 * e
            for a, x, e in zip(alphas, batch["latents"], batch["noise"], strict=True)
        ]
    )
    with torch.no_grad():
        losses = module(**batch)
        arguments = arguments_of(noisy, batch["tokens"], module.readout)
        predicted = module.unet(timestep=batch["timesteps"], **arguments).sample
    error = (predicted - batch["noise"]).square().flatten(1).mean(dim=1)
    weights = torch.tensor([min(1 / float(a), 4.0) for a in alphas]) / 4
    assert float(losses["loss"]) == pytest.approx(float((weights * error).mean()), rel=1e-4)
    assert float(losses["squared_error"]) == pytest.approx(float(error.mean()), rel=1e-4)
    assert len(weights.unique()) > 1


def test_gradients_reach_all_weights(module, task):
    # layers that start at zero hide those before them for one step
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-2)
    module(**task.batch(np.arange(8), 0))["loss"].backward()
    optimizer.step()
    optimizer.zero_grad()
    module(**task.batch(np.arange(8), 1))["loss"].backward()
    assert all(parameter.grad is not None for parameter in module.parameters())
    still = [name for name, parameter in module.named_parameters() if not parameter.grad.any()]
    assert not still


def test_a_batch_is_keyed_by_step_and_scene(task):
    batch, one = task.batch(np.array([4, 9, 30]), 3), task.batch(np.array([9]), 3)
    for name, values in batch.items():
        torch.testing.assert_close(values[1], one[name][0], rtol=1e-4, atol=1e-5)
    later = task.batch(np.array([9]), 4)
    assert not torch.equal(later["noise"], one["noise"])
    assert torch.equal(later["latents"], one["latents"])


def test_timesteps_cover_the_whole_diffusion(task):
    drawn = torch.cat([task.batch(np.arange(40), step)["timesteps"] for step in range(30)])
    assert int(drawn.min()) < 20
    assert int(drawn.max()) > 980
    assert float(drawn.float().mean()) == pytest.approx(500, abs=40)


@torch.no_grad()
def test_validation_has_the_same_noise_each_time_and_clean_tokens(task, module):
    first = task.validate(module)
    torch.rand(5)
    assert task.validate(module) == first
    assert first["monitor"] == first["held_out_loss"]
    for weights in module.unet.conv_out.parameters():
        weights.zero_()
    assert task.validate(module) != first


def test_the_network_learns_on_its_task(task, module):
    optimizer = torch.optim.Adam(module.parameters(), lr=2e-3)
    losses = []
    for step in range(30):
        optimizer.zero_grad()
        loss = module(**task.batch(np.arange(40), step))["loss"]
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
