"""Contact sheets of synthetic figures."""

import importlib.util
import sys

import cv2
import numpy as np
import pytest

from posestructs.datasets import StickFigureDataset
from tests.helpers import repo_root


@pytest.fixture(scope='module')
def tool():
    path = repo_root() / 'tools' / 'misc' / 'stick_figure_sheet.py'
    spec = importlib.util.spec_from_file_location('stick_figure_sheet', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_images_as_rendered_above_and_with_joints_below(tool):
    figures = StickFigureDataset(20, image_size=32)
    sheet = tool.draw_sheet(figures, columns=4, rows=4)
    gap, cell = 2, 32 + 2
    for number in (0, 3, 15):
        top, left = gap + number // 4 * cell, gap + number % 4 * cell
        np.testing.assert_array_equal(sheet[top : top + 32, left : left + 32], figures[number]['img'][..., ::-1])
    # twice as large, and drawn on
    below = sheet[gap + 4 * cell + gap :][:64, gap : gap + 64].astype(int)
    plain = cv2.resize(figures[16]['img'][..., ::-1], (64, 64)).astype(int)
    assert 0.01 < (np.abs(below - plain).max(-1) > 60).mean() < 0.6


def test_it_writes_where_it_is_told(tool, tmp_path, monkeypatch, capsys):
    out = tmp_path / 'folder' / 'sheet.png'
    monkeypatch.setattr(sys, 'argv', f'sheet --out {out} --columns 4 --rows 2 --size 64 --joint-set mpii'.split())
    tool.main()
    image = cv2.imread(str(out))[..., ::-1]
    first = StickFigureDataset(1, image_size=64)[0]['img'][..., ::-1]
    np.testing.assert_array_equal(image[2:66, 2:66], first)
    assert f'10 persons, {image.shape[1]} x {image.shape[0]} pixels' in capsys.readouterr().out


@pytest.mark.parametrize('option', ['--columns 3', '--rows 0', '--joint-set coco'])
def test_wrong_options(tool, option, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['sheet', *option.split()])
    with pytest.raises(SystemExit):
        tool.main()
    assert option.split()[0] in capsys.readouterr().err
