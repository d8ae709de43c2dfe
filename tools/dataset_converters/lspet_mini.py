"""Make the small real set of the CPU-sized configs from LSP-extended.

    python tools/dataset_converters/lspet_mini.py path/to/hr-lspet --out data/lspet-mini

The source is the official folder with ``joints.mat`` and ``im00001.jpg`` to ``im10000.jpg``, in it or in ``images/``.
6,000 persons with at least 12 labelled joints are cropped to a square of 1.5 times the longer side of their joints'
box, cut at the image's edge, and reduced to at most 256 pixels. ``--out`` gets the same layout, with the numbers of the
5,000 training persons in ``train.txt`` and of the 1,000 test persons in ``val.txt``.
"""

from __future__ import annotations

import argparse
import base64
import math
import sys
import zlib
from pathlib import Path
from typing import NamedTuple

# a checkout works without being installed
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
from PIL import Image, UnidentifiedImageError
from scipy.io import savemat

from posestructs.datasets.readers import read_mat
from posestructs.utils.outputs import check_output_folder
from posestructs.utils.usage import UsageError, report_usage_errors

PERSONS = 10_000
BORDER = 1.5  # side of the crop in longer sides of the box
SIZE = 256  # longest side of a written image in pixels
QUALITY = 85  # of the written JPEG files
# bit n - 1 stands for person n, eight to a byte, compressed
TRAIN = (
    'eNoB4gQd+1ZQSJxJ/s67IRsjZUIGzZd9hVu+bBMbKbYRDCY2SePQduacwkIeKRrZ0rM8B5fjdhFIcHdKfbPMBI+S9cYuTmTkAypSZ7809/sng9yw'
    'NvArSV8IKzn/5SqUKTYJyF+36k/CwAeHIZIAuAeiXO4InM4RJqYai5X8VHPSfA39XaSUbpy9DnfO8QQUFJ+s/6PXg6xVXWY8Zdyet2clPMpaHphP'
    '7/6JBTM8g2q1razx9sw+E1b1fGByKTPAGRxlWKt6rW9Z0sfLk+eI3A9oZ84XxXaTbOC8y4iXgE219ND2fYFjRBDuaE3t7Xxk3qBC2fOaxoj3Tbiv'
    'C6/641wbqiUvVROpWsBkp4scWYsfBDWmi9c2xwTtaPEvt2qdbkOqqk8ubLAdBf2Aa0QVc6Do7L5Lpl/VMyE/42Mi/Py0RTc9tKx7X72BQ4tGgjyu'
    '+wEklUDqO5j0xVWK0xJMVDt4/QM+DFI/1s44mVvtujtQMId7s0osezZOTs0OgK+rpcR91Pg3/YZRNjkMa38gbWcI8Trxv4RxL897eDz+hkYUnO31'
    'GYTBvT2fZ0/FbIWyUhHG2m+bUsNB4S0Qa5BwLCIBKEnzowEClVrWvUBzNSLu+vD6Y+Z5lNXYm34EYSbVDSw8Otpy7KwlBCLvaQwEiwzJu7uVI1aE'
    'd66lbvom8PXFxhc7Jiejl8lGSJqBe7qXFu01wFBb0Vygdye5mjgsrTcJNdiQpDt72lsbHZiZq7yrQti5b47NqXcjky5zQ/S1+LJtyQgl1MetLwAl'
    'AEQBCExNDBT4XllrAXBZMKfpxoZvFouEzzeCwrwwuJhfKzrNWZxLPUBSHgnAPBqO83HBwBlPBylJDxXjCjhx6C2fdwx84sWc+RTujrxPU7w0TFM8'
    'qOCItYeF7V8Y8EF1bsjZwnYmgd2A+udDJXRNYpQhQ0hV4sASTSQ+8k9kZibq/GYHhsxr2OBb+CtimuFV+PPw1Ul1ILa5O2Juy2GaVT/oHQK82ltH'
    'hJpbJVze+EHbK7dQGDtgBMsDPRvaliXbYdOszSjfaObFBhgp296kOBAnfq10r+vB9hNpM3P09VjEGFbZEugBSpFi8LchoDCi369b62zbT0jaK7aQ'
    'pbcYGgMeKSlL/m/jUXqL4K7dU/sS4zN03XOpZH8qwscbqUPmapcxuqWamJRAeFTrvmiqPh6+B6LBpq/HovrmU2lY3BfC42RqyEVxi9gKU05mk5Ur'
    'cR1So8XfuIW4ZIIXgTCisUYYPFzXYHtZdFvE4KqK/ik7MO32zm3lx+0mQ9loAQtPAkhDj6iyDJQnwqMOljNLMJ9WqLeHXEjAwFph+O/UQ1mAMg4S'
    'NOLnOa0ksqHJxAdmr53K8JK6gv2/H3AYFuHCH20C7SaCTeD2PlWviQnui5AKt23NTZ58wOzYh4o5Pc0EYL4H/bUImqv/wajk5r4MXPgYdhNhnqBy'
    'BpxzwvOhTnumR7lSeJFyYynpuXs3b+ajJfawZFcNi3sJFgs2YnKaJxUdUGurDjZaUWCS6qTnyo//8hWgVgi/3rw83YPma2izN+ImWBmnb1we9GcU'
    'T1QBcu8lfm+i0Wkk6agzvzsr3pNfgW5d/vVf5lZTZHtT16dv5yqQgsTiSnSbTzxL5qutBHrirHAoCDSdvXu7j4Je9RetfyCW9Y5SByAm9vsd3rdh'
    'yg=='
)
VAL = (
    'eNotVLGOE0kQfdXuQW2zQXlv72QkgjaykEFC8hEhopqV7zCZkRDa0CEhn1BeVshkDggIHewH3CesDhL+5D7jXvXsOJh2dXW9eq9ej2COBBjwE+rg'
    'U9GejIKUIdipIFuEnCHUAyJdti1SZGE89QuYIeocc22px8n15j1QZIXuEw9OpeQkIsAGO/6A+chwrQnzpC65jiuP54Zcoh8jxrQjfDRUIkxAgdcT'
    '9u0vqj6Jbc9LZljFN2X/nlOHmjDCJSoJYP9R8E+0XtMCJasO3KTUIJWqnaDIO88hQdvEb5Mjuehxzb9a6gyin1PZDLuTs8gjEQm1IlTcHi25LgVP'
    'FfIwkR41susUqNF7dvQ2+Zs4Yoyh3lWokSXFmAeuuySm7mGT2Ccr+d6zB1IMHVahyNd8P5ykt96J6Mcpa7/8PsHyMiah6MirTXBfco/tJcfGPnRu'
    '6lO+VyxwE6ukmQVJnclXRVmT81hysaxecEWVcrDLqeKyYVpNhlxGuVUvmBZyDXuoU2MefTbza/cn/0KS38ATdV65VcXd2wXQ51CAs7AY8OO+OYlT'
    'qjihPoYdKAZjHEm2ENTtLhInwArJaboDQh0Nj83omHRBp5w3mx4tFLnq8PVkzSqpKRBOUvyQjHFoWUzcQjtB3TjSqjnZ6GuOhFbL37izrYG0oBFG'
    'Vlqx5vN4Tvog0Nar3Vmicj6DktbgB9p9H+svNRSRbZHmVhL2D8WPWVuHMBJ6M8xPpz0HHUklKqRTO9ll6pPon8EYg8Xj/Zo6yGI/XEt/nt59wnk4'
    'sOHrbb3hu2PvWVKCahhMwuE7yIsmUrmoeia3AcWMxpoQ7U5blbAthU0Smnjdtkn8WXAeXZyjrhnXjhhlZWs86BsHGTUHRHEpgy2dWhXem5twopex'
    'FHZ5ZHdHmtIiiI0sorWShzve8yNieEU7UR3N95ePzPQQXyLFF/yRimEdHotzQfpwr0v/Fy5OY9ANmrf/dXmLbRp2xvFlaPos8Dtr+v/YE34V'
)


