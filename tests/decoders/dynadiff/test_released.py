"""Checkpoints in the authors' format become decoders that load, decode and say whose weights they have."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer import Typer
from typer.testing import CliRunner

from tempgen.cli.released import import_released
from tempgen.config.adapters import AdapterConfig
from tempgen.config.sampling import SamplingConfig
from tempgen.decoders import load_decoder
from tempgen.decoders.dynadiff import DynadiffDecoder, decoder_from_released, hold_no_adapter
from tempgen.errors import ConfigError, DecoderError
from tempgen.models.adapters import add_adapter
from tempgen.models.adapters.slot import adapter_parameters
from tempgen.models.backbone import load_backbone
from tempgen.workflow.released import import_released_weights
from tests.models.backbone.tiny_versatile import N_TOKENS, TOKEN_DIM, save_tiny_versatile
from tests.models.released.checkpoints import (
    N_TR,
    N_VOXELS,
    ReleasedBrainModule,
    released_weights,
    write_checkpoint,
)

QUICK = SamplingConfig(n_steps=3, batch_size=4)


class Authors:
    """A tiny backbone in the hub's format and a checkpoint that steers it, as the authors' code writes it."""

    def __init__(self, folder, n_tokens=N_TOKENS):
        self.backbone_folder = folder / "versatile"
        save_tiny_versatile(self.backbone_folder)
        torch.manual_seed(3)
        self.brain = ReleasedBrainModule().eval()
        self.brain.lin1 = torch.nn.Linear(self.brain.lin1.in_features, n_tokens * TOKEN_DIM)
        unet = load_backbone(self.backbone_folder, parts=("unet",)).unet
        plain = load_backbone(self.backbone_folder, parts=("unet",)).unet
        add_adapter(unet, AdapterConfig())
        self.adapter = {name: 0.3 * torch.randn(p.shape) for name, p in adapter_parameters(unet).items()}
        trained, frozen = released_weights(self.adapter, self.brain, plain)
        self.source = write_checkpoint(folder / "sub01" / "checkpoint", trained, frozen)
        self.trained = trained
        self.windows = np.random.default_rng(0).standard_normal((3, N_TR, N_VOXELS)).astype(np.float32)

    def tokens(self):
        """What the authors' own brain module says of the windows, (n, tokens, token_dim)."""
        x = torch.from_numpy(self.windows).transpose(1, 2)
        hidden = torch.einsum("bvt,vh->bth", x, self.brain.subject_layers.weights[0])
        hidden = self.brain.post_lin0(self.brain.lin0(hidden).reshape(len(x), N_TR, -1))
        flat = self.brain.lin1(self.brain.out_time_agg(hidden.permute(0, 2, 1)).flatten(1))
        return flat.view(len(x), -1, TOKEN_DIM).detach().numpy()


@pytest.fixture
def authors(tmp_path):
    return Authors(tmp_path)


def released(authors, **changes):
    return decoder_from_released(
        authors.source, subject="1", backbone_folder=authors.backbone_folder, sampling=QUICK, **changes
    )


def test_a_released_checkpoint_is_a_decoder_with_the_authors_tokens_and_updates(authors):
    decoder = released(authors)
    np.testing.assert_allclose(decoder.predict(authors.windows), authors.tokens(), rtol=1e-5, atol=1e-5)
    images = decoder.reconstruct(authors.windows)
    assert images.shape == (3, 16, 16, 3)
    held = adapter_parameters(decoder.backbone.unet)
    assert held.keys() == authors.adapter.keys()
    assert all(torch.equal(held[name], value) for name, value in authors.adapter.items())
    decoder.adapter = {name: torch.zeros_like(value) for name, value in decoder.adapter.items()}
    assert np.abs(decoder.reconstruct(authors.windows) - images).max() > 1e-4  # the updates matter
    assert not decoder.null_embedding.any()


def test_the_saved_folder_gives_the_same_images(authors, tmp_path):
    decoder = released(authors)
    images = decoder.reconstruct(authors.windows)
    folder = decoder.save_pretrained(tmp_path / "decoder", provenance=decoder.provenance)
    hold_no_adapter(decoder.backbone)
    again = load_decoder(folder)  # finds its backbone by the folder that it remembers
    assert isinstance(again, DynadiffDecoder)
    assert again.backbone is not decoder.backbone
    np.testing.assert_array_equal(again.reconstruct(authors.windows), images)


def test_it_takes_turns_on_a_backbone_in_memory(authors):
    backbone = load_backbone(authors.backbone_folder)
    decoder = decoder_from_released(authors.source, subject="1", backbone=backbone, sampling=QUICK)
    assert decoder.backbone is backbone
    np.testing.assert_array_equal(
        decoder.reconstruct(authors.windows), released(authors).reconstruct(authors.windows)
    )


