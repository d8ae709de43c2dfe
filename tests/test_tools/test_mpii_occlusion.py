import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest

from posestructs.datasets import MpiiOcclusionDataset
from tests.helpers import data_root, needs_data, repo_root

VAL = data_root() / 'mpii-val'
TOOL = repo_root() / 'tools' / 'dataset_converters' / 'mpii_occlusion.py'


@pytest.fixture(scope='module')
def main():
    spec = importlib.util.spec_from_file_location('mpii_occlusion', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda *args: module.main([str(arg) for arg in args])


@needs_data
def test_the_command_reports_the_measured_occlusion_and_writes_a_usable_file(tmp_path):
    out = tmp_path / 'sub' / 'side.npz'
    command = [sys.executable, TOOL, VAL / 'mpii_val.json', VAL / 'valid.h5', '--out', out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert '2958 of 2958 matched' in done.stdout
    assert '44240 of 44240 labelled joints matched' in done.stdout
    assert '10243 = 23.2 % of 44240 labelled joints' in done.stdout
    dataset = MpiiOcclusionDataset(str(VAL / 'mpii_val.json'), occlusion_file=str(out), check_images=False, indices=50)
    assert all(np.isin(dataset.get_data_info(i)['keypoints_occluded'], (0, 1)).all() for i in range(50))


@needs_data
@pytest.mark.parametrize(
    ('ann_file', 'source', 'message'),
    [
        ('mpii_val.json', '../flic-annotations/valid.h5', "valid.h5: key 'part' has shape (1016, 11, 2)"),
        ('valid.h5', 'valid.h5', 'valid.h5: cannot be read as JSON'),
        ('mpii_val.json', 'nowhere.mat', "nowhere.mat' does not exist"),
    ],
)
def test_a_file_at_fault_is_named_and_nothing_is_written(main, tmp_path, capsys, ann_file, source, message):
    assert main(VAL / ann_file, VAL / source, '--out', tmp_path / 'side.npz') == 1
    out, err = capsys.readouterr()
    assert ': error: ' in err.splitlines()[-1] and message in err and out == ''
    assert list(tmp_path.iterdir()) == []


@needs_data
def test_a_json_of_other_images_gives_nothing(main, tmp_path, capsys):
    persons = json.loads((VAL / 'mpii_val.json').read_text())[:3]
    for person in persons:
        person['image'] = '000000000.jpg'
    (tmp_path / 'other.json').write_text(json.dumps(persons))
    assert main(tmp_path / 'other.json', VAL / 'valid.h5') == 1
    err = capsys.readouterr().err
    assert 'no person of' in err and 'nothing written' in err
    assert [p.name for p in tmp_path.iterdir()] == ['other.json']


@needs_data
def test_the_default_name_lies_beside_the_json(main, tmp_path, capsys):
    (tmp_path / 'mine.json').write_text((VAL / 'mpii_val.json').read_text())
    assert main(tmp_path / 'mine.json', VAL / 'valid.h5', '--unflagged', 'unknown') == 0
    assert (tmp_path / 'mine_occlusion.npz').is_file()
    assert '44240 of 44240 labelled joints matched, 5864 have no known visibility' in capsys.readouterr().out


def test_arguments_that_cannot_be(main, capsys):
    with pytest.raises(SystemExit):
        main('a.json', 'b.mat', '--tolerance', '-1')
    assert '--tolerance -1.0, allowed: at least 0' in capsys.readouterr().err
