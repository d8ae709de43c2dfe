"""Persons without a box or with a loose one."""

import json
import sys

import numpy as np
import pytest

from benchmarks import loose_boxes
from posestructs.utils.images import write_image
from tests.helpers import data_root, needs_data


def test_boxes_grow_around_their_centre():
    found = loose_boxes.enlarged(np.array([[10.0, 20, 30, 60]]), 2.5)
    assert found.tolist() == [[-5, -10, 45, 90]]


def test_a_border_keeps_the_pixels_and_says_where_they_are():
    image = np.random.default_rng(0).integers(0, 255, (5, 8, 3), np.uint8)
    out, corner = loose_boxes.with_border(image)
    assert out.shape == (10, 16, 3) and corner.tolist() == [4, 2]
    assert (out[2:7, 4:12] == image).all() and (out[:2] == 114).all() and (out[:, 12:] == 114).all()


class Recorder:
    """Stands where an inferencer does: notes what it is asked, and finds the joints at fixed pixels."""

    def __call__(self, image, bboxes, second_pass):
        self.asked = image, bboxes, second_pass
        yield dict(predictions=[[dict(keypoints=[[50.0, 40.0]])]])


def test_each_way_asks_for_its_box_and_returns_pixels_of_the_image(tmp_path):
    path = tmp_path / 'a.png'
    write_image(path, np.zeros((40, 60, 3), np.uint8))
    box, recorder = np.array([10.0, 10, 30, 30]), Recorder()
    assert loose_boxes.predict(recorder, str(path), box, 'labelled', False).tolist() == [[50, 40]]
    assert recorder.asked[1].tolist() == [[10, 10, 30, 30]] and recorder.asked[2] is False
    loose_boxes.predict(recorder, str(path), box, 'enlarged', True)
    assert recorder.asked[1].tolist() == [[-5, -5, 45, 45]] and recorder.asked[2] is True
    loose_boxes.predict(recorder, str(path), box, 'whole', True)
    assert recorder.asked[0] == str(path) and recorder.asked[1] is None
    # the image begins at (30, 20) of the larger one
    assert loose_boxes.predict(recorder, str(path), box, 'border', False).tolist() == [[20, 20]]


@needs_data
def test_a_loose_box_costs_points_and_a_second_pass_regains_most(tmp_path, monkeypatch):
    monkeypatch.setenv('POSESTRUCTS_DATA', str(data_root()))
    out, page = tmp_path / 'found.json', tmp_path / 'page.md'
    run(monkeypatch, '--out', out, '--persons', 12)
    ways = json.loads(out.read_text())['ways']
    once, twice = (ways[f'box 2.5 times as large, {passes}']['minus_labelled'] for passes in ('one pass', 'two passes'))
    assert once['mean'] < -20 and twice['mean'] > once['mean'] + 15
    run(monkeypatch, '--out', out, '--report', page)
    cells = [[cell.strip() for cell in line.split('|')[1:-1]] for line in page.read_text().splitlines()]
    assert ['labelled box', f'{ways["labelled box"]["joints"]:.1f}', '-'] in cells


def test_a_part_of_the_persons_does_not_replace_the_results(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, '--persons', 2)
    assert '--persons changes the results: give another --out' in capsys.readouterr().err


def run(monkeypatch, *flags):
    monkeypatch.setattr(sys, 'argv', ['loose_boxes.py', *map(str, flags)])
    loose_boxes.main()
