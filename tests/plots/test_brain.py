"""Values stand at their voxels, in one set of colours."""

import numpy as np
import pytest
import xarray as xr

from tempgen.errors import ResultsError
from tempgen.plots.brain import plot_glass_brains, plot_voxel_maps

SHAPE = (6, 5, 9)


def planted_maps(n_maps=2, shape=SHAPE, affine=None):
    """A value that says its slice; a voxel without a value."""
    mask = np.zeros(shape, dtype=bool)
    mask[1:5, 1:4, 1:8] = True
    i, j, k = np.nonzero(mask)
    values = np.stack([(row + 1) * (k - 1.0) for row in range(n_maps)])
    values[:, (i == 1) & (j == 1)] = np.nan
    affine = np.diag([2.0, 2.0, 3.0, 1.0]) if affine is None else affine
    return xr.DataArray(
        values,
        dims=("test_delta", "voxel"),
        coords={
            "i": ("voxel", i),
            "j": ("voxel", j),
            "k": ("voxel", k),
            "z_mm": ("voxel", affine[2, 2] * k + affine[2, 3]),
            "lag_s": ("test_delta", 4.0 * np.arange(n_maps) - 4.0),
        },
        attrs={
            "affine": affine.ravel().tolist(),
            "volume_shape": list(shape),
            "long_name": "score above chance",
            "data_kind": "simulated",
            "subject": "1",
        },
        name="mean",
    )


def test_rows_are_maps_and_columns_slices_from_below():
    ax = plot_voxel_maps(planted_maps())
    assert [label.get_text() for label in ax.get_yticklabels()] == ["\N{MINUS SIGN}4.0 s", "0.0 s"]
    heights = [int(label.get_text()) for label in ax.get_xticklabels()]
    assert heights == sorted(heights)
    drawn = [image.get_array() for image in ax.get_images()[1::2]]
    first, second = (np.ma.masked_invalid(array) for array in drawn)
    np.testing.assert_allclose(second.compressed(), 2 * first.compressed())
    wide = (first.shape[1] + 2) // len(heights)
    for column, z_mm in enumerate(heights):
        part = first[:, column * wide : column * wide + 4].compressed()
        assert set(part.tolist()) == {z_mm / 3 - 1}


def test_all_rows_share_the_colours_and_chance_is_white():
    ax = plot_voxel_maps(planted_maps(), middle=0.0)
    limits = {image.get_clim() for image in ax.get_images()[1::2]}
    assert limits == {(0.0, 12.0)}
    assert min(ax.get_images()[1].cmap(0.0)[:3]) > 0.95


def test_voxels_without_a_value_are_grey_and_places_without_a_voxel_empty():
    ax = plot_voxel_maps(planted_maps(1))
    ground, values = (image.get_array() for image in ax.get_images())
    assert np.ma.count(np.ma.masked_invalid(values)) == np.ma.count(np.ma.masked_invalid(ground)) * 11 // 12
    assert not np.ma.masked_invalid(values)[-1, 0]  # i = 1, j = 1: the lower left of a slice


@pytest.mark.parametrize("width_mm", [85.0, 180.0])
@pytest.mark.parametrize("n_maps", [1, 5])
def test_words_neither_leave_the_page_nor_lie_on_one_another(width_mm, n_maps, text_faults):
    ax = plot_voxel_maps(planted_maps(n_maps), width_mm=width_mm, middle=0.0)
    assert text_faults(ax.figure) == []
    assert ax.figure.get_figwidth() * 25.4 == pytest.approx(width_mm)


def test_a_glass_brain_is_drawn_for_each_map(text_faults):
    affine = np.diag([15.0, 15.0, 12.0, 1.0])
    affine[:3, 3] = [-40, -80, -40]
    axes = plot_glass_brains(planted_maps(2, affine=affine), middle=0.0)
    assert len(axes) == 2
    assert text_faults(axes[0].figure) == []


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ResultsError, match="lack z_mm"):
        plot_voxel_maps(planted_maps().drop_vars("z_mm"))
    with pytest.raises(ResultsError, match="no value in any voxel"):
        plot_voxel_maps(planted_maps().where(False))
