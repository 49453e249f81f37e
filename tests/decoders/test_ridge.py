"""The ridge decoder as an estimator and as a folder."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.base import clone
from sklearn.linear_model import Ridge

from tempgen.decoders import RidgeDecoder, TargetSpec, load_decoder
from tempgen.decoders.ridge_solver import fit_ridge_lags
from tempgen.errors import DecoderError

N_TRIALS, N_TR, N_VOXELS = 60, 3, 12
PIXELS = TargetSpec("pixels", size=2, image_size=8)
LABELS = TargetSpec("labels", names=("boat", "fish", "house"))


def _windows_and_pixels(seed=0):
    rng = np.random.default_rng(seed)
    pixels = rng.random((N_TRIALS, 12)).astype(np.float32)
    tuning = np.random.default_rng(100).standard_normal((12, N_TR * N_VOXELS))
    windows = pixels @ tuning + 0.3 * rng.standard_normal((N_TRIALS, N_TR * N_VOXELS))
    return windows.reshape(N_TRIALS, N_TR, N_VOXELS).astype(np.float32), pixels


@pytest.fixture
def groups():
    return np.arange(N_TRIALS) // 10


@pytest.fixture
def decoder(groups):
    windows, pixels = _windows_and_pixels()
    decoder = RidgeDecoder(alphas=(1e-3, 1e-2, 1e-1), n_folds=3).fit(windows, pixels, groups=groups)
    return RidgeDecoder.from_fit(decoder.fit_, target=PIXELS, **decoder.get_params())


def test_it_predicts_as_scikit_learns_ridge_does(decoder):
    windows, pixels = _windows_and_pixels()
    new, _ = _windows_and_pixels(seed=1)
    model = Ridge(alpha=decoder.alpha_[0] * decoder.fit_.alpha_scale)
    model.fit(windows.reshape(N_TRIALS, -1).astype(np.float64), pixels)
    np.testing.assert_allclose(decoder.predict(new), model.predict(new.reshape(N_TRIALS, -1)), atol=1e-4)


def test_it_equals_the_fit_of_one_lag_of_the_solver(groups):
    rng = np.random.default_rng(0)
    volumes = rng.standard_normal((9, N_TRIALS, N_VOXELS)).astype(np.float32)
    targets = rng.standard_normal((N_TRIALS, 4)).astype(np.float32)
    settings = {"alphas": (0.1, 1.0), "n_folds": 2}
    ((_, fit),) = fit_ridge_lags(
        volumes.__getitem__, targets, deltas=(2,), start_tr=3, n_tr=N_TR, groups=groups, **settings
    )
    decoder = RidgeDecoder(**settings).fit(volumes[5:8].transpose(1, 0, 2), targets, groups=groups)
    np.testing.assert_array_equal(decoder.coef_, fit.coef)
    np.testing.assert_array_equal(decoder.intercept_, fit.intercept)
    np.testing.assert_array_equal(decoder.alpha_, fit.alpha)


def test_it_has_scikit_learns_manners(decoder):
    copy = clone(decoder)
    assert copy.get_params() == decoder.get_params()
    assert not hasattr(copy, "coef_")
    assert copy.set_params(n_folds=1).n_folds == 1
    windows, pixels = _windows_and_pixels(seed=1)
    assert decoder.score(windows, pixels) > 0.9  # R2


def test_images_are_reconstructed_from_pixels(decoder):
    windows, pixels = _windows_and_pixels(seed=1)
    images = decoder.reconstruct(windows)
    assert images.shape == (N_TRIALS, 8, 8, 3)
    assert images.min() >= 0
    assert images.max() <= 1
    corner = pixels.reshape(-1, 2, 2, 3)[:, 0, 0]
    assert np.corrcoef(images[:, 0, 0].ravel(), corner.ravel())[0, 1] > 0.9


def test_labels_are_predicted_from_one_hot_targets(groups):
    labels = np.arange(N_TRIALS) % 3
    windows = np.random.default_rng(0).standard_normal((N_TRIALS, N_TR, N_VOXELS)).astype(np.float32)
    windows[np.arange(N_TRIALS), 0, labels] += 9
    decoder = RidgeDecoder(alphas=(0.1,)).fit(windows, np.eye(3)[labels])
    decoder = RidgeDecoder.from_fit(decoder.fit_, target=LABELS)
    np.testing.assert_array_equal(decoder.predict_label(windows), labels)
    with pytest.raises(DecoderError, match="outputs are labels, not pixels"):
        decoder.reconstruct(windows)


def test_a_saved_decoder_predicts_the_same_bits(decoder, tmp_path):
    windows, _ = _windows_and_pixels(seed=1)
    folder = decoder.save_pretrained(
        tmp_path / "decoder", provenance={"data_kind": "simulated", "train_delta": 0}
    )
    for loaded in (RidgeDecoder.from_pretrained(folder), load_decoder(folder)):
        np.testing.assert_array_equal(loaded.predict(windows), decoder.predict(windows))
        np.testing.assert_array_equal(loaded.reconstruct(windows), decoder.reconstruct(windows))
        for name in ("coef_", "intercept_", "alpha_", "cv_error_"):
            np.testing.assert_array_equal(getattr(loaded, name), getattr(decoder, name))
        assert loaded.get_params() == decoder.get_params()
        assert loaded.target_ == PIXELS
        assert loaded.fit_.alpha_scale == decoder.fit_.alpha_scale


def test_the_model_card_says_what_the_decoder_is_and_how_to_load_it(decoder, tmp_path):
    folder = decoder.save_pretrained(
        tmp_path / "decoder", provenance={"data_kind": "simulated", "split": "by run"}
    )
    card = (folder / "README.md").read_text(encoding="utf-8")
    for words in ("simulated", "by run", "3 TRs x 12 voxels", "load_decoder"):
        assert words in card


def test_saving_again_replaces_the_decoder_and_leaves_nothing_else(decoder, tmp_path):
    decoder.save_pretrained(tmp_path / "decoder", provenance={"number": 1})
    decoder.save_pretrained(tmp_path / "decoder", provenance={"number": 2})
    config = json.loads((tmp_path / "decoder" / "config.json").read_text(encoding="utf-8"))
    assert config["provenance"] == {"number": 2}
    assert [path.name for path in tmp_path.iterdir()] == ["decoder"]


def test_a_decoder_that_cannot_be_written_leaves_the_old_one_whole(decoder, tmp_path):
    windows, _ = _windows_and_pixels(seed=1)
    folder = decoder.save_pretrained(tmp_path / "decoder")
    with pytest.raises(TypeError):
        decoder.save_pretrained(folder, provenance={"not JSON": object()})
    np.testing.assert_array_equal(
        RidgeDecoder.from_pretrained(folder).predict(windows), decoder.predict(windows)
    )
    assert [path.name for path in tmp_path.iterdir()] == ["decoder"]


@pytest.mark.parametrize("missing", ["", "config.json", "model.safetensors"])
def test_a_missing_folder_or_file_is_named(decoder, tmp_path, missing):
    folder = decoder.save_pretrained(tmp_path / "decoder")
    if missing:
        (folder / missing).unlink()
    else:
        folder = tmp_path / "nothing here"
    with pytest.raises(DecoderError, match="is no ridge decoder") as error:
        RidgeDecoder.from_pretrained(folder)
    assert str(folder / missing) in str(error.value) or missing in str(error.value)


def test_a_truncated_file_is_refused(decoder, tmp_path):
    folder = decoder.save_pretrained(tmp_path / "decoder")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(DecoderError, match="is no ridge decoder"):
        RidgeDecoder.from_pretrained(folder)
    (folder / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(DecoderError, match="is no ridge decoder"):
        RidgeDecoder.from_pretrained(folder)


@pytest.mark.parametrize("change", [{"format": 99}, {"kind": "dynadiff"}])
def test_another_format_or_kind_is_refused(decoder, tmp_path, change):
    path = decoder.save_pretrained(tmp_path / "decoder") / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(DecoderError, match=str(next(iter(change.values())))):
        RidgeDecoder.from_pretrained(path.parent)


@pytest.mark.parametrize("tensor", ["coef", "intercept", "alpha", "cv_error"])
def test_tensors_of_another_shape_are_refused(decoder, tmp_path, tensor):
    folder = decoder.save_pretrained(tmp_path / "decoder")
    tensors = load_file(folder / "model.safetensors")
    tensors[tensor] = np.ascontiguousarray(tensors[tensor][..., :-1])
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(DecoderError, match=r"config\.json says"):
        RidgeDecoder.from_pretrained(folder)


def test_windows_of_another_shape_are_refused(decoder, groups):
    windows, pixels = _windows_and_pixels()
    with pytest.raises(DecoderError, match="2 TRs of 12 voxels"):
        decoder.predict(windows[:, :2])
    with pytest.raises(DecoderError, match=r"\(n_trials, n_tr, n_voxels\)"):
        decoder.predict(windows[:, 0])
    with pytest.raises(DecoderError, match="shape"):
        RidgeDecoder().fit(windows[:-1], pixels, groups=groups)
    with pytest.raises(DecoderError, match="not fitted"):
        RidgeDecoder().predict(windows)


def test_unfitted_decoder_is_neither_saved_nor_asked(tmp_path):
    for use in (
        lambda: RidgeDecoder().save_pretrained(tmp_path / "decoder"),
        lambda: RidgeDecoder().predict(np.zeros((1, 2, 3))),
    ):
        with pytest.raises(DecoderError, match="not fitted"):
            use()
    assert not any(tmp_path.iterdir())
