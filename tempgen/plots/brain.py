"""Values of voxels where they lie: slices of the subject's own volume, or a glass brain for data in MNI space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tempgen.errors import ResultsError
from tempgen.plots.palettes import UNKNOWN, chance_colours
from tempgen.plots.style import (
    COLUMN_MM,
    MM_PER_INCH,
    PAGE_MM,
    STAMP_SETTINGS,
    data_kind_words,
    figure_style,
    stamp_data_kind,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

__all__ = ["plot_glass_brains", "plot_voxel_maps"]

_PLACES = ("i", "j", "k", "z_mm")
_GAP = 1.5  # voxels between slices
_LABEL_MM, _HEAD_MM, _BAR_MM = 15.0, 6.0, 13.0
_TICKS_MM = 9.0  # between slices and colour bar
_MOST_SLICES = {COLUMN_MM: 6, PAGE_MM: 12}  # in a row, by width
_TALLEST_MM = 220.0  # what is left of a page beside its caption
_SMALLEST = 1e-12
_GLASS_MM = 25.0  # height of one glass brain


def plot_voxel_maps(
    maps: xr.DataArray,
    *,
    ax: Axes | None = None,
    width_mm: float = COLUMN_MM,
    middle: float = float("nan"),
    limits: tuple[float, float] | None = None,
    labels: Sequence[str] | None = None,
) -> Axes:
    """Draw maps as rows of axial slices, from the lowest slice on the left to the highest; all in the same colours.

    Slices are every so-many-th of those that hold voxels. The first axis of the volume runs to the right, the second upwards:
    as the files are, nothing is turned or resampled. Voxels without a value are grey.

    Parameters
    ----------
    maps : DataArray, dims (voxel,) or (map, voxel)
        Coordinates ``i``, ``j``, ``k``, ``z_mm`` of the voxels and attribute ``volume_shape``, as of a store; ``lag_s`` names the rows.
    ax : Axes, optional
        Where to draw; by default a new figure in tempgen's style, as high as the rows need.
    width_mm : float
        Of that figure: one column (85) or a page (180).
    middle : float
        Value that is white (chance: 0 above chance); NaN: colours without a middle.
    limits : (float, float), optional
        Range of the colours, to share between figures; by default that of all maps together.
    labels : sequence of str, optional
        Of the rows; by default their lags in seconds.

    Returns
    -------
    Axes

    Raises
    ------
    ResultsError
        If there is no value, or the maps lack the places of their voxels.
    """
    rows = _rows(maps, labels)
    slices = _slices(maps, most=_MOST_SLICES[PAGE_MM if width_mm >= PAGE_MM else COLUMN_MM])
    canvas, centres = _canvas(maps, slices)
    drawing = (maps, rows, slices, canvas, centres, middle, _limits(maps, limits))
    if ax is None:
        with figure_style():
            return _draw(_figure(width_mm, len(rows), canvas), *drawing)
    return _draw(ax, *drawing)


def _draw(
    ax: Axes,
    maps: xr.DataArray,
    rows: list[str],
    slices: list[tuple[int, float]],
    canvas: NDArray[np.float64],
    centres: list[float],
    middle: float,
    limits: tuple[float, float],
) -> Axes:
    height, width = canvas.shape[1] + _GAP, canvas.shape[2]
    colours, low, high = chance_colours(*limits, middle)
    for row in range(len(rows)):
        place = (0.0, float(width), (row + 1) * height - _GAP, row * height)
        ground = np.where(canvas[row, ..., 1] > 0, float(UNKNOWN), np.nan)
        ax.imshow(ground, extent=place, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        values = np.ma.masked_invalid(canvas[row, ..., 0])
        image = ax.imshow(values, extent=place, cmap=colours, vmin=low, vmax=high, interpolation="nearest")
    ax.set(xlim=(0, width), ylim=(len(rows) * height - _GAP, 0), aspect="equal", anchor="N")
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(length=0)
    ax.set_yticks([(row + 0.5) * height - _GAP / 2 for row in range(len(rows))], labels=rows)
    ax.set_xticks(centres, labels=[_signed(z_mm, 0) for _, z_mm in slices])
    ax.set_xlabel("height of the slice, z (mm)")
    _bar(ax, image, maps, middle)
    stamp_data_kind(ax, maps.attrs)
    return ax


def plot_glass_brains(
    maps: xr.DataArray,
    *,
    figure: Figure | None = None,
    middle: float = float("nan"),
    limits: tuple[float, float] | None = None,
    labels: Sequence[str] | None = None,
) -> list[Axes]:
    """Draw maps of voxels in MNI space on nilearn's glass brain: seen from the left, from behind, from the right and from above.

    What lies behind one another is shown by the value furthest from the middle.

    Parameters
    ----------
    maps : DataArray, dims (voxel,) or (map, voxel)
        As for `plot_voxel_maps`, with the attribute ``affine``, which must lead to MNI space: that is not checked.
    figure : Figure, optional
        Where to draw; by default a new one of a column's width in tempgen's style.
    middle, limits, labels
        As for `plot_voxel_maps`.

    Returns
    -------
    list of Axes
        One a map.

    Raises
    ------
    ResultsError
        If there is no value, or the maps lack the places of their voxels.
    """
    from matplotlib import pyplot as plt
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from nibabel.nifti1 import Nifti1Image
    from nilearn.plotting import plot_glass_brain

    rows = _rows(maps, labels)
    low, high = _limits(maps, limits)
    colours, low, high = chance_colours(low, high, middle)
    affine = np.asarray(maps.attrs["affine"], dtype=np.float64).reshape(4, 4)
    with figure_style():
        if figure is None:
            size_mm = (COLUMN_MM, _HEAD_MM + len(rows) * _GLASS_MM + _BAR_MM)
            figure = plt.figure(figsize=(size_mm[0] / MM_PER_INCH, size_mm[1] / MM_PER_INCH), layout="none")
        height_mm = figure.get_figheight() * MM_PER_INCH
        each = (1 - (_HEAD_MM + _BAR_MM) / height_mm) / len(rows)
        axes = []
        for row, (label, volume) in enumerate(zip(rows, _volumes(maps), strict=True)):
            bottom = 1 - _HEAD_MM / height_mm - (row + 1) * each
            ax = figure.add_axes((0.02, bottom, 0.96, each))
            plot_glass_brain(
                Nifti1Image(np.nan_to_num(volume, nan=0.0), affine),
                axes=ax,
                figure=figure,
                display_mode="lyrz",
                colorbar=False,
                cmap=colours,
                vmin=low,
                vmax=high,
                threshold=_SMALLEST,  # outside the region nilearn draws zeros
                plot_abs=False,
                symmetric_cbar=False,
                annotate=False,
            )
            ax.set_axis_off()
            figure.text(0.02, bottom + 0.98 * each, label, fontsize=7, va="top")
            axes.append(ax)
        place = figure.add_axes((0.2, 8.5 / height_mm, 0.6, 2.2 / height_mm))
        bar = figure.colorbar(
            ScalarMappable(Normalize(low, high), colours), cax=place, orientation="horizontal"
        )
        _name_bar(bar, maps, middle)
        stamp = data_kind_words(maps.attrs)
        figure.text(0.99, 1 - 1.5 / height_mm, stamp, ha="right", va="top", **STAMP_SETTINGS)
    return axes


def _rows(maps: xr.DataArray, labels: Sequence[str] | None) -> list[str]:
    lacking = [name for name in _PLACES if name not in maps.coords]
    if lacking or "volume_shape" not in maps.attrs or maps.dims[-1] != "voxel":
        raise ResultsError(
            f"The maps lack {', '.join(lacking) or 'volume_shape or the last dimension voxel'}: make them with on_voxels, or "
            "take a variable of store_quality."
        )
    if not bool(np.isfinite(maps).any()):
        raise ResultsError("The maps have no value in any voxel; nothing can be drawn.")
    n_rows = maps.sizes[maps.dims[0]] if maps.ndim == 2 else 1
    if labels is not None:
        return list(labels)
    if "lag_s" in maps.coords and maps.ndim == 2:
        return [f"{_signed(float(lag_s), 1)} s" for lag_s in maps["lag_s"].to_numpy()]
    return [""] * n_rows


def _signed(value: float, n_decimals: int) -> str:
    return f"{value:.{n_decimals}f}".replace("-", "\N{MINUS SIGN}")


def _limits(maps: xr.DataArray, limits: tuple[float, float] | None) -> tuple[float, float]:
    if limits is not None:
        return limits
    return float(np.nanmin(maps.to_numpy())), float(np.nanmax(maps.to_numpy()))


def _slices(maps: xr.DataArray, *, most: int) -> list[tuple[int, float]]:
    """Index and height (mm) of the slices to draw."""
    k, z_mm = maps["k"].to_numpy(), maps["z_mm"].to_numpy()
    there = np.unique(k)
    step = -(-len(there) // most)
    chosen = there[(len(there) - 1) % step // 2 :: step]
    return [(int(index), float(np.median(z_mm[k == index]))) for index in chosen]


def _volumes(maps: xr.DataArray) -> NDArray[np.float64]:
    """Values in their volume, shape (n_maps, x, y, z), NaN elsewhere."""
    values = np.atleast_2d(maps.to_numpy().astype(np.float64))
    volumes = np.full((len(values), *(int(n) for n in maps.attrs["volume_shape"])), np.nan)
    volumes[:, maps["i"].to_numpy(), maps["j"].to_numpy(), maps["k"].to_numpy()] = values
    return volumes


def _canvas(maps: xr.DataArray, slices: list[tuple[int, float]]) -> tuple[NDArray[np.float64], list[float]]:
    """Slices side by side, shape (n_maps, height, width, 2): values, and whether there is a voxel; and their centres."""
    i, j = maps["i"].to_numpy(), maps["j"].to_numpy()
    box = (slice(i.min(), i.max() + 1), slice(j.min(), j.max() + 1))
    there = maps.copy(data=np.ones(maps.shape))
    layers = []
    for volumes in (_volumes(maps), np.nan_to_num(_volumes(there))):
        parts = [np.swapaxes(volumes[:, box[0], box[1], k], 1, 2)[:, ::-1] for k, _ in slices]
        gap = np.full((*parts[0].shape[:2], max(1, round(_GAP))), np.nan)
        layers.append(np.concatenate([piece for part in parts for piece in (part, gap)][:-1], axis=2))
    wide = parts[0].shape[2]
    centres = [position * (wide + max(1, round(_GAP))) + wide / 2 for position in range(len(slices))]
    return np.stack(layers, axis=-1), centres


def _figure(width_mm: float, n_rows: int, canvas: NDArray[np.float64]) -> Axes:
    from matplotlib import pyplot as plt

    drawn_mm = width_mm - _LABEL_MM - 3
    row_mm = drawn_mm * (canvas.shape[1] + _GAP) / canvas.shape[2]
    height_mm = min(n_rows * row_mm, _TALLEST_MM)
    whole_mm = _HEAD_MM + height_mm + _BAR_MM + _TICKS_MM
    figure = plt.figure(figsize=(width_mm / MM_PER_INCH, whole_mm / MM_PER_INCH), layout="none")
    return figure.add_axes(
        (_LABEL_MM / width_mm, (_BAR_MM + _TICKS_MM) / whole_mm, drawn_mm / width_mm, height_mm / whole_mm)
    )


def _bar(ax: Axes, image: AxesImage, maps: xr.DataArray, middle: float) -> None:
    """Colour bar under the slices, of one height on paper whatever that of the axes."""
    figure = ax.get_figure(root=True)
    if figure is None:
        return
    ax.apply_aspect()
    high_mm = ax.get_position().height * figure.get_figheight() * MM_PER_INCH
    place = ax.inset_axes((0.15, -13.0 / high_mm, 0.7, 2.2 / high_mm))
    _name_bar(figure.colorbar(image, cax=place, orientation="horizontal"), maps, middle)


def _name_bar(bar: Any, maps: xr.DataArray, middle: float) -> None:
    from matplotlib.ticker import MaxNLocator

    units = str(maps.attrs.get("units", ""))
    name = str(maps.attrs.get("long_name", maps.name))
    bar.set_label(name if units in ("", "1") else f"{name} ({units})")
    bar.locator = MaxNLocator(nbins=5, steps=[1, 2, 5, 10])
    bar.update_ticks()
    if np.isfinite(middle):
        bar.ax.axvline(middle, color="black", linewidth=0.8)