class Crop(NamedTuple):
    """Part of an image, and the size it is written at; in pixels."""

    left: int
    top: int
    right: int
    bottom: int
    width: int
    height: int


def person_ids(packed: str) -> np.ndarray:
    """Numbers of persons, from 1, of ``TRAIN`` or ``VAL``."""
    bits = np.unpackbits(np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint8), count=PERSONS)
    return np.flatnonzero(bits) + 1


def crop_of(joints: np.ndarray, size: tuple[int, int]) -> Crop:
    """Crop of a person.

    Args:
        joints: (K, 3) x and y in pixels and whether the joint is labelled.
        size: Width and height of the image.
    """
    points = joints[joints[:, 2] > 0, :2]
    low, high = points.min(0), points.max(0)
    half = BORDER * (high - low).max() / 2
    left, top = (max(0, math.floor(v)) for v in (low + high) / 2 - half)
    right, bottom = (min(end, math.ceil(v)) for v, end in zip((low + high) / 2 + half, size, strict=True))
    width, height = right - left, bottom - top
    longest = max(width, height, SIZE)
    return Crop(left, top, right, bottom, round(width * SIZE / longest), round(height * SIZE / longest))


def moved(joints: np.ndarray, crop: Crop) -> np.ndarray:
    """(K, 3) joints in pixels of the written image; zeros where they are not labelled."""
    scale = crop.width / (crop.right - crop.left), crop.height / (crop.bottom - crop.top)
    points = (joints[:, :2] - (crop.left, crop.top)) * scale
    return np.where(joints[:, 2:] > 0, np.column_stack([points, joints[:, 2]]), 0)


