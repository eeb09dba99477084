"""Images that Pillow writes are read as Pillow reads them: PNG and TIFF bit by bit, JPEG within its loss; stains are those of scikit-image's
formula (skimage.color.rgb2hed), tissue of a drawn section is where it was drawn."""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

PROGRAM = sys.argv[1]
RNG = np.random.default_rng(1)


def read(path, side=0):
    out = path.with_suffix(".raw")
    done = subprocess.run([PROGRAM, "read", str(path), str(side), str(out)], capture_output=True, text=True)
    assert done.returncode == 0, f"{path.name}: {done.stderr}"
    height, width, channels, factor = map(int, done.stdout.split())
    return np.fromfile(out, np.uint8).reshape(height, width, channels), factor


def smooth(height, width, channels):
    y, x, c = np.mgrid[:height, :width, :channels]
    return (128 + 90 * np.sin(0.05 * (x + 7 * c)) * np.cos(0.04 * (y - 5 * c))).astype(np.uint8)


def check_lossless(folder):
    noise = RNG.integers(0, 256, (83, 101, 4), np.uint8)
    rgb, grey, rgba = Image.fromarray(noise[:, :, :3]), Image.fromarray(noise[:, :, 0]), Image.fromarray(noise, "RGBA")
    palette = rgb.quantize(200)
    on_white = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    cases = [(rgb, rgb, 0), (grey, grey, 0), (palette, palette.convert("RGB"), 0), (rgba, on_white, 1)]
    for number, (image, expected, tolerance) in enumerate(cases):
        expected = np.asarray(expected)
        expected = expected.reshape(*expected.shape[:2], -1).astype(int)
        kinds = [("png", {})] + [("tif", {"compression": c}) for c in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits")]
        for ending, options in kinds:
            path = folder / f"{number}.{ending}"
            image.save(path, **options)
            got, factor = read(path)
            assert factor == 1 and got.shape == expected.shape, (image.mode, ending, options, got.shape)
            worst = np.abs(got.astype(int) - expected).max()
            assert worst <= tolerance, (image.mode, ending, options, worst)
    deep = RNG.integers(0, 65536, (83, 101), np.uint16)
    Image.fromarray(deep).save(folder / "deep.tif")
    got, _ = read(folder / "deep.tif")
    assert (got[:, :, 0] == (deep.astype(int) + 128) // 257).all(), "16 bits"


def check_jpeg(folder):
    for channels, mode in ((1, "L"), (3, "RGB")):
        picture = smooth(90, 70, channels)
        image = Image.fromarray(picture.squeeze())
        for options in ({"quality": 92}, {"quality": 92, "progressive": True}, {"quality": 92, "subsampling": 2}):
            path = folder / f"{mode}.jpg"
            image.save(path, **options)
            theirs = np.asarray(Image.open(path)).reshape(picture.shape).astype(int)
            got, _ = read(path)
            # Two decoders differ by rounding and by how they spread subsampled colours.
            assert got.shape == picture.shape and np.abs(got - theirs).mean() < 1 and np.abs(got - theirs).max() <= 12, (mode, options)
            assert np.abs(got.astype(int) - picture).mean() < 2, (mode, options)
    tiff = folder / "jpeg.tif"
    Image.fromarray(smooth(90, 70, 3)).save(tiff, compression="jpeg", quality=92)
    got, _ = read(tiff)
    assert np.abs(got.astype(int) - smooth(90, 70, 3)).mean() < 3, "JPEG in TIFF"


def check_reduced(folder):
    picture = smooth(240, 320, 3)
    Image.fromarray(picture).save(folder / "r.tif", compression="tiff_lzw")
    got, factor = read(folder / "r.tif", 80)
    means = picture.reshape(60, 4, 80, 4, 3).astype(float).mean((1, 3))
    assert factor == 4 and np.abs(got - means).max() <= 0.5, factor


def check_stains(folder):
    """rgb2hed in the words of scikit-image."""
    pixels = np.vstack([RNG.integers(0, 256, (60, 50, 3), np.uint8), np.zeros((1, 50, 3), np.uint8), np.full((1, 50, 3), 255, np.uint8)])
    Image.fromarray(pixels).save(folder / "s.png")
    subprocess.run([PROGRAM, "stains", str(folder / "s.png"), str(folder / "s.raw")], check=True)
    got = np.fromfile(folder / "s.raw", np.float64)[: pixels.shape[0] * pixels.shape[1] * 4].reshape(-1, 4)
    matrix = np.linalg.inv(np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]]))
    rgb = np.maximum(pixels.reshape(-1, 3) / 255, 1e-6)
    expected = np.maximum(np.log(rgb) / np.log(1e-6) @ matrix, 0)
    assert np.abs(got[:, :3] - expected).max() < 1e-9
    assert np.abs(got[:, 3] - pixels.reshape(-1, 3) @ [0.2989, 0.5870, 0.1140]).max() < 1e-9


def check_tissue(folder):
    """A disc of stained tissue with pale and dark parts on glass that is brighter on one side."""
    y, x = np.mgrid[:200, :240]
    inside = np.hypot(x - 130, y - 90) < 60
    glass = np.stack([235 - 0.05 * x, 232 - 0.15 * x, 236 - 0.05 * x], -1)
    pale, dark = np.array([225.0, 150, 195]), np.array([110.0, 60, 140])
    share = 0.5 + 0.5 * np.sin(0.2 * x) * np.cos(0.15 * y)
    tissue = pale + share[..., None] * (dark - pale)
    picture = np.where(inside[..., None], tissue, glass) + RNG.normal(0, 4, (200, 240, 3))
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(folder / "t.png")
    subprocess.run([PROGRAM, "stains", str(folder / "t.png"), str(folder / "t.raw")], check=True)
    found = np.fromfile(folder / "t.raw", np.float64)[picture.size // 3 * 4 :].reshape(200, 240) > 0
    agree = (found & inside).sum() / (found | inside).sum()
    assert agree > 0.95, agree


def main():
    with tempfile.TemporaryDirectory() as temporary:
        for check in (check_lossless, check_jpeg, check_reduced, check_stains, check_tissue):
            check(pathlib.Path(temporary))


main()
