"""Commands that install what is missing."""

from posestructs.compat.dependencies import merge_installs


def test_installs_are_merged_in_order():
    commands = ['pip install a', 'pip install b', 'pip install --no-deps c', 'pip install d', 'pip install e && x']
    expected = ['pip install a b', 'pip install --no-deps c', 'pip install d', 'pip install e && x']
    assert merge_installs(commands) == expected