def test_a_folder_in_place_of_the_backbones_name_is_remembered(authors, monkeypatch):
    monkeypatch.chdir(authors.backbone_folder.parent)
    decoder = decoder_from_released(authors.source, subject="1", backbone=authors.backbone_folder.name)
    assert decoder.config.backbone_folder == authors.backbone_folder
    assert decoder.config.backbone == "versatile-diffusion"


def test_the_card_says_whose_weights_these_are(authors, tmp_path):
    decoder = released(authors)
    folder = decoder.save_pretrained(tmp_path / "d", provenance=decoder.provenance)
    card = (folder / "README.md").read_text("utf-8")
    assert "The weights are those of the authors of Dynadiff" in card
    assert f"imported from `{authors.source}`" in card
    assert "did not train them" in card
    for words in ("mp_rank_00_model_states.pt", "sha256:", "onset + [3, 9)"):
        assert words in card
    assert "trained by tempgen" not in card
    assert "60000 steps" not in card  # no training of ours is claimed


def test_tokens_of_another_backbone_are_refused_before_the_backbone_is_changed(tmp_path):
    authors = Authors(tmp_path, n_tokens=N_TOKENS - 1)
    backbone = load_backbone(authors.backbone_folder)
    with pytest.raises(DecoderError, match=rf"gives 192 values, .* takes 204 \({N_TOKENS} tokens of 12\)"):
        decoder_from_released(authors.source, subject="1", backbone=backbone)
    assert not any("lora" in name for name, _ in backbone.unet.named_parameters())


def test_names_that_have_no_place_are_listed(authors, tmp_path):
    authors.trained["model.extra.weight"] = torch.zeros(2)
    authors.source = write_checkpoint(tmp_path / "other", authors.trained, {})
    with pytest.raises(DecoderError, match="unexpected: model.extra.weight"):
        released(authors)
    assert released(authors, leave_out=["model.extra."]).n_voxels == N_VOXELS


@pytest.fixture
def app():
    """The command alone; a second one keeps typer from dropping its name."""
    app = Typer()
    app.command("import-released")(import_released)
    app.command("other")(lambda: None)
    return app


def test_the_command_writes_a_decoder_folder_from_start_to_end(authors, tmp_path, app):
    out = tmp_path / "decoder"
    command = ["import-released", str(authors.source.parent), str(out), "--subject", "1"]
    result = CliRunner().invoke(app, [*command, "--backbone-folder", str(authors.backbone_folder)])
    assert result.exit_code == 0, result.output
    assert f"{N_TR} TRs x {N_VOXELS} voxels of subject 1" in result.output
    decoder = load_decoder(out)
    np.testing.assert_allclose(decoder.predict(authors.windows), authors.tokens(), rtol=1e-5, atol=1e-5)
    config = json.loads((out / "config.json").read_text())
    assert config["params"]["null_embedding"] == "zeros"
    assert config["subject"] == "1"
    # a single file in the authors' names gives the same decoder
    file = tmp_path / "weights.safetensors"
    converted = CliRunner().invoke(
        app, ["import-released", str(authors.source), str(file), "--to-safetensors"]
    )
    assert converted.exit_code == 0, converted.output
    assert load_file(file).keys() == authors.trained.keys()
    same = decoder_from_released(file, subject="1", backbone=load_backbone(authors.backbone_folder))
    np.testing.assert_array_equal(same.predict(authors.windows), decoder.predict(authors.windows))


def test_nothing_but_an_earlier_decoder_is_replaced(authors, tmp_path):
    given = {"backbone_folder": authors.backbone_folder, "say": lambda line: None}
    out = import_released_weights(authors.source, tmp_path / "decoder", **given)
    with pytest.raises(ConfigError, match="is there already: name another place, or replace it"):
        import_released_weights(authors.source, out, **given)
    assert import_released_weights(authors.source, out, overwrite=True, **given) == out
    precious = tmp_path / "thesis"
    precious.mkdir()
    (precious / "chapter.txt").write_text("words")
    with pytest.raises(ConfigError, match="is not a Dynadiff decoder, and nothing else is replaced"):
        import_released_weights(authors.source, precious, overwrite=True, **given)
    with pytest.raises(ConfigError, match="is not a file of safetensors"):
        import_released_weights(authors.source, precious, overwrite=True, to_safetensors=True, **given)
    assert (precious / "chapter.txt").read_text() == "words"


def test_a_checkpoint_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DecoderError, match="there is no checkpoint .*nowhere"):
        import_released_weights(tmp_path / "nowhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_only_folders_are_converted(authors, tmp_path):
    file = tmp_path / "weights.pt"
    torch.save(authors.trained, file)
    with pytest.raises(DecoderError, match="is a file; --to-safetensors converts the folder"):
        import_released_weights(file, tmp_path / "w.safetensors", to_safetensors=True)
