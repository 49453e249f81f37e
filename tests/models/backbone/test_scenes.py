"""The backbone of scenes as a folder: what was saved is what is loaded."""

from __future__ import annotations

import json

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

from tempgen.errors import BackboneError
from tempgen.models.backbone import load_backbone
from tempgen.models.backbone.scenes import arguments_of, rotate, rotate_back, save_scene_encoder
from tempgen.models.scene_encoder import SceneEncoder
from tests.tiny_backbone import tiny_scheduler, tiny_unet

N_CHANNELS = 192
TOKENS = (17, 12)


class Saved:
    """Random parts at the scenes' shapes, and their folder."""

    def __init__(self, folder):
        torch.manual_seed(0)
        self.folder = folder
        self.unet = tiny_unet().eval()
        self.vae = AutoencoderKL(
            in_channels=N_CHANNELS,
            out_channels=N_CHANNELS,
            down_block_types=("DownEncoderBlock2D",),
            up_block_types=("UpDecoderBlock2D",),
            block_out_channels=(8,),
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=4,
            mid_block_add_attention=False,
        ).eval()
        self.encoder = SceneEncoder(channels=(8, 8, 16), token_dim=12).eval()
        self.encoder.token_mean.normal_()
        self.encoder.token_scale.uniform_(0.5, 2)
        self.linear = {
            "patch_mean": torch.randn(N_CHANNELS),
            "patch_basis": 3 * torch.linalg.qr(torch.randn(N_CHANNELS, N_CHANNELS))[0].contiguous(),
            "token_readout": torch.randn(16, 12, 16),
            "latent_shift": torch.randn(4),
            "latent_scale": torch.rand(4) + 0.5,
        }
        config = {"name": "scenes", "image_size": 64, "latent_shape": [4, 8, 8]}
        config |= {"n_tokens": TOKENS[0], "token_dim": TOKENS[1]}
        folder.mkdir()
        self.unet.save_pretrained(folder / "image_unet")
        self.vae.save_pretrained(folder / "vae")
        tiny_scheduler().save_pretrained(folder / "scheduler")
        save_scene_encoder(self.encoder, folder)
        save_file(self.linear, folder / "linear.safetensors")
        (folder / "backbone.json").write_text(json.dumps(config))


@pytest.fixture
def saved(tmp_path):
    return Saved(tmp_path / "scenes")


@pytest.fixture
def images():
    return torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def test_the_loaded_backbone_has_the_saved_parts(saved):
    backbone = load_backbone(saved.folder)
    spec = backbone.spec
    assert (spec.name, spec.image_size, spec.latent_shape) == ("scenes", 64, (4, 8, 8))
    assert (spec.n_tokens, spec.token_dim) == TOKENS
    for name in ("unet", "vae"):
        for key, value in getattr(saved, name).state_dict().items():
            assert torch.equal(getattr(backbone, name).state_dict()[key], value)
    for key, value in saved.encoder.state_dict().items():  # saved in half precision
        torch.testing.assert_close(backbone.image_encoder.state_dict()[key], value, rtol=1e-3, atol=1e-4)
    assert not backbone.training
    assert not any(parameter.requires_grad for parameter in backbone.parameters())


def test_the_vaes_blocks_become_images_again(saved, images):
    backbone = load_backbone(saved.folder, parts=("vae",))
    blocks = backbone.to_vae(images)
    assert blocks.shape == (3, N_CHANNELS, 8, 8)
    torch.testing.assert_close(backbone.from_vae(blocks), images, rtol=0, atol=1e-5)
    one = torch.cat([(images[1, c, 8:16, 16:24] * 2 - 1).flatten() for c in range(3)])
    expected = (one - saved.linear["patch_mean"]) @ saved.linear["patch_basis"]
    torch.testing.assert_close(blocks[1, :, 1, 2], expected, rtol=1e-4, atol=1e-4)


def test_rotation_is_undone_by_the_inverse():
    generator = torch.Generator().manual_seed(0)
    blocks, basis = torch.randn(2, 6, 3, 4, generator=generator), torch.randn(6, 6, generator=generator)
    mean = torch.randn(6, generator=generator)
    there = rotate(blocks, mean=mean, basis=basis)
    torch.testing.assert_close(there[1, :, 2, 3], (blocks[1, :, 2, 3] - mean) @ basis)
    torch.testing.assert_close(
        rotate_back(there, mean=mean, inverse=torch.linalg.inv(basis)), blocks, rtol=1e-4, atol=1e-4
    )


