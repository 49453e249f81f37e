"""The few dense operations that the ridge solver needs, for NumPy arrays and for torch tensors.

Everything else in the solver is written with ``@``, ``.T``, slices and sums, which both libraries share. Arrays are float32; float64 is used only
where a float32 factorization is not good enough (see ``ridge_solver``).
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from tempgen.errors import DecoderError

Array = Any
"""A NumPy array, or a torch tensor where a device was asked for."""

LEAF = 128
"""Rows below which LAPACK inverts a Cholesky factor; larger matrices are split in two. Measured: 64 to 256 differ by less than 15 %."""

SIDE_BY_SIDE_ROWS = 4096
"""Up to this many rows, systems are solved side by side, one core each; above, one after another on all cores, which needs less memory."""


class Algebra(Protocol):
    """What the solver asks of an array library."""

    def array(self, values: NDArray[np.float32]) -> Array:
        """The same values where the computation happens."""

    def numpy(self, array: Array) -> NDArray[np.float32]:
        """The same values as a float32 NumPy array in main memory."""

    def double(self, array: Array) -> Array:
        """A float64 copy."""

    def single(self, array: Array) -> Array:
        """The values in float32, not copied if they are so already."""

    def beside(self, arrays: list[Array]) -> Array:
        """Arrays of equal height side by side; a single one is not copied."""

    def plus_diagonal(self, matrix: Array, value: float) -> Array:
        """A copy of ``matrix`` (n, n) with ``value`` added to its diagonal."""

    def inverse_cholesky(self, matrix: Array) -> Array:
        """Inverse of the lower Cholesky factor of ``matrix`` (n, n), which is overwritten; ``LinAlgError`` if it is not positive definite."""

    def side_by_side(self, n_rows: int) -> Any:
        """Context whose value is a ``map`` for independent systems of ``n_rows`` rows."""


def inverse_cholesky_in_place(matrix: NDArray[Any]) -> None:
    """Replace a symmetric positive definite matrix by the inverse of its lower Cholesky factor.

    With ``A = L L^T`` in 2 x 2 blocks, ``L21 = A21 inv(L11)^T``, ``L22 L22^T = A22 - L21 L21^T`` and ``inv(L)21 = -inv(L22) L21 inv(L11)``: all work but that
    on ``LEAF`` x ``LEAF`` blocks is matrix products, at the full speed of BLAS. LAPACK's ``potrf`` and ``trtri`` do fewer operations (0.67 n^3 for 1.17 n^3) at a lower
    rate, and OpenBLAS's threaded versions of them stall by seconds when another process holds one of the cores.

    Parameters
    ----------
    matrix : (n, n) float32 or float64
        Overwritten; its upper triangle becomes zero.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the matrix is not positive definite at its precision; its content is then undefined.

    Examples
    --------
    >>> matrix = np.diag([4.0, 16.0])
    >>> inverse_cholesky_in_place(matrix)
    >>> matrix
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    n_rows = len(matrix)
    if n_rows <= LEAF:
        single = matrix.dtype == np.float32
        potrf, trtri = (lapack.spotrf, lapack.strtri) if single else (lapack.dpotrf, lapack.dtrtri)
        factor, info = potrf(matrix, lower=1, clean=1)
        if info != 0 or not np.isfinite(factor).all():
            raise np.linalg.LinAlgError("matrix is not positive definite at its precision")
        matrix[...], _ = trtri(factor, lower=1)
        return
    half = n_rows // 2
    first, below, second = matrix[:half, :half], matrix[half:, :half], matrix[half:, half:]
    inverse_cholesky_in_place(first)
    factor_below = below @ first.T
    second -= factor_below @ factor_below.T
    inverse_cholesky_in_place(second)
    np.negative(second @ (factor_below @ first), out=below)
    matrix[:half, half:] = 0


