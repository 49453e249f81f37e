"""A trained decoder: as a folder, over a shared backbone, on a stream; and what it refuses."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from tempgen.decoders.dynadiff import (
    DecoderBank,
    DynadiffDecoder,
    check_ridge_start,
    module_from_decoder,
    start_from_ridge,
)
from tempgen.decoders.dynadiff.slot import hold_no_adapter
from tempgen.decoders.ridge_solver import fit_ridge_lags
from tempgen.errors import DecoderError
from tempgen.models.backbone import BackboneSpec
from tests.decoders.dynadiff.tiny import N_IMAGES, N_TR, N_VOXELS, tiny_config
from tests.tiny_backbone import SPEC, tiny_backbone


def _scrambled(module, seed):
    """The decoder of a module whose trainable weights were all changed, as training would."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return DynadiffDecoder.from_module(module)


@pytest.fixture
def decoder(make_module):
    return _scrambled(make_module(), seed=1)


@pytest.fixture
def folders(make_module, tmp_path):
    return {
        delta: _scrambled(make_module(), seed=10 + delta).save_pretrained(
            tmp_path / f"delta{delta}", provenance={"train_delta": delta}
        )
        for delta in (-1, 0, 3)
    }


def test_it_reconstructs_images_from_windows(decoder, windows):
    images = decoder.reconstruct(windows)
    assert images.shape == (N_IMAGES, 16, 16, 3)
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert images.max() <= 1
    assert decoder.predict(windows).shape == (N_IMAGES, SPEC.n_tokens, SPEC.token_dim)
    other = decoder.reconstruct(windows[:, ::-1])
    assert np.abs(images - other).max() > 1e-3  # BOLD matters


def test_the_same_image_and_repetition_start_from_the_same_noise(decoder, windows):
    same = np.repeat(windows[:1], 3, axis=0)
    images = decoder.reconstruct(same, image_ids=[5, 5, 5], repetitions=[0, 1, 0])
    np.testing.assert_allclose(images[0], images[2], atol=1e-5)
    assert np.abs(images[0] - images[1]).max() > 1e-3
    alone = decoder.reconstruct(same[:1], image_ids=[5], repetitions=[1])
    np.testing.assert_allclose(alone[0], images[1], atol=1e-5)


def test_a_saved_decoder_reconstructs_the_same_bits(decoder, windows, backbone, tmp_path):
    expected = decoder.reconstruct(windows)
    folder = decoder.save_pretrained(tmp_path / "decoder")
    hold_no_adapter(backbone)  # so that nothing is left of the first decoder
    for other in (backbone, tiny_backbone()):
        loaded = DynadiffDecoder.from_pretrained(folder, backbone=other)
        np.testing.assert_array_equal(loaded.reconstruct(windows), expected)
        np.testing.assert_array_equal(loaded.predict(windows), decoder.predict(windows))
        assert loaded.config == decoder.config


def test_decoders_of_one_backbone_take_turns(folders, windows, backbone):
    alone = {
        delta: DynadiffDecoder.from_pretrained(folder, backbone=tiny_backbone()).reconstruct(windows)
        for delta, folder in folders.items()
    }
    assert np.abs(alone[0] - alone[3]).max() > 1e-3
    shared = {
        delta: DynadiffDecoder.from_pretrained(folder, backbone=backbone) for delta, folder in folders.items()
    }
    for delta in (0, 3, -1, 0):
        np.testing.assert_array_equal(shared[delta].reconstruct(windows), alone[delta])


def test_switching_equals_loading_and_moves_no_parameter(folders, windows, backbone):
    bank = DecoderBank(folders, backbone)
    assert bank.deltas == (-1, 0, 3)
    places = {name: parameter.data_ptr() for name, parameter in backbone.unet.named_parameters()}
    brain = {name: p.data_ptr() for name, p in bank.use(0).brain_module.named_parameters()}
    for delta in (3, 0, -1, 3):
        decoder = bank.use(delta)
        expected = DynadiffDecoder.from_pretrained(folders[delta], backbone=tiny_backbone())
        np.testing.assert_array_equal(decoder.reconstruct(windows), expected.reconstruct(windows))
        assert decoder.provenance == {"train_delta": delta}
        assert {name: p.data_ptr() for name, p in backbone.unet.named_parameters()} == places
        assert {name: p.data_ptr() for name, p in decoder.brain_module.named_parameters()} == brain
    with pytest.raises(DecoderError, match=r"no decoder of lag 5; there are \[-1, 0, 3\]"):
        bank.use(5)


