"""Folders of image pairs: what belongs together, and one clear error for each file that cannot be compared."""

import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tempgen.data.image_pairs import find_image_pairs, read_image, read_image_pairs
from tempgen.errors import SourceDataError

SIZE = 16  # pixels; 16 bits are something else


def picture(seed, size=SIZE):
    height, width = np.broadcast_to(size, 2)
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


@pytest.fixture
def pairs(tmp_path):
    """Four pairs, the last of which shows the first one's image again."""
    for number, seed in enumerate((0, 1, 2, 0)):
        save(tmp_path / "seen" / f"{number}.png", picture(seed))
        save(tmp_path / "reconstructed" / f"{number}.webp", picture(10 + number), lossless=True)
    return tmp_path


def read(folder, *, fit=None, **options):
    return read_image_pairs(find_image_pairs(folder, **options), fit=fit)


def halved(images):
    assert images.dtype == np.float32
    return np.zeros((len(images), SIZE // 2, SIZE // 2, 3), dtype=np.float32)


def test_pairs_are_found_by_name_whatever_their_format(pairs):
    read_pairs = read(pairs)
    assert read_pairs.names == ("0", "1", "2", "3")
    np.testing.assert_array_equal(read_pairs.reconstructed[2], picture(12).astype(np.float32) / 255)
    np.testing.assert_array_equal(
        read_pairs.seen[read_pairs.image_of[1]], picture(1).astype(np.float32) / 255
    )
    assert read_pairs.source_sizes == ("16 x 16",)


def test_folders_may_lie_apart(pairs):
    apart = read(pairs / "reconstructed", seen=pairs / "seen")
    np.testing.assert_array_equal(apart.reconstructed, read(pairs).reconstructed)


def test_image_that_was_shown_twice_is_one_image(pairs):
    save(pairs / "seen" / "3.bmp", picture(0))  # the same pixels in another format
    (pairs / "seen" / "3.png").unlink()
    read_pairs = read(pairs)
    assert read_pairs.seen.shape == (3, SIZE, SIZE, 3)
    assert read_pairs.image_of.tolist() == [0, 1, 2, 0]


def test_fingerprint_changes_with_a_pixel_and_with_a_name(pairs):
    before = read(pairs).fingerprint
    assert read(pairs).fingerprint == before
    changed = picture(12)
    changed[0, 0, 0] ^= 1
    save(pairs / "reconstructed" / "2.webp", changed, lossless=True)
    other = read(pairs).fingerprint
    for folder, suffix in (("seen", "png"), ("reconstructed", "webp")):
        (pairs / folder / f"2.{suffix}").rename(pairs / folder / f"4.{suffix}")
    assert len({before, other, read(pairs).fingerprint}) == 3


def test_hidden_files_and_notes_beside_the_images_are_left_alone(pairs):
    (pairs / "seen" / ".0.png").write_bytes(b"")
    (pairs / "seen" / "notes.txt").write_text("mine")
    assert len(find_image_pairs(pairs)) == 4


def test_unpaired_files_are_named(pairs):
    save(pairs / "reconstructed" / "7.png", picture(7))
    with pytest.raises(SourceDataError, match=r"reconstructed/7\.png has no partner .* in .*seen"):
        find_image_pairs(pairs)
    for number in range(20, 28):
        save(pairs / "seen" / f"{number}.png", picture(7))
    with pytest.raises(SourceDataError, match=r"20\.png.* and 3 more have no partner .* in .*reconstructed"):
        find_image_pairs(pairs)


def test_two_files_of_one_name_are_refused(pairs):
    save(pairs / "seen" / "1.bmp", picture(1))
    with pytest.raises(SourceDataError, match=r"1\.bmp and .*1\.png have one name"):
        find_image_pairs(pairs)


def test_folder_without_images_or_pairs_says_what_is_needed(tmp_path):
    with pytest.raises(SourceDataError, match=r"no folders seen/ and reconstructed/"):
        find_image_pairs(tmp_path)
    (tmp_path / "seen").mkdir()
    (tmp_path / "reconstructed").mkdir()
    with pytest.raises(SourceDataError, match=r"seen has no images; read are files that end in \.png"):
        find_image_pairs(tmp_path)
    with pytest.raises(SourceDataError, match="There is no folder"):
        find_image_pairs(tmp_path, seen=tmp_path / "none")


@pytest.mark.parametrize("seeds", [(5,), (5, 5, 5)])
def test_one_distinct_image_cannot_be_told_from_another(tmp_path, seeds):
    for number, seed in enumerate(seeds):
        save(tmp_path / "seen" / f"{number}.png", picture(seed))
        save(tmp_path / "reconstructed" / f"{number}.png", picture(number))
    with pytest.raises(SourceDataError, match=rf"shows 1 distinct image.* in {len(seeds)} pair.*at least 2"):
        read(tmp_path)


def rgb16(path):
    """A PNG of 16 bits a channel, which Pillow opens as if it had 8."""
    rows = b"".join(b"\0" + np.full(SIZE * 3, 1234, ">u2").tobytes() for _ in range(SIZE))
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 16, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))


