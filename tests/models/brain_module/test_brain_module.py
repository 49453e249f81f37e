import math

import pytest
import torch
import torch.nn.functional as F

from tempgen.config.brain_module import BrainModuleConfig
from tempgen.errors import DecoderError
from tempgen.models.brain_module import BrainModule

N_TR, N_TOKENS, TOKEN_DIM = 6, 5, 4
VOXELS = {"subj01": 30, "subj02": 41}
SMALL = {"hidden_size": 16, "dropout": 0.0}
VARIANTS = {
    "paper": {},
    "no timestep layer": {"timestep_layer": False},
    "mean": {"aggregation": "mean"},
    "in": {"aggregation_place": "in"},
    "in, mean": {"aggregation_place": "in", "aggregation": "mean"},
    "low-rank output": {"output_rank": 3},
    "convolution": {"temporal": "conv1d"},
    "attention": {"temporal": "attention", "n_heads": 4},
    "convolution alone": {"temporal": "conv1d", "timestep_layer": False, "aggregation": "mean"},
    "linear path": {"linear_path_rank": 7},
}


def made(
    *, n_tr: int = N_TR, n_voxels=VOXELS, n_tokens: int = N_TOKENS, token_dim: int = TOKEN_DIM, **config
):
    torch.manual_seed(0)
    return BrainModule(
        BrainModuleConfig(**{**SMALL, **config}),
        n_voxels=n_voxels,
        n_tr=n_tr,
        n_tokens=n_tokens,
        token_dim=token_dim,
    )


def random_windows(subject: str, n: int = 3, n_tr: int = N_TR):
    return torch.randn(n, n_tr, VOXELS[subject], generator=torch.Generator().manual_seed(1))


def one_trial_by_loops(module: BrainModule, window, subject: str):
    """Tokens of one trial, a TR at a time, as the paper tells it."""
    config = module.config
    weights = dict(module.named_parameters())
    n_tr = len(window)

    def aggregated(rows):
        if config.aggregation == "mean":
            return sum(rows) / len(rows)
        total = sum(weight * row for weight, row in zip(weights["aggregation.weight"], rows, strict=True))
        return total + weights["aggregation.bias"]

    rows = list(window)
    if config.aggregation_place == "in":
        rows, n_tr = [aggregated(rows)], 1
    hidden = []
    for tr in range(n_tr):
        row = weights[f"subject_layers.{subject}.weight"] @ rows[tr]
        if config.timestep_layer:
            row = row @ weights["timestep_layer.weight"][tr] + weights["timestep_layer.bias"][tr]
        else:
            row = weights["timestep_layer.weight"] @ row + weights["timestep_layer.bias"]
        row = (row - row.mean()) / (row.var(unbiased=False) + 1e-5).sqrt()
        row = row * weights["norm.weight"] + weights["norm.bias"]
        hidden.append(0.5 * row * (1 + torch.erf(row / math.sqrt(2))))
    if config.temporal == "conv1d":
        normed = [F.layer_norm(row, row.shape) for row in hidden]
        kernel, bias = weights["temporal.convolution.weight"], weights["temporal.convolution.bias"]
        mixed = []
        for tr in range(n_tr):
            seen = [(k, tr + k - 1) for k in range(3) if 0 <= tr + k - 1 < n_tr]
            mixed.append(F.gelu(sum(kernel[:, :, k] @ normed[at] for k, at in seen) + bias))
        hidden = [row + more for row, more in zip(hidden, mixed, strict=True)]
    if config.temporal == "attention":
        hidden = attended(module.temporal, hidden)
    row = hidden[0] if config.aggregation_place == "in" else aggregated(hidden)
    if config.output_rank is None:
        flat = weights["output.weight"] @ row + weights["output.bias"]
    else:
        flat = weights["output.up.weight"] @ (weights["output.down.weight"] @ row) + weights["output.up.bias"]
    if config.linear_path_rank is not None:
        flat = flat + weights[f"linear_paths.{subject}.up.bias"]
        inner = weights[f"linear_paths.{subject}.down.weight"] @ window.flatten()
        flat = flat + weights[f"linear_paths.{subject}.up.weight"] @ inner
    return flat.reshape(N_TOKENS, TOKEN_DIM)