def test_a_bank_of_different_decoders_is_refused(folders, make_module, tmp_path, backbone):
    with pytest.raises(DecoderError, match="no decoders were given"):
        DecoderBank({})
    other = DynadiffDecoder.from_module(make_module(brain_module__hidden_size=8))
    folders[4] = other.save_pretrained(tmp_path / "other")
    with pytest.raises(DecoderError, match=r"lag 4 is of another kind.*hidden_size: 16 -> 8"):
        DecoderBank(folders, backbone)


def test_without_an_adapter_the_backbone_is_as_it_was(decoder, windows, backbone):
    latents, tokens = torch.ones(1, *SPEC.latent_shape), torch.ones(1, SPEC.n_tokens, SPEC.token_dim)
    expected = tiny_backbone().denoise(latents, 10, tokens)
    decoder.reconstruct(windows)
    assert (backbone.denoise(latents, 10, tokens) - expected).abs().max() > 1e-4
    hold_no_adapter(backbone)
    torch.testing.assert_close(backbone.denoise(latents, 10, tokens), expected)


def test_a_stream_gives_the_image_of_each_window(decoder, windows):
    volumes = windows.reshape(-1, N_VOXELS)[:9]
    read = []

    def recording():
        for number, volume in enumerate(volumes):
            read.append(number)
            yield volume

    stream = decoder.reconstruct_stream(recording(), image_id=2, repetition=1)
    first = next(stream)
    assert read == [0, 1, 2]  # no volume is waited for that is not needed
    streamed = np.stack([first, *stream])
    expected = np.stack([volumes[start : start + N_TR] for start in range(len(volumes) - N_TR + 1)])
    batch = decoder.reconstruct(expected, image_ids=[2] * 7, repetitions=[1] * 7)
    assert streamed.shape == batch.shape
    np.testing.assert_allclose(streamed, batch, atol=1e-5)


def test_a_streams_bad_volume_is_named(decoder):
    good = np.zeros(N_VOXELS)
    with pytest.raises(DecoderError, match=r"volume 1 of the stream has shape \(19,\)"):
        list(decoder.reconstruct_stream([good, good[:-1]]))
    with pytest.raises(DecoderError, match="volume 2 of the stream has 20 values that are not finite"):
        list(decoder.reconstruct_stream([good, good, good + np.nan]))
    assert list(decoder.reconstruct_stream([good] * (N_TR - 1))) == []


def test_windows_of_another_width_subject_or_kind_are_refused(decoder, windows):
    with pytest.raises(
        DecoderError, match="windows have 2 TRs of 20 voxels, this decoder was trained on 3 TRs"
    ):
        decoder.reconstruct(windows[:, :2])
    with pytest.raises(DecoderError, match="windows have 3 TRs of 19 voxels"):
        decoder.reconstruct(windows[..., :-1])
    with pytest.raises(DecoderError, match=r"needed is \(n_trials, n_tr, n_voxels\)"):
        decoder.reconstruct(windows[0])
    windows[4, 0, 0] = np.nan
    with pytest.raises(DecoderError, match="not finite, the first in trial 4"):
        decoder.predict(windows)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"name": "other"}, "name: 'tiny' -> 'other'"),
        ({"revision": "random-1"}, "revision: 'random-0' -> 'random-1'"),
        ({"n_tokens": 4}, "n_tokens: 3 -> 4"),
    ],
)
def test_another_backbone_is_refused_with_the_differences(decoder, tmp_path, change, match):
    folder = decoder.save_pretrained(tmp_path / "decoder")
    other = tiny_backbone(spec=type(SPEC)(**{**vars(SPEC), **change}))
    with pytest.raises(DecoderError, match=match):
        DynadiffDecoder.from_pretrained(folder, backbone=other)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(decoder, tmp_path, missing, backbone):
    folder = decoder.save_pretrained(tmp_path / "decoder")
    (folder / missing).unlink()
    with pytest.raises(DecoderError, match="is no Dynadiff decoder") as error:
        DynadiffDecoder.from_pretrained(folder, backbone=backbone)
    assert missing in str(error.value)


def test_weights_that_do_not_fit_are_listed(decoder, tmp_path, backbone):
    folder = decoder.save_pretrained(tmp_path / "decoder")
    tensors = load_file(folder / "model.safetensors")
    for prefix in ("brain_module.", "adapter."):
        name = next(name for name in tensors if name.startswith(prefix))
        save_file({key: value for key, value in tensors.items() if key != name}, folder / "model.safetensors")
        with pytest.raises(DecoderError, match=name.removeprefix(prefix)):
            DynadiffDecoder.from_pretrained(folder, backbone=backbone)


def test_another_format_is_refused(decoder, tmp_path, backbone):
    path = decoder.save_pretrained(tmp_path / "decoder") / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    for change in ({"format": 99}, {"kind": "ridge"}):
        path.write_text(json.dumps(config | change), encoding="utf-8")
        with pytest.raises(DecoderError, match=str(next(iter(change.values())))):
            DynadiffDecoder.from_pretrained(path.parent, backbone=backbone)


