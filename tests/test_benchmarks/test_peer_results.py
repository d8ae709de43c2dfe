"""Results of several runs in one file."""

import json

import pytest

from benchmarks.peer_models.report import peers_section
from benchmarks.peer_models.results import add_to_file, merge, read_results
from posestructs.utils.usage import UsageError


def time_of(**medians):
    return dict(milliseconds=dict(medians), machine=dict(cpu='a CPU'))


def test_a_run_replaces_what_it_measured_again_and_keeps_the_rest(tmp_path):
    path = tmp_path / 'new' / 'peers.json'
    add_to_file(path, [dict(model='a', persons=1), dict(model='b', persons=1), time_of(own=1, a=2)])
    add_to_file(path, [dict(model='a', persons=2)])
    add_to_file(path, [dict(model='c', persons=1), time_of(own=3)])
    models = [dict(model='a', persons=2), dict(model='b', persons=1), dict(model='c', persons=1)]
    assert read_results(path) == [*models, time_of(a=2), time_of(own=3)]


def test_a_run_that_was_timed_again_as_a_whole_leaves_no_empty_entry():
    assert merge([time_of(own=1)], [time_of(own=2, a=1)]) == [time_of(own=2, a=1)]


@pytest.mark.parametrize(
    'text, message',
    [
        ('{"model": "a"}', 'not a file of results'),
        ('[1]', 'not a file of results'),
        ('[{"milliseconds": 3}]', 'not a file of results'),
        ('[', 'not a JSON file'),
        (None, 'No such file'),
    ],
)
def test_files_of_another_kind_stay_as_they_are(tmp_path, text, message):
    path = tmp_path / 'peers.json'
    if text is not None:
        path.write_text(text)
        with pytest.raises(UsageError, match=f'^--out {path}: {message}'):
            add_to_file(path, [dict(model='a')])
        assert path.read_text() == text
    with pytest.raises(UsageError, match=f'^--out {path}: {message}'):
        read_results(path)


@pytest.mark.parametrize(
    'results, figures, message',
    [
        ([], {}, '--out holds no times'),
        ([dict(model='a')], {}, '--out holds no times'),
        ([time_of(a=1)], [], 'config, figures or persons'),
        ([time_of(a=1)], dict(config='a.py'), 'config, figures or persons'),
    ],
)
def test_a_table_needs_times_and_figures(results, figures, message):
    with pytest.raises(UsageError, match=message):
        peers_section(json.loads(json.dumps(results)), figures)
