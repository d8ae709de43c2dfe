"""Bad image files are named, good ones are loaded as mmpose loads them."""

import cv2
import mmpose.datasets.transforms as theirs
import numpy as np
import pytest
from mmpose.registry import TRANSFORMS

from posestructs.datasets.errors import BadImageError
from posestructs.datasets.transforms import LoadVerifiedImage
from tests.helpers import data_root, needs_data


def write(path, gray=False):
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8), (80, 60), interpolation=cv2.INTER_CUBIC)
    image = image[..., 0] if gray else image
    params = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1] if 'progressive' in path.name else []
    assert cv2.imwrite(str(path), image, params)
    return path


def bad_files(folder):
    """Every kind of bad file, with a word of what must be said of it."""
    for name in ('a.jpg', 'progressive.jpg', 'a.png'):
        data = write(folder / name).read_bytes()
        for length in (len(data) // 3, 2 * len(data) // 3, len(data) - 1):
            path = folder / f'cut{length}_{name}'
            path.write_bytes(data[:length])
            yield path, 'truncated'
    (folder / 'empty.jpg').touch()
    yield folder / 'empty.jpg', 'empty'
    (folder / 'text.jpg').write_text('<html>404 not found</html>')
    yield folder / 'text.jpg', 'not decodable'
    yield folder / 'missing.jpg', 'No such file'
    (folder / 'folder.jpg').mkdir()
    yield folder / 'folder.jpg', 'directory'


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
def test_bad_files_are_named(tmp_path, backend):
    load = TRANSFORMS.build(dict(type='LoadVerifiedImage', imdecode_backend=backend))
    cases = list(bad_files(tmp_path))
    assert len(cases) == 13
    for path, word in cases:
        results = dict(img_path=str(path))
        with pytest.raises(BadImageError, match=word) as error:
            load(results)
        assert error.value.path == str(path) and str(path) in str(error.value)
        assert results == dict(img_path=str(path)), 'nothing half-done'


def test_ignore_empty_gives_none(tmp_path):
    load = LoadVerifiedImage(ignore_empty=True)
    for path, _ in bad_files(tmp_path):
        assert load(dict(img_path=str(path))) is None


@pytest.mark.parametrize('name', ['a.jpg', 'progressive.jpg', 'a.png', 'gray.jpg', 'gray.png', 'a.bmp', 'tail.jpg'])
@pytest.mark.parametrize(
    'kwargs',
    [
        {},
        dict(to_float32=True),
        dict(color_type='grayscale'),
        dict(imdecode_backend='pillow'),
        dict(backend_args=dict(backend='local')),
    ],
    ids=str,
)
def test_good_files_are_loaded_as_mmpose_does(tmp_path, name, kwargs):
    path = write(tmp_path / name, gray='gray' in name)
    if name == 'tail.jpg':
        path.write_bytes(path.read_bytes() + b'some camera appends this')
    ours = LoadVerifiedImage(**kwargs)(dict(img_path=str(path), extra=1))
    plain = theirs.LoadImage(**kwargs)(dict(img_path=str(path), extra=1))
    assert ours.keys() == plain.keys()
    image, expected = ours.pop('img'), plain.pop('img')
    assert image.dtype == expected.dtype
    np.testing.assert_array_equal(image, expected)
    assert ours == plain


def test_the_file_is_read_once(tmp_path, monkeypatch):
    import mmengine.fileio

    path, reads = write(tmp_path / 'a.jpg'), []
    get = mmengine.fileio.get
    monkeypatch.setattr(mmengine.fileio, 'get', lambda *a, **k: reads.append(a) or get(*a, **k))
    LoadVerifiedImage()(dict(img_path=str(path)))
    assert len(reads) == 1


def test_a_given_image_is_used_as_it_is():
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    results = LoadVerifiedImage()(dict(img=image, img_path='nowhere.jpg'))
    assert results['img'] is image and results['img_shape'] == results['ori_shape'] == (2, 4)
    assert LoadVerifiedImage(to_float32=True)(dict(img=image))['img'].dtype == np.float32


def test_mmposes_name_gives_ours():
    assert TRANSFORMS.get('LoadImage') is TRANSFORMS.get('LoadVerifiedImage') is LoadVerifiedImage
    assert theirs.LoadImage is not LoadVerifiedImage, 'mmpose itself must stay as it is'


def test_unknown_backend_is_refused_at_build_time():
    with pytest.raises(ValueError, match="imdecode_backend='cv3', allowed: .*pillow"):
        LoadVerifiedImage(imdecode_backend='cv3')


@needs_data
def test_truncated_photograph(tmp_path):
    data = (data_root() / 'lspet-raw-sample' / 'images').glob('*.jpg')
    data = next(iter(sorted(data))).read_bytes()
    for share in (0.1, 0.5, 0.9, 0.999):
        path = tmp_path / f'{share}.jpg'
        path.write_bytes(data[: int(share * len(data))])
        with pytest.raises(BadImageError, match='truncated'):
            LoadVerifiedImage()(dict(img_path=str(path)))