def test_the_model_card_says_data_window_split_and_metrics(decoder, tmp_path):
    provenance = {
        "data_kind": "simulated",
        "window": "3 TRs from volume 2",
        "split": "time-resolved",
        "metrics": {"token_error": 0.51234, "best_step": 400},
        "recipe": "{long}",
    }
    card = (decoder.save_pretrained(tmp_path / "d", provenance=provenance) / "README.md").read_text("utf-8")
    for words in (
        "**simulated**",
        "3 TRs from volume 2",
        "time-resolved",
        "| token error | 0.5123 |",
        "load_decoder",
    ):
        assert words in card
    assert "{long}" not in card


def test_a_decoder_that_cannot_be_written_leaves_the_old_one_whole(decoder, windows, tmp_path, backbone):
    folder = decoder.save_pretrained(tmp_path / "decoder")
    with pytest.raises(TypeError):
        decoder.save_pretrained(folder, provenance={"not JSON": object()})
    loaded = DynadiffDecoder.from_pretrained(folder, backbone=backbone)
    np.testing.assert_array_equal(loaded.predict(windows), decoder.predict(windows))
    assert [path.name for path in tmp_path.iterdir()] == ["decoder"]


def test_a_full_disk_is_one_error_and_leaves_the_old_decoder_whole(
    decoder, windows, tmp_path, backbone, monkeypatch
):
    folder = decoder.save_pretrained(tmp_path / "decoder")

    def full(tensors, path, **_):
        path.write_bytes(b"half of it")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(
        DecoderError, match=r"could not save the decoder to .*decoder .*No space left.*Make room"
    ):
        decoder.save_pretrained(folder)
    loaded = DynadiffDecoder.from_pretrained(folder, backbone=backbone)
    np.testing.assert_array_equal(loaded.predict(windows), decoder.predict(windows))
    assert [path.name for path in tmp_path.iterdir()] == ["decoder"]


@pytest.mark.parametrize("specialized_from", ["scratch", "ridge", "general"])
def test_a_start_from_ridge_at_the_papers_size_is_refused_with_its_size(specialized_from):
    full = BackboneSpec("versatile-diffusion", 512, (4, 64, 64), 257, 768, "revision")
    config = tiny_config(
        brain_module__linear_path_rank=64, warm_start="ridge", specialized_from=specialized_from
    )
    with pytest.raises(DecoderError, match=r"94,344 inputs \(6 TRs x 15,724 voxels\) x 197,376 .* 69\.4 GiB"):
        check_ridge_start(config, full, n_voxels=15_724, n_tr=6)
    check_ridge_start(tiny_config(), full, n_voxels=15_724, n_tr=6)  # from scratch there is no such matrix
    check_ridge_start(config, replace(full, n_tokens=17, token_dim=96), n_voxels=15_724, n_tr=6)


def test_a_warm_start_predicts_what_ridge_predicts(make_module, windows, encoded):
    targets = encoded.tokens.flatten(1).numpy()
    ((_, fit),) = fit_ridge_lags(
        lambda offset: windows[:, offset],
        targets,
        deltas=[0],
        start_tr=0,
        n_tr=N_TR,
        alphas=[0.1],
        groups=None,
    )
    module = make_module(brain_module__linear_path_rank=36, warm_start="ridge").eval()
    assert start_from_ridge(module, fit) == pytest.approx(1)
    expected = sum(windows[:, k] @ fit.coef[k] for k in range(N_TR)) + fit.intercept
    tokens = module.tokens(torch.from_numpy(windows)).detach()
    np.testing.assert_allclose(tokens.flatten(1).numpy(), expected, atol=1e-4)
    error = np.square(expected - targets).mean() / targets.var()
    assert error < 0.5


def test_a_specialized_training_can_start_from_general(decoder, windows):
    module = module_from_decoder(decoder, decoder.config)
    with torch.no_grad():
        module.brain_module.output.bias += 1  # training goes on
    expected = decoder.predict(windows)
    specialized = DynadiffDecoder.from_module(module)
    np.testing.assert_allclose(specialized.predict(windows), expected + 1, atol=1e-5)
    np.testing.assert_array_equal(decoder.predict(windows), expected)
    assert specialized.adapter.keys() == decoder.adapter.keys()
    for name, tensor in decoder.adapter.items():
        torch.testing.assert_close(specialized.adapter[name], tensor, rtol=0, atol=0)
    with pytest.raises(DecoderError, match="start from scratch"):
        module_from_decoder(decoder, tiny_config(brain_module__hidden_size=8))
