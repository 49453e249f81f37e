"""The few dense operations that the ridge solver needs, for NumPy arrays and for torch tensors.

Everything else in the solver is written with ``@``, ``.T``, slices and sums, which both libraries share. Arrays are
float32; float64 is used only where a float32 factorization is not good enough (see ``ridge_solver``).
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from threadpoolctl import ThreadpoolController

from tempgen.errors import DecoderError

Array = Any
"""A NumPy array, or a torch tensor where a device was asked for."""

Map = Callable[..., Any]
"""Like the built-in ``map``."""

BLOCK = 128
"""Rows that LAPACK factorizes directly, and that triangular products take at once. Measured: 64 to 256 differ by 10 %."""

SIDE_BY_SIDE_ROWS = 4096
"""Systems of up to this many rows are solved side by side, one core each; larger ones in turn, to save memory."""


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
        """Inverse of the lower Cholesky factor of ``matrix`` (n, n), which may be overwritten; ``LinAlgError`` without one."""

    def solve(self, inverse_factor: Array, right: Array) -> Array:
        """``inv(A) @ right``, given the inverse of the lower Cholesky factor of ``A``."""

    def side_by_side(self, n_rows: int) -> AbstractContextManager[Map]:
        """Context whose value is a ``map`` for independent systems of ``n_rows`` rows."""


def lower_product(lower: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """``lower @ right`` without most of the zeros of a lower triangular ``lower``: half the operations."""
    product = np.empty_like(right)
    for start in range(0, len(lower), BLOCK):
        rows = slice(start, start + BLOCK)
        np.matmul(lower[rows, : rows.stop], right[: rows.stop], out=product[rows])
    return product


def transposed_lower_product(lower: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """``lower.T @ right`` without most of the zeros of a lower triangular ``lower``."""
    product = np.empty_like(right)
    for start in range(0, len(lower), BLOCK):
        rows = slice(start, start + BLOCK)
        np.matmul(lower[start:, rows].T, right[start:], out=product[rows])
    return product


def inverse_cholesky_in_place(matrix: NDArray[Any]) -> None:
    """Replace a symmetric positive definite matrix by the inverse of its lower Cholesky factor.

    With ``A = L L^T`` in 2 x 2 blocks: ``L21 = A21 inv(L11)^T``, ``L22 L22^T = A22 - L21 L21^T`` and
    ``inv(L)21 = -inv(L22) L21 inv(L11)``. All work but that on small blocks is matrix products, at nearly the pace of BLAS.
    LAPACK's ``potrf`` and ``trtri`` take as long on one core, but keep Python's interpreter lock, so that systems could
    not be solved side by side; and OpenBLAS's threaded versions of them stall by up to a second where another
    process uses one of the cores.

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
    >>> matrix = np.array([[4.0, 2.0], [2.0, 5.0]])
    >>> inverse_cholesky_in_place(matrix)
    >>> matrix
    array([[ 0.5 ,  0.  ],
           [-0.25,  0.5 ]])
    """
    n_rows = len(matrix)
    if n_rows <= BLOCK:
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
    factor_beside = lower_product(first, below.T)  # L21^T
    second -= factor_beside.T @ factor_beside
    inverse_cholesky_in_place(second)
    np.negative(lower_product(second, transposed_lower_product(first, factor_beside).T), out=below)
    matrix[:half, half:] = 0


class NumpyAlgebra:
    """NumPy on the CPU."""

    def __init__(self) -> None:
        self._libraries = ThreadpoolController()

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
        """See `inverse_cholesky_in_place`."""
        inverse_cholesky_in_place(matrix)
        return matrix

    def solve(self, inverse_factor: Array, right: Array) -> Array:
        """Two triangular products."""
        return transposed_lower_product(inverse_factor, lower_product(inverse_factor, right))

    @contextmanager
    def side_by_side(self, n_rows: int) -> Iterator[Map]:
        """Python threads with one BLAS thread each, as many as BLAS may use; products release the interpreter lock."""
        libraries = self._libraries.select(user_api="blas").info()
        n_threads = max((library["num_threads"] for library in libraries), default=1)
        if n_threads == 1 or n_rows > SIDE_BY_SIDE_ROWS:
            yield map
        else:
            with self._libraries.limit(limits=1, user_api="blas"), ThreadPoolExecutor(n_threads) as pool:
                yield pool.map


class TorchAlgebra:
    """torch on a named device.

    Raises
    ------
    DecoderError
        If torch is not installed, or the device is not there.
    """

    def __init__(self, device: str) -> None:
        try:
            import torch
        except ModuleNotFoundError as error:
            raise DecoderError(
                f"device={device!r} needs torch, which is not installed: install tempgen[torch], or leave device unset"
            ) from error
        try:
            torch.empty(0, device=device)
        except (
            RuntimeError,
            AssertionError,
        ) as error:  # torch raises the latter where it was built without CUDA
            raise DecoderError(
                f"torch cannot use device={device!r}: {error}; try 'cpu', or leave it unset"
            ) from error
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
        """By torch's Cholesky factorization and triangular solve."""
        factor, info = self._torch.linalg.cholesky_ex(matrix)
        if int(info) != 0 or not bool(self._torch.isfinite(factor).all()):
            raise np.linalg.LinAlgError("matrix is not positive definite at its precision")
        identity = self._torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
        return self._torch.linalg.solve_triangular(factor, identity, upper=False)

    def solve(self, inverse_factor: Array, right: Array) -> Array:
        """Two products."""
        return inverse_factor.T @ (inverse_factor @ right)

    @contextmanager
    def side_by_side(self, n_rows: int) -> Iterator[Map]:
        """In turn: one system keeps a device busy."""
        yield map


def algebra_for(device: str | None) -> Algebra:
    """NumPy for ``None``; torch for ``"cpu"``, ``"cuda"``, ``"cuda:1"`` and the like.

    Raises
    ------
    DecoderError
        If torch is not installed, or the device is not there.
    """
    return NumpyAlgebra() if device is None else TorchAlgebra(device)
