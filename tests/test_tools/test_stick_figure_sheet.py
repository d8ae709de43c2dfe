"""The committed contact sheet is what the tool draws."""

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


def test_the_committed_sheet_is_up_to_date(tool):
    path = repo_root() / 'docs' / 'images' / 'stick_figures.jpg'
    assert path.stat().st_size < 250_000
    committed = cv2.imread(str(path))[..., ::-1].astype(int)
    drawn = tool.draw_sheet(StickFigureDataset(50), 10, 4).astype(int)
    assert committed.shape == drawn.shape
    assert np.abs(committed - drawn).mean() < 8  # what JPEG makes of film grain


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