def attended(layer, hidden):
    """Self-attention over TRs, a query and a head at a time."""
    size, n_heads = len(hidden[0]), layer.n_heads
    head_size = size // n_heads
    projected = [
        layer.query_key_value(F.layer_norm(row, row.shape) + position)
        for row, position in zip(hidden, layer.positions, strict=True)
    ]
    out = []
    for row, own in zip(hidden, projected, strict=True):
        heads = []
        for head in range(n_heads):
            part = slice(head * head_size, (head + 1) * head_size)
            scores = torch.stack([own[:size][part] @ p[size : 2 * size][part] for p in projected])
            shares = (scores / math.sqrt(head_size)).softmax(0)
            heads.append(sum(share * p[2 * size :][part] for share, p in zip(shares, projected, strict=True)))
        out.append(row + layer.output(torch.cat(heads)))
    return out


@pytest.mark.parametrize("subject", VOXELS)
@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
def test_tokens_equal_those_of_loops_over_trials_and_trs(variant, subject):
    module = made(**variant)
    with torch.no_grad():  # a linear path and a norm start at values that would hide mistakes
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        if module.config.temporal != "linear":  # the loops leave out its affine part
            module.temporal.norm.weight.fill_(1.0)
            module.temporal.norm.bias.zero_()
    windows = random_windows(subject)

    tokens = module(windows, subject)

    assert tokens.shape == (3, N_TOKENS, TOKEN_DIM)
    expected = torch.stack([one_trial_by_loops(module, window, subject) for window in windows])
    torch.testing.assert_close(tokens, expected, rtol=1e-4, atol=1e-4)
    assert tokens.std() > 0.01


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS.keys())
def test_gradients_reach_every_parameter_of_the_subject_and_none_of_others(variant):
    module = made(**variant)
    if module.linear_paths:
        torch.nn.init.ones_(module.linear_paths["subj01"].up.weight)
    module(random_windows("subj01"), "subj01").square().sum().backward()
    reached = {name for name, p in module.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert reached == {name for name, _ in module.named_parameters() if "subj02" not in name}


def test_one_tr_is_enough_for_beta_values():
    module = made(n_tr=1)
    assert module(random_windows("subj01", n_tr=1), "subj01").shape == (3, N_TOKENS, TOKEN_DIM)


def test_dropout_acts_in_training_alone():
    module = made(dropout=0.5)
    windows = random_windows("subj01")
    assert not torch.equal(module(windows, "subj01"), module(windows, "subj01"))
    module.eval()
    assert torch.equal(module(windows, "subj01"), module(windows, "subj01"))


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def at_paper_size(n_voxels: dict[str, int], **config):
    with torch.device("meta"):
        return BrainModule(
            BrainModuleConfig(**config), n_voxels=n_voxels, n_tr=6, n_tokens=257, token_dim=768
        )


def test_at_the_papers_size_it_has_345_4_million_parameters():
    module = at_paper_size({"subj01": 15_724})
    assert count(module.subject_layers) == 24_403_648
    assert count(module.timestep_layer) == 14_461_536
    assert count(module.norm) + count(module.aggregation) == 3_111
    assert count(module.output) == 306_524_928
    assert count(module) == 345_393_223


def test_with_the_subject_layers_of_all_four_subjects_it_has_407_5_million():
    voxels = {"subj01": 15_724, "subj02": 14_278, "subj05": 13_039, "subj07": 12_682}
    assert round(count(at_paper_size(voxels)) / 1e6, 1) == 407.5


def test_a_low_rank_output_makes_it_small():
    assert count(at_paper_size({"subj01": 15_724}, output_rank=64)) < 53e6


@pytest.mark.parametrize(
    ("shape", "subject", "message"),
    [
        ((2, 5, 30), "subj01", "5 TRs wide, but this brain module was made for 6"),
        ((2, 6, 41), "subj01", "41 voxels, but this brain module has 30 for subject 'subj01'"),
        ((2, 6, 30), "subj05", "no layer for subject 'subj05', but for: subj01, subj02"),
        ((6, 30), "subj01", r"shape \(6, 30\); needed is \(trials, TRs, voxels\)"),
    ],
)
def test_windows_that_do_not_fit_are_refused_with_numbers(shape, subject, message):
    with pytest.raises(DecoderError, match=message):
        made()(torch.zeros(shape), subject)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"n_voxels": {}}, "at least one subject"),
        ({"n_voxels": {"a.b": 3}}, "'a.b' cannot name a layer"),
        ({"n_voxels": {"training": 3}}, "'training' cannot name a layer"),
        ({"n_voxels": {"subj01": 0}}, "'subj01' has 0 voxels"),
        ({"n_tr": 0}, "n_tr is 0"),
    ],
)
def test_impossible_sizes_are_refused(sizes, message):
    with pytest.raises(DecoderError, match=message):
        made(**sizes)
