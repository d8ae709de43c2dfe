"""Compare annotations with image files at build time, without decoding any: missing files, sizes, joints outside."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import mmengine.fileio as fileio
import numpy as np
from PIL import Image

from posestructs.datasets.errors import AnnotationError
from posestructs.utils.images import exif_orientation

NUM_CHECKED = 8
"""Number of images whose header is read, spread over the data set."""

_MAX_OUTSIDE = 0.2  # fraction of the labelled joints of these images


class ImageSize(NamedTuple):
    """Size from the header of an image file, in pixels.

    Attributes:
        width: Width after the turn that the EXIF orientation asks for.
        height: Height after that turn.
        orientation: The EXIF orientation, 1 where there is none.
    """

    width: int
    height: int
    orientation: int


def read_size(path: str) -> ImageSize | None:
    """Read the size of an image from its header.

    Args:
        path: The file, or a URI.

    Returns:
        Its size; None where it cannot be read, which the loading transform reports.
    """
    try:
        file = io.BytesIO(fileio.get(path)) if '://' in path else path
        with Image.open(file) as image:
            width, height = image.size
            orientation = exif_orientation(image)
    except (OSError, ValueError, SyntaxError, TypeError, Image.DecompressionBombError):
        return None
    return ImageSize(height, width, orientation) if orientation >= 5 else ImageSize(width, height, orientation)


def has_image_files(dataset: Any) -> bool:
    """Check whether the images of a data set are files, by its first sample.

    Args:
        dataset: One of mmengine's kind; of others it is assumed.

    Returns:
        bool: False for a data set that draws its images, as ``StickFigureDataset`` does.
    """
    if not hasattr(dataset, 'get_data_info') or not len(dataset):
        return True
    info = dataset.get_data_info(0)
    # a union of data sets has read its images by now
    return 'img' not in info or fileio.exists(str(info.get('img_path')))


def find_missing(data_list: Sequence[dict]) -> set[str]:
    """Find images that do not exist, by one listing of each folder; paths of remote storage are assumed to exist.

    Args:
        data_list: Samples with ``img_path``.

    Returns:
        The missing paths.
    """
    paths = {item['img_path'] for item in data_list if '://' not in item['img_path']}
    folders = {os.path.dirname(path) or '.' for path in paths}
    there = {folder: set(os.listdir(folder)) if os.path.isdir(folder) else set() for folder in folders}
    return {path for path in paths if os.path.basename(path) not in there[os.path.dirname(path) or '.']}


def size_problem(declared: Sequence[int] | None, height: int, width: int) -> str | None:
    """Compare the size of an image with that in the annotation file.

    Args:
        declared: Height and width in the file; None where it has none.
        height: Height of the image in pixels.
        width: Width of the image in pixels.

    Returns:
        The difference, None where there is none.
    """
    if declared is None or tuple(declared[:2]) == (height, width):
        return None
    return f'the image has {width} x {height} pixels, the annotation file says {declared[1]} x {declared[0]}'


def check_sizes(data_list: Sequence[dict], ann_file: str, names: Sequence[str], any_turn: bool = False) -> None:
    """Compare the annotations of some images with the sizes of the files.

    Args:
        data_list: Samples with ``img_path``, and ``ann_img_shape`` where the annotation file declares one.
        ann_file: The annotation file, for errors.
        names: Joint names.
        any_turn: The loading transform may ignore the EXIF orientation, so that either orientation is allowed.

    Raises:
        AnnotationError: A size differs, a fifth of the labelled joints lie outside of their images, or all coordinates
            are fractions.
    """
    first = {item['img_path']: item for item in reversed(data_list) if '://' not in item['img_path']}
    paths = list(reversed(first))
    chosen = {paths[i] for i in np.linspace(0, len(paths) - 1, min(NUM_CHECKED, len(paths))).astype(int)}
    sizes = {path: size for path in sorted(chosen) if (size := read_size(path)) is not None}
    for path, size in sizes.items():
        _check_declared(first[path], path, size, ann_file, any_turn)
    _check_inside([item for item in data_list if item['img_path'] in sizes], sizes, ann_file, names)


def _check_declared(item: dict, path: str, size: ImageSize, ann_file: str, any_turn: bool) -> None:
    declared = item.get('ann_img_shape')
    problem = size_problem(declared, size.height, size.width)
    turned = bool(problem) and size_problem(declared, size.width, size.height) is None
    if not problem or (turned and any_turn):
        return
    if turned and size.orientation >= 5:
        problem += f', which is the image before the turn that its EXIF orientation {size.orientation} asks for'
    raise AnnotationError(
        ann_file, f'image {item.get("img_id")} ({path}): {problem}', 'annotations of the image as it is loaded'
    )


def _check_inside(items: Sequence[dict], sizes: dict[str, ImageSize], ann_file: str, names: Sequence[str]) -> None:
    labelled_joints, outside_joints, largest, example = 0, 0, 0.0, ''
    for item in items:
        if item.get('keypoints') is None or item.get('keypoints_visible') is None:
            continue
        size = sizes[item['img_path']]
        limit = np.array([size.width, size.height])
        labelled = item['keypoints_visible'] > 0
        # a tenth of the image is allowed: official files label a few joints beyond the border
        outside = labelled & ((item['keypoints'] < -0.1 * limit) | (item['keypoints'] > 1.1 * limit)).any(axis=-1)
        labelled_joints += int(labelled.sum())
        largest = max(largest, float(np.abs(item['keypoints'][labelled]).max(initial=0)))
        outside_joints += int(outside.sum())
        if outside.any() and not example:
            person, joint = np.argwhere(outside)[0]
            point = ', '.join(f'{value:.1f}' for value in item['keypoints'][person, joint])
            example = (
                f'joint {names[joint]} of id {np.ravel(item["id"])[person]} at ({point}), {item["img_path"]} has '
                f'{size.width} x {size.height} pixels'
            )
    if labelled_joints > 1 and largest <= 1:
        raise AnnotationError(
            ann_file,
            f'all {labelled_joints} labelled joints in {len(sizes)} images are within [0, 1]',
            'coordinates in pixels, not fractions of the image',
        )
    if outside_joints > _MAX_OUTSIDE * labelled_joints:
        raise AnnotationError(
            ann_file,
            f'{outside_joints} of {labelled_joints} labelled joints in {len(sizes)} images lie outside of them, such '
            f'as {example}',
            'annotations of the images as they are loaded, in pixels',
        )