def convert(source: Path, out: Path, ids: np.ndarray, progress: bool = True) -> np.ndarray:
    """Write the images of persons.

    Args:
        source: Folder of LSP-extended.
        out: Folder for ``images/``.
        ids: Numbers of the persons, from 1.
        progress: Report every thousandth person.

    Returns:
        (K, 3, 10000) joints as in ``joints.mat``; zeros for other persons.

    Raises:
        UsageError: ``joints.mat`` is not that of LSP-extended, or an image is missing or damaged.
    """
    try:
        joints = read_mat(source / 'joints.mat', ['joints'])['joints']
    except (FileNotFoundError, ValueError) as error:
        raise UsageError(f'source: {error}') from error
    if joints.shape != (14, 3, PERSONS):
        raise UsageError(f'{source / "joints.mat"}: joints has the shape {joints.shape}, allowed: (14, 3, {PERSONS})')
    folder = source / 'images' if (source / 'images').is_dir() else source
    files = {int(n): folder / f'im{n:05d}.jpg' for n in ids}
    if absent := [file for file in files.values() if not file.is_file()]:
        raise UsageError(f'{len(absent)} of {len(files)} images do not exist, among them {absent[0]}')
    (out / 'images').mkdir(parents=True, exist_ok=True)
    found = np.zeros_like(joints)
    for count, (n, file) in enumerate(files.items(), 1):
        try:
            image = Image.open(file).convert('RGB')
        except (OSError, UnidentifiedImageError) as error:
            raise UsageError(f'{file}: {error}') from error
        crop = crop_of(joints[..., n - 1], image.size)
        part = image.crop(crop[:4])
        if part.size != crop[4:]:
            part = part.resize(crop[4:], Image.Resampling.LANCZOS)
        part.save(out / 'images' / file.name, quality=QUALITY, optimize=True)
        found[..., n - 1] = moved(joints[..., n - 1], crop)
        if progress and count % 1000 == 0:
            print(f'{count} of {len(files)} persons', flush=True)
    return found


@report_usage_errors
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', type=Path, help='folder of LSP-extended')
    parser.add_argument('--out', type=Path, required=True, help='folder to write, e.g. data/lspet-mini')
    args = parser.parse_args()
    check_output_folder('--out', args.out)
    if args.out.is_dir() and any(args.out.iterdir()):
        raise UsageError(f'--out {args.out}, allowed: a folder that does not exist or is empty')
    train, val = person_ids(TRAIN), person_ids(VAL)
    joints = convert(args.source, args.out, np.union1d(train, val))
    savemat(args.out / 'joints.mat', dict(joints=joints), do_compression=True)
    for name, ids in (('train.txt', train), ('val.txt', val)):
        (args.out / name).write_text(''.join(f'{n}\n' for n in ids))
    print(f'{len(train)} training and {len(val)} test persons: {args.out}')


if __name__ == '__main__':
    main()
