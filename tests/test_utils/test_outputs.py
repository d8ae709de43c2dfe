"""Places that cannot be written to are refused, and the check leaves nothing behind."""

from argparse import Namespace

import pytest

from posestructs.utils.outputs import check_output_file, check_output_folder, check_outputs
from posestructs.utils.usage import UsageError


def test_a_new_folder_is_not_left_behind(tmp_path):
    check_output_folder('--out-dir', tmp_path / 'a' / 'b')
    check_output_file('--out', tmp_path / 'c' / 'x.json')
    assert not list(tmp_path.iterdir())


def test_what_is_there_stays(tmp_path):
    (tmp_path / 'x.json').write_text('old')
    check_output_file('--out', tmp_path / 'x.json')
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [('x.json', 'old')]


def test_refused(tmp_path):
    (tmp_path / 'file').touch()
    for check, path in (
        (check_output_folder, tmp_path / 'file'),
        (check_output_folder, tmp_path / 'file' / 'a'),
        (check_output_folder, '/proc/nope'),  # even for root
        (check_output_folder, 'a\0b'),
        (check_output_file, tmp_path),
        (check_output_file, '/proc/nope/x.json'),
    ):
        with pytest.raises(UsageError, match='^--out '):
            check('--out', path)


def test_the_flag_is_named(tmp_path):
    check_outputs(Namespace(out=None, out_dir=tmp_path / 'a'))
    with pytest.raises(UsageError, match='^--output-dir /proc/a'):
        check_outputs(Namespace(output_dir='/proc/a'))
