"""Corrections of mmpose and mmengine against the real thing."""

import importlib.util
import os
import sys

import numpy as np
import pytest
import torch


def test_pkg_resources_stand_in_agrees_with_the_real_one():
    pkg_resources = pytest.importorskip('pkg_resources', reason='setuptools 81 or later has no pkg_resources')
    from posestructs.compat import pkg_resources_stand_in as ours

    for name in ('mmengine', 'mmpose', 'mmcv-lite', 'numpy'):
        real, mine = pkg_resources.get_distribution(name), ours.get_distribution(name)
        assert os.path.samefile(mine.location, real.location)
        assert mine.has_metadata('top_level.txt') == real.has_metadata('top_level.txt')
        if real.has_metadata('top_level.txt'):
            assert mine.get_metadata('top_level.txt') == real.get_metadata('top_level.txt')
    with pytest.raises(ours.DistributionNotFound):
        ours.get_distribution('no-such-package')


def test_report_of_the_environment_without_distutils(monkeypatch):
    """Python 3.12 has none, unless setuptools brings one."""
    from mmengine.utils.dl_utils import collect_env

    from posestructs.compat.corrections import provide_distutils

    for name in [name for name in sys.modules if name.partition('.')[0] == 'distutils']:
        monkeypatch.delitem(sys.modules, name)
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name, *rest: None if name == 'distutils' else real(name))
    provide_distutils()
    stand_in = sys.modules['distutils']
    try:
        assert not getattr(stand_in, '__file__', None)
        assert collect_env()['Python'].startswith(sys.version.split()[0])
        # without a compiler the error is looked up
        monkeypatch.setenv('PATH', '')
        assert collect_env()['GCC'] == 'n/a'
        with pytest.raises(ModuleNotFoundError):
            import distutils.ccompiler  # noqa: F401
    finally:
        for name in ('distutils', 'distutils.errors'):
            sys.modules.pop(name, None)


class Numpy24Array(np.ndarray):
    """Refuses what numpy 2.4 refuses: a number out of an array that is not 0-dimensional."""

    def __int__(self):
        if self.ndim:
            raise TypeError('only 0-dimensional arrays can be converted to Python scalars')
        return super().__int__()


def test_visualizer_draws_the_same_circle_under_numpy_2_4():
    from mmpose.visualization import PoseLocalVisualizer

    images = []
    for radius in (3, np.array([3]).view(Numpy24Array)):
        visualizer = PoseLocalVisualizer()
        visualizer.set_image(np.zeros((20, 30, 3), np.uint8))
        visualizer.draw_circles(np.array([10.0, 8.0]), radius, face_colors=(255, 0, 0), line_widths=1)
        images.append(visualizer.get_image())
    assert images[0][8, 10, 0] == 255 and (images[0] > 0).any(-1).sum() > 20
    np.testing.assert_array_equal(*images)


def test_bfloat16_maps_reach_numpy():
    from mmpose.models.heads.heatmap_heads import heatmap_head

    maps = torch.tensor([[0.5, -2.0]])
    for given in (maps.bfloat16(), [maps.bfloat16()]):
        np.testing.assert_array_equal(np.asarray(heatmap_head.to_numpy(given)).reshape(1, 2), maps.numpy())
