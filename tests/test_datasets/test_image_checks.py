"""Annotations against the sizes of image files."""

import cv2
import numpy as np
import pytest
from PIL import Image

from posestructs.datasets.errors import AnnotationError
from posestructs.datasets.image_checks import check_sizes, find_missing, has_image_files, read_size
from posestructs.datasets.stick_figure_dataset import StickFigureDataset


@pytest.fixture
def image(tmp_path):
    """Factory of a JPEG of 160 x 120 pixels, with an EXIF orientation."""

    def make(name='a.jpg', orientation=None):
        exif = Image.Exif()
        if orientation:
            exif[0x0112] = orientation
        Image.fromarray(np.zeros((120, 160, 3), np.uint8)).save(tmp_path / name, exif=exif)
        return str(tmp_path / name)

    return make


def item(path, points=((10, 10), (150, 110)), **fields):
    points = np.array([points], float)
    return dict(img_id=7, id=3, img_path=path, keypoints=points, keypoints_visible=np.ones(points.shape[:2]), **fields)


def check(*items, **kwargs):
    check_sizes(items, 'a.json', ['head', 'tail'], **kwargs)


def test_figures_have_no_files():
    assert not has_image_files(StickFigureDataset(num_samples=2, image_size=32, pipeline=[]))
    assert has_image_files([])  # not of mmengine's kind


def test_sizes_with_and_without_a_turn(image, tmp_path):
    assert read_size(image()) == (160, 120, 1)
    assert read_size(image(orientation=3)) == (160, 120, 3)
    turned = image(orientation=6)
    assert read_size(turned) == (120, 160, 6) and cv2.imread(turned).shape == (160, 120, 3)
    xmp = b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
    Image.new('RGB', (160, 120)).save(tmp_path / 'xmp.jpg', xmp=xmp)
    assert read_size(str(tmp_path / 'xmp.jpg')) == (160, 120, 1)  # as loaded
    (tmp_path / 'b.jpg').write_bytes(b'no image')
    assert read_size(str(tmp_path / 'b.jpg')) is None is read_size(str(tmp_path / 'nowhere.jpg'))


def test_declared_sizes(image):
    check(item(image(), ann_img_shape=(120, 160)), item(image('b.jpg')))
    with pytest.raises(AnnotationError, match=r'a.json: image 7 \(.*a.jpg\): the image has 160 x 120 .* 320 x 240'):
        check(item(image(), ann_img_shape=(240, 320)))
    turned = item(image(orientation=6), points=((10, 10), (110, 150)), ann_img_shape=(120, 160))
    with pytest.raises(AnnotationError, match='before the turn that its EXIF orientation 6 asks for'):
        check(turned)
    check(turned, any_turn=True)


def test_joints_outside_of_their_images(image):
    path = image()
    check(item(path, points=((-10, 10), (170, 125))))  # within a tenth of the image, as in official files
    with pytest.raises(
        AnnotationError,
        match=r'1 of 2 labelled joints in 1 images .* joint tail of id 3 at \(200.0, 110.0\), .*160 x 120',
    ):
        check(item(path, points=((10, 10), (200, 110))))
    check(*[item(path)] * 4, item(path, points=((10, 10), (200, 110))))  # one in ten
    with pytest.raises(AnnotationError, match=r'all 2 labelled joints in 1 images are within \[0, 1\]'):
        check(item(path, points=((0.1, 0.2), (0.5, 1))))


def test_missing_files_by_folder(image, tmp_path):
    there, gone = image(), str(tmp_path / 'gone' / 'b.jpg')
    items = [dict(img_path=path) for path in (there, gone, 's3://bucket/c.jpg')]
    assert find_missing(items) == {gone}