class NumpyAlgebra:
    """NumPy on the CPU."""

    def __init__(self) -> None:
        self._threads = ThreadpoolController()

    def array(self, values: NDArray[np.float32]) -> Array:
        """The values themselves."""
        return values

    def numpy(self, array: Array) -> NDArray[np.float32]:
        """The values as float32."""
        return np.asarray(array, dtype=np.float32)

    def double(self, array: Array) -> Array:
        """A float64 copy."""
        return array.astype(np.float64)

    def single(self, array: Array) -> Array:
        """The values in float32."""
        return array.astype(np.float32, copy=False)

    def beside(self, arrays: list[Array]) -> Array:
        """Columns of all arrays."""
        return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=1)

    def plus_diagonal(self, matrix: Array, value: float) -> Array:
        """A copy with ``value`` added to the diagonal."""
        result = matrix.copy()
        result.flat[:: len(matrix) + 1] += value
        return result

    def inverse_cholesky(self, matrix: Array) -> Array:
        """See `Algebra`."""
        inverse_cholesky_in_place(matrix)
        return matrix

    @contextmanager
    def side_by_side(self, n_rows: int) -> Iterator[Callable[..., Any]]:
        """Python threads with one BLAS thread each, as many as BLAS may use; NumPy releases the interpreter lock during products."""
        n_threads = max(
            (library["num_threads"] for library in self._threads.info() if library["user_api"] == "blas"),
            default=1,
        )
        if n_threads == 1 or n_rows > SIDE_BY_SIDE_ROWS:
            yield map
        else:
            with self._threads.limit(limits=1, user_api="blas"), ThreadPoolExecutor(n_threads) as pool:
                yield pool.map


class TorchAlgebra:
    """torch on a named device."""

    def __init__(self, device: str) -> None:
        try:
            import torch
        except ModuleNotFoundError as error:
            raise DecoderError(
                f"device={device!r} needs torch, which is not installed; install tempgen[torch] or leave device=None"
            ) from error
        if torch.device(device).type == "cuda" and not torch.cuda.is_available():
            raise DecoderError(
                f"device={device!r} was asked for, but torch sees no CUDA device; use device='cpu' or device=None"
            )
        self._torch, self._device = torch, device

    def array(self, values: NDArray[np.float32]) -> Array:
        """The values on the device."""
        return self._torch.from_numpy(np.ascontiguousarray(values)).to(self._device)

    def numpy(self, array: Array) -> NDArray[np.float32]:
        """The values in main memory."""
        return np.asarray(array.float().cpu().numpy())

    def double(self, array: Array) -> Array:
        """A float64 copy."""
        return array.double()

    def single(self, array: Array) -> Array:
        """The values in float32."""
        return array.float()

    def beside(self, arrays: list[Array]) -> Array:
        """Columns of all arrays."""
        return arrays[0] if len(arrays) == 1 else self._torch.cat(arrays, dim=1)

    def plus_diagonal(self, matrix: Array, value: float) -> Array:
        """A copy with ``value`` added to the diagonal."""
        result = matrix.clone()
        result.diagonal().add_(value)
        return result

    def inverse_cholesky(self, matrix: Array) -> Array:
        """See `Algebra`."""
        factor, info = self._torch.linalg.cholesky_ex(matrix)
        if int(info) != 0 or not bool(self._torch.isfinite(factor).all()):
            raise np.linalg.LinAlgError("matrix is not positive definite at its precision")
        identity = self._torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
        return self._torch.linalg.solve_triangular(factor, identity, upper=False)

    @contextmanager
    def side_by_side(self, n_rows: int) -> Iterator[Callable[..., Any]]:
        """One after another: a device is busy with one system."""
        yield map


def algebra_for(device: str | None) -> Algebra:
    """NumPy for ``None``, torch for ``"cpu"``, ``"cuda"``, ``"cuda:1"`` and the like.

    Raises
    ------
    DecoderError
        If torch, or the device, is not there.
    """
    return NumpyAlgebra() if device is None else TorchAlgebra(device)
