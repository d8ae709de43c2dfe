"""Collection of images into batches, and settings that are restored afterwards."""

import pytest

from posestructs.apis.frames import Frame, Source
from posestructs.apis.inference_call import Item, batches, check_options, progress_bar, temporary_items
from posestructs.utils.usage import UsageError


def test_batches_hold_enough_persons():
    counts = [3, 0, 1, 1, 5, 0]
    items = [Item(Frame(str(i), None), [{}] * count) for i, count in enumerate(counts)]
    for size, expected in ((1, '0 1 2 3 4 5'), (2, '0 12 34 5'), (4, '01 234 5'), (99, '012345')):
        found = ' '.join(''.join(item.frame.path for item in batch) for batch in batches(items, size))
        assert found == expected


def test_batches_do_not_read_ahead():
    read = []

    def images():
        for i in range(9):
            read.append(i)
            yield Item(Frame(str(i), None), [{}])

    next(batches(images(), 2))
    assert read == [0, 1]


def test_settings_are_restored():
    values = dict(there=1)
    with pytest.raises(KeyError), temporary_items(values, there=2, absent=3):
        assert values == dict(there=2, absent=3)
        raise KeyError
    assert values == dict(there=1)


def test_progress(capsys):
    source = Source([], 3, 'folder')
    with progress_bar(source, True) as advance:
        advance()
        advance()
    assert 'folder' in (shown := capsys.readouterr().out) and '2/3' in shown
    with progress_bar(source, False) as advance:
        advance()
    assert capsys.readouterr().out == ''


@pytest.mark.parametrize('key', ['pose_based_nms', 'draw_heatmap', 'draw_bbox', 'show', 'return_vis', 'track'])
def test_flags_are_true_or_false(key):
    check_options(1, **{key: True})
    with pytest.raises(UsageError, match=f"{key}='x', allowed: True, False"):
        check_options(1, **{key: 'x'})