def with_alpha(alpha):
    return np.concatenate([picture(3), np.full((SIZE, SIZE, 1), alpha, dtype=np.uint8)], axis=2)


BAD = {
    "transparent pixels": lambda path: save(path, with_alpha(254)),
    "more than 8 bits": rgb16,
    "more than 8 bits a channel: save": lambda path: save(path, np.zeros((SIZE, SIZE), np.uint16)),
    "is grey": lambda path: save(path, picture(3)[..., 0]),
    "colour mode CMYK": lambda path: Image.new("CMYK", (SIZE, SIZE)).save(path, "JPEG"),
    "cannot be read as an image": lambda path: path.write_text("no image"),
    "cannot be read as an image: ": lambda path: path.write_bytes(path.read_bytes()[:200]),
    "2 frames": lambda path: Image.fromarray(picture(1)).save(
        path, "TIFF", save_all=True, append_images=[Image.fromarray(picture(2))]
    ),
}


@pytest.mark.parametrize("complaint", BAD)
def test_file_that_cannot_be_compared_is_named(pairs, complaint):
    path = pairs / "seen" / "2.png"
    BAD[complaint](path)
    with pytest.raises(SourceDataError, match=f"^{re.escape(str(path))} .*{re.escape(complaint)}"):
        read(pairs)


def test_opaque_alpha_and_a_palette_cost_nothing(tmp_path):
    save(tmp_path / "opaque.png", with_alpha(255))
    np.testing.assert_array_equal(read_image(tmp_path / "opaque.png"), picture(3))
    Image.new("P", (4, 4), 0).save(tmp_path / "palette.png")
    assert read_image(tmp_path / "palette.png").shape == (4, 4, 3)


def test_other_sizes_need_a_suite_with_a_size_of_its_own(pairs):
    save(pairs / "reconstructed" / "1.webp", picture(11, 2 * SIZE), lossless=True)
    with pytest.raises(SourceDataError, match=r"reconstructed/1\.webp has 32 x 32 pixels, .* has 16 x 16"):
        read(pairs)
    fitted = read(pairs, fit=halved)
    assert fitted.reconstructed.shape == (4, SIZE // 2, SIZE // 2, 3)
    assert fitted.seen.shape == (3, SIZE // 2, SIZE // 2, 3)
    assert fitted.source_sizes == ("16 x 16", "32 x 32")


def test_either_folder_may_have_a_size_of_its_own_where_every_metric_resizes(pairs):
    for number in range(4):
        save(pairs / "reconstructed" / f"{number}.webp", picture(10 + number, 2 * SIZE), lossless=True)
    with pytest.raises(SourceDataError, match="compares images as they come"):
        read(pairs)
    files = find_image_pairs(pairs)
    apart = read_image_pairs(files, folders_differ=True)
    assert apart.seen.shape[1:] == (SIZE, SIZE, 3)
    assert apart.reconstructed.shape[1:] == (2 * SIZE, 2 * SIZE, 3)
    save(pairs / "seen" / "1.png", picture(1, 3 * SIZE))
    with pytest.raises(SourceDataError, match=r"1\.png has 48 x 48 pixels, .*0\.png has 16 x 16"):
        read_image_pairs(files, folders_differ=True)


def test_other_proportions_than_the_partners_are_refused_at_any_size(pairs):
    save(pairs / "reconstructed" / "1.webp", picture(11, (SIZE, 2 * SIZE)), lossless=True)
    with pytest.raises(SourceDataError, match=r"1\.webp has 16 x 32 pixels and so other proportions"):
        read(pairs, fit=halved)
