import numpy as np
import pytest
import torch

from tempgen.config.brain_module import BrainModuleConfig
from tempgen.errors import DecoderError
from tempgen.models.brain_module import BrainModule, LowRankCoefficients

N_TR, N_VOXELS, N_TOKENS, TOKEN_DIM = 3, 20, 4, 6
N_OUTPUTS = N_TOKENS * TOKEN_DIM


def made(rank: int | None, n_voxels: int = N_VOXELS, **config) -> BrainModule:
    torch.manual_seed(0)
    return BrainModule(
        BrainModuleConfig(hidden_size=8, linear_path_rank=rank, **config),
        n_voxels={"subj01": n_voxels, "subj02": 9},
        n_tr=N_TR,
        n_tokens=N_TOKENS,
        token_dim=TOKEN_DIM,
    )


def linear_decoder(n_voxels: int = N_VOXELS, rank: int | None = None):
    rng = np.random.default_rng(0)
    coef = rng.standard_normal((N_TR, n_voxels, N_OUTPUTS))
    if rank is not None:
        coef = rng.standard_normal((N_TR, n_voxels, rank)) @ rng.standard_normal((rank, N_OUTPUTS))
    return coef.astype(np.float32), rng.standard_normal(N_OUTPUTS).astype(np.float32)


def linear_tokens(windows: np.ndarray, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
    return (np.einsum("ntv,tvk->nk", windows, coef) + intercept).reshape(-1, N_TOKENS, TOKEN_DIM)


def random_windows(n_voxels: int = N_VOXELS) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((5, N_TR, n_voxels)).astype(np.float32)


@pytest.mark.parametrize("n_voxels", [20, 4], ids=["more inputs than outputs", "fewer"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("output_rank", [None, 3])
def test_with_enough_rank_the_module_equals_the_linear_decoder(n_voxels, training, output_rank):
    module = made(100, n_voxels, output_rank=output_rank).train(training)
    coef, intercept = linear_decoder(n_voxels)
    windows = random_windows(n_voxels)

    kept = module.start_from_linear(coef, intercept, subject="subj01")

    assert kept == pytest.approx(1.0, abs=1e-12)
    tokens = module(torch.from_numpy(windows), "subj01").detach().numpy()
    np.testing.assert_allclose(tokens, linear_tokens(windows, coef, intercept), rtol=1e-4, atol=1e-4)


def test_with_less_rank_it_keeps_the_best_approximation_and_says_how_much():
    module = made(5)
    coef, intercept = linear_decoder()
    left, singular, right = np.linalg.svd(coef.reshape(-1, N_OUTPUTS).astype(np.float64), full_matrices=False)
    best = ((left[:, :5] * singular[:5]) @ right[:5]).reshape(coef.shape)

    kept = module.start_from_linear(coef, intercept, subject="subj01")

    assert kept == pytest.approx((singular[:5] ** 2).sum() / (singular**2).sum(), rel=1e-9)
    assert kept < 0.8
    tokens = module(torch.from_numpy(random_windows()), "subj01").detach().numpy()
    np.testing.assert_allclose(tokens, linear_tokens(random_windows(), best, intercept), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rank", [5, 12, 100], ids=["less", "equal", "more"])
def test_coefficients_as_a_product_give_what_the_dense_matrix_gives(rank):
    rng = np.random.default_rng(0)
    left = rng.standard_normal((N_TR, N_VOXELS, 12)).astype(np.float32)
    right = rng.standard_normal((12, N_OUTPUTS)).astype(np.float32)
    _, intercept = linear_decoder()
    windows = torch.from_numpy(random_windows())
    dense, product = made(rank), made(rank)

    kept = dense.start_from_linear(left @ right, intercept, subject="subj01")
    kept_of_product = product.start_from_linear(LowRankCoefficients(left, right), intercept, subject="subj01")

    assert kept_of_product == pytest.approx(kept, rel=1e-5)
    assert (kept < 0.99) == (rank == 5)
    torch.testing.assert_close(product(windows, "subj01"), dense(windows, "subj01"), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dense", [True, False])
def test_fewer_directions_than_the_rank_are_exact_and_the_spare_ones_can_learn(dense):
    module = made(10)
    coef, intercept = linear_decoder(rank=2)
    product = LowRankCoefficients(coef, np.eye(N_OUTPUTS, dtype=np.float32))

    module.start_from_linear(coef if dense else product, intercept, subject="subj01")

    tokens = module(torch.from_numpy(random_windows()), "subj01")
    np.testing.assert_allclose(
        tokens.detach().numpy(), linear_tokens(random_windows(), coef, intercept), rtol=1e-3, atol=1e-3
    )
    tokens.square().sum().backward()
    learnable = module.linear_paths["subj01"].up.weight.grad.norm(dim=0)
    assert learnable.min() > 1e-3 * learnable.max()


def test_zero_coefficients_leave_the_intercept():
    module = made(5)
    intercept = np.arange(N_OUTPUTS, dtype=np.float32)
    assert module.start_from_linear(np.zeros((N_TR, N_VOXELS, N_OUTPUTS)), intercept, subject="subj01") == 1.0
    tokens = module(torch.from_numpy(random_windows()), "subj01")
    torch.testing.assert_close(tokens[0].flatten(), torch.from_numpy(intercept))


def test_subjects_have_their_own_linear_path():
    module = made(100)
    first, second = linear_decoder(), linear_decoder(9)
    module.start_from_linear(*first, subject="subj01")
    module.start_from_linear(*second, subject="subj02")
    tokens = module(torch.from_numpy(random_windows()), "subj01").detach().numpy()
    np.testing.assert_allclose(tokens, linear_tokens(random_windows(), *first), rtol=1e-4, atol=1e-4)


def test_the_nonlinear_path_learns_from_the_first_step_on():
    module = made(100)
    module.start_from_linear(*linear_decoder(), subject="subj01")
    module(torch.from_numpy(random_windows()), "subj01").square().sum().backward()
    assert module.output.weight.grad.abs().sum() > 0


def test_a_linear_path_that_no_ridge_fills_adds_nothing_at_first():
    module = made(5).eval()
    without = made(None).eval()
    without.load_state_dict(
        {k: v for k, v in module.state_dict().items() if not k.startswith("linear_paths")}
    )
    windows = torch.from_numpy(random_windows())
    assert torch.equal(module(windows, "subj01"), without(windows, "subj01"))


def test_coefficients_too_large_to_factor_are_refused_with_their_size():
    module = BrainModule(
        BrainModuleConfig(hidden_size=1, linear_path_rank=1),
        n_voxels={"subj01": 15_724},
        n_tr=6,
        n_tokens=257,
        token_dim=768,
    )
    coef = torch.zeros(1).expand(6, 15_724, 257 * 768)  # takes no memory
    with pytest.raises(DecoderError, match=r"94,344 x 197,376 take 69.4 GiB .* LowRankCoefficients"):
        module.start_from_linear(coef, torch.zeros(257 * 768), subject="subj01")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"coef": np.zeros((N_TR, 21, N_OUTPUTS))}, r"shape \(3, 21, 24\); needed is .* = \(3, 20, 24\)"),
        ({"coef": np.full((N_TR, N_VOXELS, N_OUTPUTS), np.nan)}, "NaN or infinity"),
        ({"intercept": np.zeros(5)}, r"shape \(5,\); needed is \(24,\)"),
        ({"subject": "subj05"}, "no layer for subject 'subj05'"),
        (
            {"coef": LowRankCoefficients(np.zeros((N_TR, N_VOXELS, 4)), np.zeros((5, N_OUTPUTS)))},
            r"shapes \(3, 20, 4\) and \(5, 24\)",
        ),
    ],
)
def test_a_linear_decoder_that_does_not_fit_is_refused_with_its_shapes(change, message):
    coef, intercept = linear_decoder()
    with pytest.raises(DecoderError, match=message):
        made(5).start_from_linear(**{"coef": coef, "intercept": intercept, "subject": "subj01", **change})


def test_a_module_without_linear_path_says_what_to_set():
    with pytest.raises(DecoderError, match="set linear_path_rank"):
        made(None).start_from_linear(*linear_decoder(), subject="subj01")