def test_images_go_through_the_saved_modules(saved, images):
    backbone = load_backbone(saved.folder)
    scale, shift = (saved.linear[f"latent_{name}"][:, None, None] for name in ("scale", "shift"))
    with torch.no_grad():
        own = saved.vae.encode(backbone.to_vae(images)).latent_dist.mean
        shown = backbone.from_vae(saved.vae.decode(own).sample).clamp(0, 1)
        tokens = saved.encoder(images)
    moments = backbone.encode(images)
    torch.testing.assert_close(moments.mean, (own - shift) * scale, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(backbone.decode(moments.mean), shown, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(backbone.tokens(images), tokens, rtol=0.02, atol=0.02)


def test_the_unet_sees_latents_read_from_the_token_of_their_place(saved):
    backbone = load_backbone(saved.folder, parts=())
    latents, tokens = torch.randn(2, 4, 8, 8), torch.randn(2, 17, 12)
    arguments = backbone.unet_arguments(latents, tokens)
    assert torch.equal(arguments["sample"][:, :4], latents)
    assert torch.equal(arguments["encoder_hidden_states"], tokens)
    assert torch.equal(arguments["class_labels"], tokens[:, 0])
    # the grid's second row and third column
    place = tokens[1, 1 + 4 + 2] @ saved.linear["token_readout"][4 + 2]
    seen = arguments["sample"][1, 4:, 2:4, 4:6]
    torch.testing.assert_close(seen, place.reshape(4, 2, 2), rtol=1e-4, atol=1e-4)


def test_without_tokens_no_latents_are_read():
    latents = torch.randn(2, 4, 8, 8)
    sample = arguments_of(latents, torch.zeros(2, 17, 12), torch.randn(16, 12, 16))["sample"]
    assert not sample[:, 4:].any()
    assert sample[:, :4].any()


def test_larger_images_are_resized_for_their_tokens(saved, images):
    backbone = load_backbone(saved.folder, parts=("image_encoder",))
    large = images.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    small = torch.nn.functional.interpolate(large, size=(64, 64), mode="bilinear", antialias=True)
    torch.testing.assert_close(backbone.tokens(large), backbone.tokens(small), rtol=1e-3, atol=1e-3)
    with pytest.raises(BackboneError, match="needed are squares"):
        backbone.tokens(images[:, :, :32])


def test_parts_that_were_not_loaded_are_named(saved, images):
    backbone = load_backbone(saved.folder, parts=("unet",))
    for call in (backbone.tokens, backbone.encode):
        with pytest.raises(BackboneError, match="loaded without its (image_encoder|vae)"):
            call(images)


def test_other_weights_are_another_revision(saved):
    first = load_backbone(saved.folder, parts=()).spec.revision
    assert load_backbone(saved.folder, parts=("vae",)).spec.revision == first
    path = saved.folder / "linear.safetensors"
    save_file({**load_file(path), "latent_shift": torch.zeros(4)}, path)
    assert load_backbone(saved.folder, parts=()).spec.revision != first


@pytest.mark.parametrize(
    "lost", ["linear.safetensors", "image_encoder/model.safetensors", "vae/config.json", "scheduler"]
)
def test_a_folder_without_a_file_is_refused(saved, lost):
    path = saved.folder / lost
    path.rename(saved.folder.parent / "elsewhere")
    with pytest.raises(BackboneError, match="is no scenes backbone: .*pretrain-scenes"):
        load_backbone(saved.folder)


@pytest.mark.parametrize("damage", ["no size", "no basis", "unknown encoder"])
def test_a_damaged_folder_is_refused(saved, damage):
    if damage == "no size":
        config = json.loads((saved.folder / "backbone.json").read_text())
        del config["image_size"]
        (saved.folder / "backbone.json").write_text(json.dumps(config))
    elif damage == "no basis":
        save_file({"patch_mean": saved.linear["patch_mean"]}, saved.folder / "linear.safetensors")
    else:
        (saved.folder / "image_encoder" / "config.json").write_text('{"channels": [8, 8, 16], "depth": 1}')
    with pytest.raises(BackboneError, match="is no scenes backbone"):
        load_backbone(saved.folder)
