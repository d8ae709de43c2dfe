"""A small COCO json with two persons in one image, and one in another; files that other tools wrote."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

NAMES = ['nose', 'left_paw', 'right_paw', 'left_foot', 'right_foot', 'tail']
POINTS = np.array([[50, 10], [20, 40], [80, 40], [20, 90], [80, 90], [50, 120]], float)


def coco_content() -> dict:
    """Persons 11 and 12 of image 1 (the second 200 pixels to the right), 13 of image 2, which lacks its nose."""
    persons = [(11, 1, POINTS), (12, 1, POINTS + [200, 0]), (13, 2, POINTS + [5, 5])]
    annotations = []
    for number, image, points in persons:
        flags = np.array([2, 2, 1, 2, 2, 2]) if number != 13 else np.array([0, 2, 2, 2, 2, 2])
        row = np.column_stack([points, flags]).ravel().tolist()
        annotations.append(
            dict(id=number, image_id=image, category_id=1, keypoints=row, area=8000.0, bbox=[0, 0, 99, 99])
        )
    images = [dict(id=i, file_name=f'video/img{i:04d}.png', width=400, height=200) for i in (1, 2, 3)]
    return dict(images=images, annotations=annotations, categories=[dict(id=1, name='mouse', keypoints=NAMES)])


@pytest.fixture
def coco() -> dict:
    return coco_content()


@pytest.fixture
def ann(tmp_path, coco):
    path = tmp_path / 'labels.json'
    path.write_text(json.dumps(coco))
    return path


@pytest.fixture(scope='session')
def files(tmp_path_factory):
    """Folder with all files as the other tools wrote them; those in HDF5 are kept compressed."""
    folder = tmp_path_factory.mktemp('prediction_files')
    for file in (Path(__file__).parent / 'files').iterdir():
        if file.suffix == '.gz':
            (folder / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
        elif file.is_file():
            shutil.copy(file, folder)
    return folder
