"""Ridge to the backbone's tokens: the comparison that goes through the same images' maker."""

import numpy as np
import pytest

from tempgen.config.sampling import SamplingConfig
from tempgen.decoders import RidgeDecoder, TargetSpec, load_decoder
from tempgen.decoders.dynadiff import DynadiffDecoder, images_of_tokens
from tempgen.errors import DecoderError
from tests.decoders.dynadiff.tiny import N_IMAGES
from tests.tiny_backbone import SPEC, tiny_backbone

SAMPLING = SamplingConfig(n_steps=3)


@pytest.fixture
def ridge(windows, encoded):
    fitted = RidgeDecoder(alphas=(0.1,)).fit(windows, encoded.tokens.flatten(1).numpy())
    return RidgeDecoder.from_fit(fitted.fit_, target=TargetSpec.of_tokens(SPEC), **fitted.get_params())


def test_its_images_are_those_of_its_tokens_through_the_backbone(ridge, windows, backbone):
    images = ridge.reconstruct(windows, backbone=backbone, sampling=SAMPLING)
    tokens = ridge.predict(windows).reshape(N_IMAGES, SPEC.n_tokens, SPEC.token_dim)
    np.testing.assert_array_equal(images, images_of_tokens(tiny_backbone(), tokens, config=SAMPLING))
    assert images.shape == (N_IMAGES, 16, 16, 3)
    assert images.std() > 0.05


def test_it_does_not_use_the_adapter_that_another_decoder_left(ridge, windows, backbone, make_module):
    expected = ridge.reconstruct(windows, backbone=tiny_backbone(), sampling=SAMPLING)
    module = make_module()
    for name in module.slot.names:
        module.unet.get_parameter(name).data += 0.3
    with pytest.raises(DecoderError, match="being trained"):
        ridge.reconstruct(windows, backbone=backbone, sampling=SAMPLING)
    dynadiff = DynadiffDecoder.from_module(module)
    before = dynadiff.reconstruct(windows)
    np.testing.assert_allclose(
        ridge.reconstruct(windows, backbone=backbone, sampling=SAMPLING), expected, atol=1e-5
    )
    np.testing.assert_array_equal(dynadiff.reconstruct(windows), before)


def test_it_is_saved_with_the_backbone_that_its_tokens_are_of(ridge, windows, backbone, tmp_path):
    loaded = load_decoder(ridge.save_pretrained(tmp_path / "ridge"))
    assert loaded.target_ == TargetSpec.of_tokens(SPEC)
    assert loaded.target_.n_outputs == SPEC.n_tokens * SPEC.token_dim
    np.testing.assert_array_equal(
        loaded.reconstruct(windows, backbone=backbone, sampling=SAMPLING),
        ridge.reconstruct(windows, backbone=backbone, sampling=SAMPLING),
    )
    other = tiny_backbone(spec=type(SPEC)(**{**vars(SPEC), "revision": "random-1"}))
    with pytest.raises(DecoderError, match="random-1"):
        loaded.reconstruct(windows, backbone=other, sampling=SAMPLING)


def test_tokens_alone_are_no_images(ridge, windows):
    with pytest.raises(DecoderError, match="by its backbone"):
        ridge.target_.reconstruct(ridge.predict(windows))
    with pytest.raises(DecoderError, match="TargetSpec.of_tokens"):
        TargetSpec("tokens", image_size=16)
