import mmpose.datasets.transforms as theirs
import pytest
from mmcv.transforms import LoadImageFromFile

from posestructs.datasets.errors import BadImageError
from posestructs.datasets.loader_errors import apply_step, apply_steps


@pytest.mark.parametrize('loader', [theirs.LoadImage, LoadImageFromFile])
def test_a_foreign_loader_names_the_bad_image(tmp_path, loader):
    (tmp_path / 'text.jpg').write_text('no image')
    for name in ('text.jpg', 'missing.jpg'):
        path = str(tmp_path / name)
        with pytest.raises(BadImageError, match=name) as caught:
            apply_step(loader(), dict(img_path=path))
        assert caught.value.path == path


def test_errors_of_other_steps_stay_what_they_are():
    def fail(results):
        raise AssertionError('mine')

    with pytest.raises(AssertionError, match='mine'):
        apply_step(fail, dict(img_path='a.jpg'))


def test_steps_end_where_one_refuses():
    assert apply_steps(lambda results: dict(results, a=1), {}) == dict(a=1)
    pipeline = type('Steps', (), dict(transforms=[lambda r: None, lambda r: r['a']]))()
    assert apply_steps(pipeline, {}) is None
